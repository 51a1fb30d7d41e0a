// One chain on several real anvil nodes. Anvil nodes do not speak to each other, so this file is their consensus: it
// carries every pending transaction from the node that took it to the others and has each of them mine the same block
// at the same timestamp, then compares the hashes. A killed node comes back with the state of a living one.
// It never stands between a client and a node, and never answers a JSON-RPC call.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

export const CHAIN_ID = 31337;

const ANVIL = fileURLToPath(
  new URL(`node_modules/@foundry-rs/anvil-linux-${process.arch === 'x64' ? 'amd64' : 'arm64'}/bin/anvil`, import.meta.url),
);
const BLOCK_POLL_MS = 25;
const EMPTY_BLOCK_EVERY_MS = 1000;
const START_LIMIT_MS = 20_000;
const MINE_TRIES = 5;

/** A port that was free a moment ago. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Calls `probe` until it returns something true; says what it waited for when it never does. */
export async function until(what, probe, limitMs = START_LIMIT_MS) {
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

class Node {
  constructor(index, port, genesisTime) {
    Object.assign(this, { index, port, genesisTime, child: null, calls: 0 });
    this.url = `http://127.0.0.1:${port}`;
  }

  get alive() {
    return this.child !== null;
  }

  async rpc(method, ...params) {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: ++this.calls, method, params }),
    });
    const { result, error } = await response.json();
    if (error) throw Object.assign(new Error(`${method}: ${error.message}`), { code: error.code });
    return result;
  }

  async start(stateFile) {
    const args = ['--quiet', '--port', this.port, '--chain-id', CHAIN_ID, '--no-mining', '--order', 'fifo'];
    args.push('--timestamp', this.genesisTime, '--slots-in-an-epoch', 4, '--preserve-historical-states');
    if (stateFile) args.push('--load-state', stateFile);
    // However this process ends, its nodes end with it.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ANVIL, ...args.map(String)], { stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('error', (error) => { throw error; });
    await until(`node ${this.index} on port ${this.port}`, async () => (await this.rpc('eth_chainId')) !== undefined);
    this.child = child;
  }

  async kill() {
    const child = this.child;
    this.child = null;
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** Hashes of what waits in this node's pool. */
  async waiting() {
    const { pending } = await this.rpc('txpool_content');
    return Object.values(pending).flatMap((bySender) => Object.values(bySender).map(({ hash }) => hash));
  }

  /** Hash → raw bytes of what waits in this node's pool. */
  async pool() {
    const found = new Map();
    for (const hash of await this.waiting()) {
      const raw = await this.rpc('eth_getRawTransactionByHash', hash);
      if (raw) found.set(hash, raw);
    }
    return found;
  }

  async mine(timestamp) {
    await this.rpc('evm_setNextBlockTimestamp', timestamp);
    await this.rpc('evm_mine');
    return this.rpc('eth_getBlockByNumber', 'latest', false);
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

/** Several nodes, one chain. */
export class Chain {
  #busy = Promise.resolve();
  #stopped = false;
  #lastBlockAt = 0;

  static async start(nodeCount) {
    const chain = new Chain();
    chain.scratch = await mkdtemp(join(tmpdir(), 'livechain-e2e-'));
    chain.time = Math.floor(Date.now() / 1000) - 86_400;
    chain.nodes = [];
    for (let i = 0; i < nodeCount; i += 1) chain.nodes.push(new Node(i, await freePort(), chain.time));
    await Promise.all(chain.nodes.map((node) => node.start()));
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
    while (!this.#stopped) {
      await this.#alone(() => this.#block());
      await sleep(BLOCK_POLL_MS);
    }
  }

  async #gather(nodes) {
    const waiting = new Map();
    for (const node of nodes) for (const [hash, raw] of await node.pool()) waiting.set(hash, raw);
    return waiting;
  }

  async #block() {
    const [leader, ...followers] = this.living();
    const waiting = await this.#gather([leader, ...followers]);
    if (waiting.size === 0 && Date.now() - this.#lastBlockAt < EMPTY_BLOCK_EVERY_MS) return;
    for (const raw of waiting.values()) await leader.offer(raw);
    this.time += 1;
    const block = await leader.mine(this.time);
    const raws = [];
    for (const hash of block.transactions) {
      raws.push(waiting.get(hash) ?? (await leader.rpc('eth_getRawTransactionByHash', hash)));
    }
    await Promise.all(followers.map((node) => this.#follow(node, block, raws)));
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
      if (mined.hash === block.hash) {
        for (const raw of late.values()) await node.offer(raw);
        return;
      }
      for (const hash of mined.transactions) {
        if (!block.transactions.includes(hash)) late.set(hash, await node.rpc('eth_getRawTransactionByHash', hash));
      }
      await node.rpc('anvil_rollback', 1);
      for (const raw of late.values()) await node.offer(raw);
    }
    throw new Error(`node ${node.index} does not reproduce block ${block.number}`);
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
    return this.#alone(async () => {
      const dump = await this.living()[0].rpc('anvil_dumpState', true);
      const file = join(this.scratch, `state-${index}.json`);
      await writeFile(file, gunzipSync(Buffer.from(dump.slice(2), 'hex')));
      await this.nodes[index].start(file);
    });
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
    await this.producing.catch((error) => console.error(error));
    await Promise.all(this.living().map((node) => node.kill()));
    await rm(this.scratch, { recursive: true, force: true });
  }
}
