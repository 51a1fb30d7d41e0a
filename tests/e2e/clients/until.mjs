// Waiting for what comes in its own time, with an end.

import { setTimeout as sleep } from 'node:timers/promises';

/** The longest that anything is waited for, unless somebody says otherwise. */
export const PATIENCE_MS = 20_000;

/** Calls `probe` until it returns something true; says what it waited for when it never does. */
export async function until(what, probe, limitMs = PATIENCE_MS) {
  const end = Date.now() + limitMs;
  let last;
  while (Date.now() < end) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    await sleep(20);
  }
  throw new Error(`waited ${limitMs} ms for ${what}${last ? `: ${last.message}` : ''}`);
}
