// One anvil node that mines when it is told to: its process and what is asked of it. It knows of no other node.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { freePort } from './ports.mjs';
import { PATIENCE_MS, until } from './until.mjs';

export const CHAIN_ID = 31337;

const ANVIL = fileURLToPath(
  new URL(`node_modules/@foundry-rs/anvil-linux-${process.arch === 'x64' ? 'amd64' : 'arm64'}/bin/anvil`, import.meta.url),
);

export class Node {
  #child = null;
  #calls = 0;
  #died;

  /** `died` is told of a death that nobody asked for. */
  constructor(index, genesisTime, died) {
    Object.assign(this, { index, genesisTime });
    this.#died = died;
  }

  /** It serves, for all that is known. */
  get alive() {
    return this.#child !== null;
  }

  get pid() {
    return this.#child?.pid;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async rpc(method, ...params) {
    this.#calls += 1;
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: this.#calls, method, params }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const { result, error } = await response.json();
    if (error) throw Object.assign(new Error(`node ${this.index}: ${method}: ${error.message}`), { code: error.code });
    return result;
  }

  /** Starts it, always on the same port, and waits until it serves. */
  async start(stateFile) {
    this.port ??= await freePort();
    const args = ['--quiet', '--port', this.port, '--chain-id', CHAIN_ID, '--no-mining', '--order', 'fifo'];
    args.push('--timestamp', this.genesisTime, '--slots-in-an-epoch', 4, '--preserve-historical-states');
    if (stateFile) args.push('--load-state', stateFile);
    // However this process ends, its nodes end with it.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ANVIL, ...args.map(String)], { stdio: ['ignore', 'ignore', 'inherit'] });
    let ended = null;
    child.once('error', (error) => { ended = error.message; });
    child.once('exit', (code, signal) => {
      ended = signal ?? `code ${code}`;
      if (this.#child === child) this.#died(new Error(`node ${this.index} ended by itself (${ended})`));
    });
    try {
      await until(`node ${this.index} on port ${this.port}`, async () => ended !== null || (await this.rpc('eth_chainId')) !== undefined);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    if (ended !== null) throw new Error(`node ${this.index} ended at once (${ended})`);
    this.#child = child;
  }

  /** SIGKILL. */
  async kill() {
    const child = this.#child;
    this.#child = null;
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** Hashes of what waits in its pool. */
  async waiting() {
    const { pending } = await this.rpc('txpool_content');
    return Object.values(pending).flatMap((bySender) => Object.values(bySender).map(({ hash }) => hash));
  }

  /** A transaction's bytes, be it mined or not. */
  raw(hash) {
    return this.rpc('eth_getRawTransactionByHash', hash);
  }

  /** Hash → raw bytes of what waits in its pool. */
  async pool() {
    const found = new Map();
    for (const hash of await this.waiting()) {
      const raw = await this.raw(hash);
      if (raw) found.set(hash, raw);
    }
    return found;
  }

  latest() {
    return this.rpc('eth_getBlockByNumber', 'latest', false);
  }

  async mine(timestamp) {
    await this.rpc('evm_setNextBlockTimestamp', timestamp);
    await this.rpc('evm_mine');
    return this.latest();
  }

  /** Takes its newest block back, so that it can mine `other` in its place. anvil leaves the base fee as it was after that block. */
  async unmine(other) {
    await this.rpc('anvil_rollback', 1);
    await this.rpc('anvil_setNextBlockBaseFeePerGas', other.baseFeePerGas);
  }

  /** Gives the pool a transaction; that it has it already is fine, and so is that it is mined. */
  async offer(raw) {
    try {
      await this.rpc('eth_sendRawTransaction', raw);
    } catch (error) {
      if (!/already (known|imported)|nonce too low/i.test(error.message)) throw error;
    }
  }
}
