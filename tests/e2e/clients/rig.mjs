// What a client suite stands on: several nodes of one chain, the real `livechain serve` in front of them, and a hand
// that kills nodes and brings them back while the suite runs. Clients are given the proxy's address and nothing else.
//
// As a program it serves suites in other languages: one JSON line says where the proxy and the control port are, and it
// ends when its standard input does. With LIVECHAIN_BIN=direct clients get a bare node: that shows a suite to be right.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Chain } from './chain.mjs';
import { CHAIN_ID } from './node.mjs';
import { freePort } from './ports.mjs';
import { until } from './until.mjs';

const NODES = 3;
const DOWN_MS = 600;
const UP_MS = 600;

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const binary = process.env.LIVECHAIN_BIN ?? join(repository, 'target/debug/livechain');

/** The configuration: every node an upstream; breakers that close again as fast as nodes come back. */
function configuration(ports, nodes, strategy) {
  const upstreams = nodes.map(({ url }, index) => `      - name: node-${index}
        http: "${url}"
        breaker: { failures: 3, window: 5s, open_for: 500ms, probes: 1 }`);
  return `version: 1
server:
  listen: ["127.0.0.1:${ports.rpc}"]
  admin: "127.0.0.1:${ports.admin}"
  cores: 2
  drain_timeout: 5s
chains:
  devnet:
    chain_id: ${CHAIN_ID}
    strategy: ${strategy}
    upstreams:
${upstreams.join('\n')}
`;
}

export class Rig {
  kills = 0;
  #churning = null;
  #stopping = false;
  #log = [];

  static async start({ strategy = 'leaderboard' } = {}) {
    const rig = new Rig();
    rig.chain = await Chain.start(NODES);
    try {
      if (binary === 'direct') rig.url = rig.chain.nodes[0].url;
      else await rig.#serve(strategy);
    } catch (error) {
      await rig.stop();
      throw error;
    }
    return rig;
  }

  async #serve(strategy) {
    const ports = { rpc: await freePort(), admin: await freePort() };
    const file = join(this.chain.scratch, 'livechain.yaml');
    await writeFile(file, configuration(ports, this.chain.nodes, strategy));
    this.proxy = spawn('setpriv', ['--pdeathsig', 'KILL', binary, 'serve', '--config', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.proxy.stdout, this.proxy.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => this.#log.push(text));
    }
    this.proxy.once('exit', (code, signal) => {
      if (!this.#stopping) this.chain.break(new Error(`the proxy ended by itself (${signal ?? `code ${code}`}):\n${this.log()}`));
    });
    this.url = `http://127.0.0.1:${ports.rpc}/rpc/devnet`;
    this.admin = `http://127.0.0.1:${ports.admin}`;
    try {
      await until('the proxy to be ready', async () => {
        if (this.proxy.exitCode !== null) return true;
        return (await fetch(`${this.admin}/readyz`)).ok;
      });
    } catch (error) {
      throw new Error(`${error.message}\n${this.log()}`);
    }
    if (this.proxy.exitCode !== null) throw new Error(`the proxy ended at once:\n${this.log()}`);
  }

  /** Does a test's work, and fails with the rig. Of work that fails by itself it is said where everybody was. */
  async within(work) {
    let broken = false;
    this.chain.broken.catch(() => { broken = true; });
    try {
      return await Promise.race([work(), this.chain.broken]);
    } catch (error) {
      if (!broken) console.error(await this.whereabouts());
      throw error;
    }
  }

  /** How far the nodes are and what the proxy says of it, in a few lines. */
  async whereabouts() {
    const of = async (node) => {
      if (!node.alive) return 'down';
      const [{ number, hash }, waiting] = await Promise.all([node.latest(), node.waiting()]);
      return `block ${Number(number)} (${hash}), ${waiting.length} waiting`;
    };
    const asked = async () => {
      const response = await fetch(this.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"}',
        signal: AbortSignal.timeout(2000),
      });
      return response.text();
    };
    const said = (promise) => promise.catch((error) => error.message);
    const lines = this.chain.nodes.map(async (node) => `node ${node.index}: ${await said(of(node))}`);
    lines.push(said(asked()).then((answer) => `asked for the number, the proxy says: ${answer}`));
    return ['where the chain is:', ...(await Promise.all(lines)), ...this.chain.mended].join('\n  ');
  }

  /** Everything that the proxy printed. */
  log() {
    return this.#log.join('');
  }

  /** Kills one node after the other, and brings each back, until told to stop. */
  startChurn() {
    let going = true;
    const loop = async () => {
      for (let index = 0; going; index = (index + 1) % NODES) {
        await this.chain.kill(index);
        this.kills += 1;
        await sleep(DOWN_MS);
        await this.chain.restart(index);
        await sleep(UP_MS);
      }
    };
    this.#churning = { done: loop().catch(this.chain.break), stop: () => { going = false; } };
  }

  async stopChurn() {
    this.#churning?.stop();
    await this.#churning?.done;
    this.#churning = null;
  }

  /** Attempts that the proxy made, by upstream, as its metrics tell. */
  async attempts() {
    const text = await (await fetch(`${this.admin}/metrics`)).text();
    const byUpstream = {};
    for (const [, labels, value] of text.matchAll(/^livechain_attempts_total\{([^}]*)\} (\S+)$/gm)) {
      const upstream = /upstream="([^"]*)"/.exec(labels)[1];
      byUpstream[upstream] = (byUpstream[upstream] ?? 0) + Number(value);
    }
    return byUpstream;
  }

  /** Ends everything. The proxy is asked with SIGTERM, and must have ended well. */
  async stop() {
    this.#stopping = true;
    await this.stopChurn();
    let ending;
    if (this.proxy && this.proxy.exitCode === null && this.proxy.signalCode === null) {
      this.proxy.kill('SIGTERM');
      ending = (await once(this.proxy, 'exit'))[0];
    }
    await this.chain.stop();
    if (this.proxy && ending !== 0) throw new Error(`the proxy ended with ${ending}:\n${this.log()}`);
  }
}

/** The control port: what a suite in another language may ask of the rig. */
async function control(rig) {
  const actions = {
    '/settled': ({ hash }) => rig.chain.settled(hash),
    '/churn/start': () => rig.startChurn(),
    '/churn/stop': () => rig.stopChurn(),
    '/kills': () => rig.kills,
    '/attempts': () => rig.attempts(),
    '/kill': ({ index }) => rig.chain.kill(index),
    '/restart': ({ index }) => rig.chain.restart(index),
  };
  const server = createServer(async (request, response) => {
    try {
      const body = (await request.toArray()).join('');
      const value = await actions[request.url](body ? JSON.parse(body) : {});
      response.end(JSON.stringify(value ?? null));
    } catch (error) {
      response.writeHead(500).end(String(error?.stack ?? error));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const rig = await Rig.start({ strategy: process.argv[2] });
  const server = await control(rig);
  // Its nodes and its proxy go with it; why is on standard error.
  rig.chain.broken.catch(() => process.exit(1));
  const says = { url: rig.url, control: `http://127.0.0.1:${server.address().port}`, chainId: CHAIN_ID };
  process.stdout.write(`${JSON.stringify(says)}\n`);
  process.stdin.resume();
  await once(process.stdin, 'end');
  server.close();
  await rig.stop();
  process.exit(0);
}
