// What the client suites stand on, itself: a chain of several nodes goes on through what befalls them, and says so at once
// when it cannot.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { HDNodeWallet } from 'ethers';

import { Chain } from './chain.mjs';
import { CHAIN_ID } from './node.mjs';
import { until } from './until.mjs';

const wallet = HDNodeWallet.fromPhrase('test test test test test test test test test test test junk');

/** What `act` makes of the next call of one of an object's methods; those after it are as ever. */
function once(object, method, act) {
  const usual = object[method].bind(object);
  object[method] = (...given) => {
    delete object[method];
    return act(usual, ...given);
  };
}

describe('the chain of the client suites', { timeout: 60_000 }, () => {
  let chain, first, second;

  beforeEach(async () => {
    chain = await Chain.start(2);
    [first, second] = chain.nodes;
  });

  afterEach(() => chain.stop());

  const number = async () => Number((await first.latest()).number);

  /** Both nodes have the same newest block, several above where it stood. */
  async function goesOn() {
    const from = await number();
    await until('more blocks', async () => (await number()) >= from + 2);
    await until('one chain', async () => (await first.latest()).hash === (await second.latest()).hash);
  }

  const transfer = (nonce) => wallet.signTransaction({
    chainId: CHAIN_ID, type: 2, nonce, to: wallet.address, value: 1n, gasLimit: 21_000n, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 1n,
  });

  test('a transaction that slips into one node\'s block is in everybody\'s next one', async () => {
    await goesOn();
    const raw = await transfer(0);
    let hash;
    once(second, 'mine', async (mine, ...given) => {
      hash = await second.rpc('eth_sendRawTransaction', raw);
      return mine(...given);
    });
    await until('the transaction', () => hash);
    await chain.settled(hash);
    await goesOn();
    assert.deepEqual(chain.mended, [], 'nothing had to begin again');
  });

  test('a node that went astray begins again, and keeps what waits in its pool', async () => {
    await goesOn();
    await second.mine(chain.time + 1000);
    const hash = await second.rpc('eth_sendRawTransaction', await transfer(0));
    await chain.settled(hash);
    await goesOn();
    assert.match(chain.mended.join(), /^node 1 begins again as node 0 is: /);
  });

  test('a round that fails is followed by the next, whatever it left behind', async () => {
    await goesOn();
    once(first, 'mine', async (mine, ...given) => {
      await mine(...given);
      throw new Error('lost');
    });
    await until('the failure', () => chain.mended.length > 0);
    await goesOn();
    assert.match(chain.mended.join(), /^round 1 failed: lost,node 1 begins again as node 0 is: it has another newest block$/);
  });

  test('killing and bringing back leaves one chain', async () => {
    for (const index of [0, 1, 0]) {
      await chain.kill(index);
      await chain.restart(index);
      await goesOn();
    }
    assert.deepEqual(chain.mended, []);
  });

  test('rounds that fail again and again break it', async () => {
    first.mine = async () => { throw new Error('never'); };
    await assert.rejects(chain.broken, /^Error: the rig broke: never$/);
    assert.equal(chain.mended.length, 5);
  });

  test('a node that dies by itself breaks it at once', async () => {
    process.kill(second.pid, 'SIGKILL');
    await assert.rejects(chain.broken, /^Error: the rig broke: node 1 ended by itself \(SIGKILL\)$/);
  });
});
