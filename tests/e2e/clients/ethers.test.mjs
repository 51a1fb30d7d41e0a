// ethers v6 through the proxy: its batches, its filters, its way of reading errors; once in peace and once while nodes
// are killed and come back.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test as nodeTest } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { ContractFactory, FetchRequest, JsonRpcProvider, Mnemonic, HDNodeWallet, Wallet, isError, toQuantity } from 'ethers';

import { CHAIN_ID } from './node.mjs';
import { Rig } from './rig.mjs';
import { until } from './until.mjs';

const { abi, bytecode } = JSON.parse(readFileSync(new URL('counter.json', import.meta.url)));
const bare = process.env.LIVECHAIN_BIN === 'direct';
const phrase = Mnemonic.fromPhrase('test test test test test test test test test test test junk');
const key = (index) => HDNodeWallet.fromMnemonic(phrase, `m/44'/60'/0'/0/${index}`).privateKey;

/** The error that ethers makes of a call that must fail. */
const failure = (promise) => promise.then(() => assert.fail('it did not fail'), (error) => error);

function suite(title, { churn, strategy }) {
  describe(title, { timeout: 240_000 }, () => {
    let rig, provider, wallet, counter;
    // One that is not destroyed polls on, and this process would not end: not after a test that failed, either.
    const providers = [];

    const test = (name, ...rest) => {
      const work = rest.pop();
      nodeTest(name, ...rest, () => rig.within(work));
    };

    /** A provider that gives up at the first failure, so that what the proxy lets through is seen. */
    function connect(options) {
      const request = new FetchRequest(rig.url);
      request.timeout = 20_000;
      request.retryFunc = async () => false;
      const connected = new JsonRpcProvider(request, undefined, { pollingInterval: 50, cacheTimeout: -1, ...options });
      providers.push(connected);
      return connected;
    }

    before(async () => {
      rig = await Rig.start({ strategy });
      provider = connect();
      wallet = new Wallet(key(2), provider);
      const receipt = await rig.within(() => send({ data: bytecode }));
      counter = new ContractFactory(abi, bytecode, wallet).attach(receipt.contractAddress);
      if (churn) rig.startChurn();
    });

    after(async () => {
      const { kills } = rig;
      for (const connected of providers) connected.destroy();
      await rig.stop();
      if (churn) assert.ok(kills >= 5, `the nodes were killed ${kills} times only: nothing was shown`);
    });

    /** Signs, sends, and waits for the receipt and for all nodes; re-sends now and then as wallets do. */
    async function send(request) {
      const signed = await wallet.signTransaction(await wallet.populateTransaction(request));
      const { hash } = await provider.broadcastTransaction(signed);
      const again = setInterval(() => provider.send('eth_sendRawTransaction', [signed]).catch(() => {}), 2000);
      const receipt = await until(`a receipt of ${hash}`, () => provider.getTransactionReceipt(hash)).finally(() => clearInterval(again));
      await rig.chain.settled(hash);
      assert.equal(receipt.status, 1);
      return provider.getTransactionReceipt(hash);
    }

    const add = async (step) => send(await counter.add.populateTransaction(step));

    async function through(work) {
      const from = rig.kills;
      await work();
      while (churn && rig.kills < from + 2) {
        await sleep(10);
        await work();
      }
    }

    test('reads', () => through(async () => {
      assert.equal((await provider.getNetwork()).chainId, BigInt(CHAIN_ID));
      const block = await provider.getBlock('latest', true);
      assert.equal((await provider.getBlock(block.parentHash)).number, block.number - 1);
      assert.ok(await provider.getBalance(wallet.address) > 0n);
      assert.ok(await provider.getTransactionCount(wallet.address) > 0);
      assert.ok((await provider.getCode(await counter.getAddress())).length > 100);
      assert.ok((await provider.getFeeData()).maxFeePerGas > 0n);
      assert.equal(await provider.getTransactionReceipt(`0x${'ab'.repeat(32)}`), null);
    }));

    test('a contract call that changes state, its receipt and event', () => through(async () => {
      const before = await counter.value();
      const receipt = await add(5);
      assert.equal(await counter.value(), before + 5n);
      const event = counter.interface.parseLog(receipt.logs[0]);
      assert.deepEqual([event.name, ...event.args], ['Counted', wallet.address, 5n, before + 5n]);
      const transaction = await provider.getTransaction(receipt.hash);
      assert.equal(transaction.blockHash, receipt.blockHash);
    }));

    test('a transaction sent and awaited the plain way', { skip: churn }, async () => {
      const sent = await wallet.sendTransaction({ to: wallet.address, value: 1n });
      const receipt = await sent.wait();
      assert.equal(receipt.status, 1);
      await rig.chain.settled(sent.hash);
    });

    test('reverts are decoded: a reason string and a custom error', () => through(async () => {
      const reason = await failure(counter.refuse());
      assert.ok(isError(reason, 'CALL_EXCEPTION'), reason);
      assert.equal(reason.reason, 'not today');
      for (const call of [() => counter.add.staticCall(101), () => counter.add.estimateGas(101)]) {
        const custom = await failure(call());
        assert.ok(isError(custom, 'CALL_EXCEPTION'), custom);
        assert.equal(custom.revert?.name ?? counter.interface.parseError(custom.data).name, 'TooLarge');
      }
    }));

    test('the node\'s own refusals keep their meaning', () => through(async () => {
      const poor = new Wallet(Wallet.createRandom().privateKey, provider);
      const fees = { gasLimit: 21_000, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n, nonce: 0, value: 1n, to: wallet.address };
      // A node that dies between a transaction and its answer may have taken it: then another's opinion is not passed on.
      const unknown = (error) => churn && error.message.includes('outcome of this call is unknown');
      for (const [from, code] of [[poor, 'INSUFFICIENT_FUNDS'], [wallet, 'NONCE_EXPIRED']]) {
        const refused = await failure(from.sendTransaction(fees));
        assert.ok(isError(refused, code) || unknown(refused), refused);
      }
    }));

    test('logs by filter object', () => through(async () => {
      const receipt = await add(13);
      const found = await counter.queryFilter(counter.filters.Counted(wallet.address, 13), 0);
      assert.ok(found.some(({ transactionHash }) => transactionHash === receipt.hash));
      const inBlock = await provider.getLogs({ address: await counter.getAddress(), blockHash: receipt.blockHash });
      assert.deepEqual(inBlock.map((log) => counter.interface.parseLog(log).args.step), [13n]);
    }));

    // A node's filter dies with it, and ethers never makes another: under churn it is told to poll with eth_getLogs.
    test('contract.on hears every event', async () => {
      const listening = connect({ polling: churn });
      const seen = [];
      // When ethers polls, it asks from the last event on for each block that is new; of several at once the first event is heard
      // from each question. Which log it is tells that it is the same.
      const heard = new Set();
      await counter.connect(listening).on('Counted', (_by, step, _value, { log: { blockHash, index } }) => {
        const log = `${blockHash} ${index}`;
        if (!churn || !heard.has(log)) seen.push(step);
        heard.add(log);
      });
      // Listening begins at the first block that the provider sees.
      const from = await provider.getBlockNumber();
      await until('a new block', async () => await provider.getBlockNumber() > from + 1);
      const steps = churn ? [31, 32, 33, 34, 35, 36] : [31, 32];
      for (const step of steps) await add(step);
      await until('all events', () => steps.every((step) => seen.includes(BigInt(step))));
      assert.deepEqual(seen, steps.map(BigInt));
    });

    test('a node\'s filter answers through the proxy until it is uninstalled', { skip: churn }, async () => {
      const filter = await provider.send('eth_newFilter', [{ address: await counter.getAddress(), fromBlock: 'latest' }]);
      assert.match(filter, /^0x[1-9a-f][0-9a-f]*$/);
      const blocks = await provider.send('eth_newBlockFilter', []);
      const { hash } = await add(41);
      // Every core and every connection may be asked.
      const changes = [];
      await until('the log', async () => {
        const other = connect();
        changes.push(...(await other.send('eth_getFilterChanges', [filter])).map(({ transactionHash }) => transactionHash));
        return changes.includes(hash);
      });
      assert.equal(changes.filter((change) => change === hash).length, 1);
      assert.ok((await provider.send('eth_getFilterLogs', [filter])).length >= 1);
      assert.ok((await provider.send('eth_getFilterChanges', [blocks])).length >= 1);
      assert.equal(await provider.send('eth_uninstallFilter', [filter]), true);
      assert.equal(await provider.send('eth_uninstallFilter', [blocks]), true);
      const gone = await failure(provider.send('eth_getFilterChanges', [filter]));
      assert.equal(gone.error.code, -32000);
      assert.match(gone.error.message, /filter not found/i);
    });

    test('a filter whose node died is not found, and its successor works', { skip: churn || bare }, async () => {
      // One filter a try until all nodes have one: then one of them must die with its node.
      const filters = [];
      for (let made = 0; made < 12; made += 1) filters.push(await provider.send('eth_newBlockFilter', []));
      await rig.chain.kill(0);
      await rig.chain.kill(1);
      const outcomes = await Promise.all(filters.map((filter) =>
        provider.send('eth_getFilterChanges', [filter]).then(() => 'alive', ({ error }) => error)));
      const dead = outcomes.filter((outcome) => outcome !== 'alive');
      assert.ok(dead.length > 0, 'no filter was lost: nothing was shown');
      for (const error of dead) assert.deepEqual([error.code, error.message], [-32000, 'filter not found']);
      const successor = await provider.send('eth_newBlockFilter', []);
      assert.ok(Array.isArray(await provider.send('eth_getFilterChanges', [successor])));
      await rig.chain.restart(0);
      await rig.chain.restart(1);
    });

    test('ethers\' own batches, failures among them', () => through(async () => {
      const batched = connect({ batchStallTime: 20, batchMaxCount: 100, staticNetwork: true });
      const answers = await Promise.all([
        failure(counter.connect(batched).refuse()),
        failure(batched.send('eth_getBlockByNumber', ['nonsense', false])),
        batched.send('eth_getTransactionReceipt', [`0x${'cd'.repeat(32)}`]),
        ...Array.from({ length: 60 }, (_, block) => batched.send('eth_getBlockByNumber', [toQuantity(block % 2), false])),
      ]);
      assert.equal(answers[0].reason, 'not today');
      assert.equal(answers[1].error.code, -32602);
      assert.equal(answers[2], null);
      assert.deepEqual(answers.slice(3).map(({ number }) => Number(number)), Array.from({ length: 60 }, (_, block) => block % 2));
    }));
  });
}

suite('ethers, in peace', { churn: false, strategy: 'round_robin' });
if (!bare) {
  suite('ethers, while nodes die and return', { churn: true, strategy: 'round_robin' });
}
