// One chain on several real anvil nodes. Anvil nodes do not speak to each other, so this file is their consensus: it
// carries every pending transaction from the node that took it to the others and has each of them mine the same block
// at the same timestamp, then compares the hashes. A node that came to another block is taken back, or begins again with
// the state of a living one, as a killed one does; a round that fails is followed by the next. What cannot be mended
// rejects `broken` at once, so that it is not taken for something that a client saw.
// It never stands between a client and a node, and never answers a JSON-RPC call.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';

import { Node } from './node.mjs';
import { until } from './until.mjs';

const BLOCK_POLL_MS = 25;
const EMPTY_BLOCK_EVERY_MS = 1000;
const MINE_TRIES = 5;
/** So many rounds in a row may fail; then the rig is broken. */
const ROUND_TRIES = 5;

/** Several nodes, one chain. */
export class Chain {
  /** Rejects when the chain cannot go on. Whoever waits for something of the chain races it. */
  broken = new Promise((_, reject) => { this.break = (cause) => reject(new Error(`the rig broke: ${cause.message}`, { cause })); });
  /** What had to be mended so far. */
  mended = [];
  #busy = Promise.resolve();
  #stopped = false;
  #lastBlockAt = 0;

  static async start(nodeCount) {
    const chain = new Chain();
    // Said even if nobody waits for it.
    chain.broken.catch((error) => console.error(error));
    chain.scratch = await mkdtemp(join(tmpdir(), 'livechain-e2e-'));
    chain.time = Math.floor(Date.now() / 1000) - 86_400;
    chain.nodes = Array.from({ length: nodeCount }, (_, index) => new Node(index, chain.time, chain.break));
    try {
      await Promise.all(chain.nodes.map((node) => node.start()));
    } catch (error) {
      await chain.stop();
      throw error;
    }
    chain.producing = chain.#produce();
    return chain;
  }

  living() {
    return this.nodes.filter((node) => node.alive);
  }

  /** Nothing else that touches the chain runs while `work` does. */
  #alone(work) {
    const done = this.#busy.then(work);
    this.#busy = done.catch(() => {});
    return done;
  }

  async #produce() {
    let failed = 0;
    while (!this.#stopped) {
      try {
        await this.#alone(() => this.#block(failed > 0));
        failed = 0;
      } catch (error) {
        failed += 1;
        this.#mending(`round ${failed} failed: ${error.message}`);
        if (failed === ROUND_TRIES) {
          this.break(error);
          return;
        }
      }
      await sleep(BLOCK_POLL_MS);
    }
  }

  #mending(what) {
    this.mended.push(what);
    console.error(`rig: ${what}`);
  }

  async #gather(nodes) {
    const waiting = new Map();
    for (const node of nodes) for (const [hash, raw] of await node.pool()) waiting.set(hash, raw);
    return waiting;
  }

  async #block(afterFailure) {
    const [leader, ...followers] = this.living();
    // A round that failed may have left some with a block that others have not got.
    if (afterFailure) await this.#level(leader, followers);
    const waiting = await this.#gather([leader, ...followers]);
    if (waiting.size === 0 && Date.now() - this.#lastBlockAt < EMPTY_BLOCK_EVERY_MS) return;
    for (const raw of waiting.values()) await leader.offer(raw);
    this.time += 1;
    const block = await leader.mine(this.time);
    const raws = [];
    for (const hash of block.transactions) raws.push(waiting.get(hash) ?? (await leader.raw(hash)));
    await Promise.all(followers.map((node) => this.#follow(node, block, raws).catch((error) => this.#begin(node, leader, error))));
    this.#lastBlockAt = Date.now();
  }

  /** Mines `block` on a node that has not got it; a transaction that slipped in between waits for the next block. */
  async #follow(node, block, raws) {
    for (let tries = 0; tries < MINE_TRIES; tries += 1) {
      const late = await node.pool();
      // One by one, never all: what arrives in this moment must not be lost.
      for (const hash of late.keys()) await node.rpc('anvil_dropTransaction', hash);
      for (const raw of raws) await node.offer(raw);
      const mined = await node.mine(Number(block.timestamp));
      for (const hash of block.transactions) late.delete(hash);
      if (mined.hash !== block.hash) {
        for (const hash of mined.transactions) if (!block.transactions.includes(hash)) late.set(hash, await node.raw(hash));
        await node.unmine(block);
      }
      for (const raw of late.values()) await node.offer(raw);
      if (mined.hash === block.hash) return;
    }
    throw new Error(`node ${node.index} does not reproduce block ${Number(block.number)}`);
  }

  /** Has a node begin again with the state of another one. What waits in its pool is carried over. */
  async #begin(node, from, why) {
    this.#mending(`node ${node.index} begins again as node ${from.index} is: ${why.message}`);
    const orphans = await node.pool();
    await node.kill();
    await this.#revive(node, from);
    for (const raw of orphans.values()) await node.offer(raw);
  }

  /** Has every node that is not where the leader is begin again. */
  async #level(leader, followers) {
    const { hash } = await leader.latest();
    for (const node of followers) {
      if ((await node.latest()).hash !== hash) await this.#begin(node, leader, new Error('it has another newest block'));
    }
  }

  async #revive(node, from) {
    const dump = await from.rpc('anvil_dumpState', true);
    const file = join(this.scratch, `state-${node.index}.json`);
    await writeFile(file, gunzipSync(Buffer.from(dump.slice(2), 'hex')));
    await node.start(file);
  }

  /** SIGKILL. What only this node had in its pool is carried to the others first, as gossip would have. */
  kill(index) {
    return this.#alone(async () => {
      const node = this.nodes[index];
      let orphans = await node.pool();
      while ((await node.waiting()).some((hash) => !orphans.has(hash))) orphans = await node.pool();
      await node.kill();
      for (const other of this.living()) for (const raw of orphans.values()) await other.offer(raw);
    });
  }

  /** Starts a killed node again, on its own port, with everything that a living one knows. */
  restart(index) {
    return this.#alone(() => this.#revive(this.nodes[index], this.living()[0]));
  }

  /** Waits until every living node has the transaction in the same block, so that no read after it can miss it. */
  settled(hash) {
    return until(`${hash} on every node`, async () => {
      const receipts = await Promise.all(this.living().map((node) => node.rpc('eth_getTransactionReceipt', hash)));
      return receipts.every((receipt) => receipt && receipt.blockHash === receipts[0].blockHash);
    });
  }

  async stop() {
    this.#stopped = true;
    await this.producing;
    await Promise.all(this.living().map((node) => node.kill()));
    await rm(this.scratch, { recursive: true, force: true });
  }
}
