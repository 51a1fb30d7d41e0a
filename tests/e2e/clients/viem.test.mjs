// viem through the proxy: everything that an application does, once in peace and once while nodes are killed and come
// back. No test here knows that there is a proxy, but for the last ones.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test as nodeTest } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  BaseError, ContractFunctionRevertedError, InsufficientFundsError, NonceTooLowError, TransactionReceiptNotFoundError,
  createPublicClient, createWalletClient, decodeEventLog, defineChain, encodeFunctionData, http, parseEther,
} from 'viem';
import { generatePrivateKey, mnemonicToAccount, privateKeyToAccount } from 'viem/accounts';

import { CHAIN_ID } from './node.mjs';
import { Rig } from './rig.mjs';
import { until } from './until.mjs';

const { abi, bytecode } = JSON.parse(readFileSync(new URL('counter.json', import.meta.url)));
const bare = process.env.LIVECHAIN_BIN === 'direct';
const MNEMONIC = 'test test test test test test test test test test test junk';
const account = mnemonicToAccount(MNEMONIC, { addressIndex: 0 });
const addresses = Array.from({ length: 10 }, (_, addressIndex) => mnemonicToAccount(MNEMONIC, { addressIndex }).address);
const friend = addresses[1];

/** What the revert that made a call fail says, as viem decodes it. */
async function revertOf(promise) {
  const error = await promise.then(() => assert.fail('it did not revert'), (thrown) => thrown);
  const revert = error instanceof BaseError && error.walk((cause) => cause instanceof ContractFunctionRevertedError);
  assert.ok(revert, `not a decoded revert: ${error.stack}`);
  return revert;
}

function suite(title, { churn, strategy }) {
  describe(title, { timeout: 240_000 }, () => {
    let rig, chain, reader, writer, counter;

    const test = (name, ...rest) => {
      const work = rest.pop();
      nodeTest(name, ...rest, () => rig.within(work));
    };

    before(async () => {
      rig = await Rig.start({ strategy });
      chain = defineChain({
        id: CHAIN_ID, name: 'devnet', nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
        rpcUrls: { default: { http: [rig.url] } },
      });
      // No retries of the client's own: what the proxy lets through is seen here.
      const transport = http(rig.url, { retryCount: 0, timeout: 20_000 });
      reader = createPublicClient({ chain, transport, pollingInterval: 50, cacheTime: 0 });
      writer = createWalletClient({ account, chain, transport });
      counter = await rig.within(deploy);
      if (churn) rig.startChurn();
    });

    after(async () => {
      const { kills } = rig;
      await rig.stop();
      if (churn) assert.ok(kills >= 5, `the nodes were killed ${kills} times only: nothing was shown`);
    });

    /** Signs, sends, and waits for the receipt and for all nodes; re-sends now and then as wallets do. */
    async function send(request) {
      const prepared = await writer.prepareTransactionRequest(request);
      const serializedTransaction = await writer.signTransaction(prepared);
      const hash = await writer.sendRawTransaction({ serializedTransaction });
      const again = setInterval(() => reader.sendRawTransaction({ serializedTransaction }).catch(() => {}), 2000);
      const receipt = await reader.waitForTransactionReceipt({ hash, timeout: 30_000 }).finally(() => clearInterval(again));
      await rig.chain.settled(hash);
      assert.equal(receipt.status, 'success');
      return reader.getTransactionReceipt({ hash });
    }

    async function deploy() {
      return (await send({ data: bytecode })).contractAddress;
    }

    const add = (step) => send({ to: counter, data: encodeFunctionData({ abi, functionName: 'add', args: [step] }) });
    const value = () => reader.readContract({ address: counter, abi, functionName: 'value' });

    /** Does it once in peace; under churn goes on until nodes have died and returned under it. */
    async function through(work) {
      const from = rig.kills;
      await work();
      while (churn && rig.kills < from + 2) {
        await sleep(10);
        await work();
      }
    }

    test('reads', () => through(async () => {
      assert.equal(await reader.getChainId(), CHAIN_ID);
      const block = await reader.getBlock({ includeTransactions: true });
      assert.ok(block.number > 0n);
      // By hash: its parent, which every node has.
      assert.equal((await reader.getBlock({ blockHash: block.parentHash })).number, block.number - 1n);
      assert.ok(await reader.getBlockNumber() >= block.number - 1n);
      assert.ok(await reader.getBalance({ address: friend }) >= parseEther('10000'));
      assert.ok(await reader.getTransactionCount({ address: account.address }) > 0);
      assert.ok((await reader.getCode({ address: counter })).length > 100);
      assert.match(await reader.getStorageAt({ address: counter, slot: '0x0' }), /^0x/);
      assert.ok(await reader.getGasPrice() > 0n);
      assert.ok((await reader.estimateFeesPerGas()).maxFeePerGas > 0n);
      assert.equal((await reader.getFeeHistory({ blockCount: 2, rewardPercentiles: [50] })).gasUsedRatio.length, 2);
      assert.equal((await reader.getProof({ address: counter, storageKeys: [] })).address.toLowerCase(), counter.toLowerCase());
    }));

    test('a transfer, its receipt and the transaction itself', () => through(async () => {
      const before = await reader.getBalance({ address: friend });
      const receipt = await send({ to: friend, value: 7n });
      assert.equal(await reader.getBalance({ address: friend }), before + 7n);
      const transaction = await reader.getTransaction({ hash: receipt.transactionHash });
      assert.equal(transaction.value, 7n);
      assert.equal(transaction.blockHash, receipt.blockHash);
    }));

    test('a transaction that is sent twice has one hash', { skip: bare }, async () => {
      const request = await writer.prepareTransactionRequest({ to: friend, value: 1n });
      const serializedTransaction = await writer.signTransaction(request);
      const first = await writer.sendRawTransaction({ serializedTransaction });
      const second = await writer.sendRawTransaction({ serializedTransaction });
      assert.equal(second, first);
      await rig.chain.settled(first);
    });

    test('a contract call that changes state, and its event', () => through(async () => {
      const before = await value();
      const receipt = await add(3n);
      assert.equal(await value(), before + 3n);
      const { eventName, args } = decodeEventLog({ abi, ...receipt.logs[0] });
      assert.equal(eventName, 'Counted');
      assert.deepEqual(args, { by: account.address, step: 3n, value: before + 3n });
    }));

    test('a revert with a reason string is decoded', () => through(async () => {
      const revert = await revertOf(reader.readContract({ address: counter, abi, functionName: 'refuse' }));
      assert.equal(revert.reason, 'not today');
    }));

    test('a revert with a custom error is decoded', () => through(async () => {
      const call = { address: counter, abi, functionName: 'add', args: [101n], account };
      for (const attempt of [() => reader.simulateContract(call), () => reader.estimateContractGas(call)]) {
        const { data } = await revertOf(attempt());
        assert.equal(data.errorName, 'TooLarge');
        assert.deepEqual(data.args, [101n, 100n]);
      }
    }));

    test('a large answer arrives whole', () => through(async () => {
      const blob = await reader.readContract({ address: counter, abi, functionName: 'blob', args: [150_000n] });
      assert.equal(blob.length, 2 + 2 * 150_000);
    }));

    test('the node\'s own refusals keep their meaning', () => through(async () => {
      const poor = privateKeyToAccount(generatePrivateKey());
      const fees = { gas: 21_000n, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n, nonce: 0 };
      const refused = async (from, nonce) => {
        const request = { chainId: CHAIN_ID, type: 'eip1559', to: friend, value: 1n, ...fees, nonce };
        const serializedTransaction = await from.signTransaction(request);
        return reader.sendRawTransaction({ serializedTransaction }).then(() => assert.fail('taken'), (error) => error);
      };
      // A node that dies between a transaction and its answer may have taken it: then another's opinion is not passed on.
      const unknown = (error) => churn && /outcome of this call is unknown/.test(error.details);
      for (const [from, words, type] of [[poor, /insufficient funds/i, InsufficientFundsError], [account, /nonce too low/i, NonceTooLowError]]) {
        const raw = await refused(from, 0);
        assert.ok(unknown(raw) || words.test(raw.details), raw.details);
        await assert.rejects(
          writer.sendTransaction({ account: from, to: friend, value: 1n, ...fees }),
          (error) => unknown(error) || error.walk((cause) => cause instanceof type) !== null,
        );
      }
      await assert.rejects(reader.getTransactionReceipt({ hash: `0x${'ab'.repeat(32)}` }), TransactionReceiptNotFoundError);
      // A node that cannot be asked might have had the method: only when all say no is it certain.
      if (!churn) await assert.rejects(reader.request({ method: 'eth_doesNotExist' }), (error) => error.code === -32601);
    }));

    test('logs by range, by block and by topic', () => through(async () => {
      const receipt = await add(11n);
      const event = abi.find(({ name }) => name === 'Counted');
      const byTopic = await reader.getLogs({ address: counter, event, args: { step: 11n }, fromBlock: 0n });
      assert.ok(byTopic.some(({ transactionHash }) => transactionHash === receipt.transactionHash));
      const byBlock = await reader.getLogs({ address: counter, event, blockHash: receipt.blockHash });
      assert.deepEqual(byBlock.map(({ args }) => args.step), [11n]);
      assert.deepEqual(await reader.getLogs({ address: counter, event, args: { step: 12n }, fromBlock: 0n }), []);
    }));

    test('watchers see every event, whatever becomes of the filter\'s node', () => through(async () => {
      const seen = [];
      const failures = [];
      const stop = reader.watchContractEvent({
        address: counter, abi, eventName: 'Counted', poll: true, pollingInterval: 50,
        onLogs: (logs) => seen.push(...logs.map(({ args }) => args.step)),
        onError: (error) => failures.push(error),
      });
      await add(21n);
      if (!churn) {
        await add(22n);
        await until('both events', () => seen.includes(21n) && seen.includes(22n));
        assert.deepEqual(failures, []);
      } else {
        // A filter dies with its node; viem makes another and goes on. What it saw in between depends on the moment,
        // so what is asked is that events arrive again after the node is gone.
        const killed = rig.kills;
        await until('a node to die', () => rig.kills > killed);
        seen.length = 0;
        await until('an event after that', async () => { await add(23n); return seen.includes(23n); }, 60_000);
        for (const { code, message } of failures.map((error) => error.walk((cause) => 'code' in cause) ?? error)) {
          assert.equal(code, -32000, message);
          assert.match(message, /filter not found/);
        }
      }
      stop();
    }));

    test('block watchers go forward', async () => {
      const numbers = [];
      const stop = reader.watchBlockNumber({ poll: true, pollingInterval: 50, onBlockNumber: (number) => numbers.push(number) });
      await until('four blocks', () => numbers.length >= 4);
      stop();
      assert.deepEqual(numbers, [...numbers].sort((a, b) => Number(a - b)));
    });

    test('a batch answers each call, failures among them', () => through(async () => {
      const transport = http(rig.url, { batch: { wait: 20 }, retryCount: 0 });
      const batched = createPublicClient({ chain, transport });
      const missing = batched.request({ method: 'eth_getTransactionReceipt', params: [`0x${'cd'.repeat(32)}`] });
      const [id, block, revert, none, ...balances] = await Promise.all([
        batched.getChainId(), batched.getBlock({ blockNumber: 0n }),
        revertOf(batched.readContract({ address: counter, abi, functionName: 'refuse' })), missing,
        ...Array.from({ length: 50 }, (_, index) => batched.getBalance({ address: addresses[index % 10] })),
      ]);
      assert.equal(id, CHAIN_ID);
      assert.equal(block.number, 0n);
      assert.equal(revert.reason, 'not today');
      assert.equal(none, null);
      assert.ok(balances.every((balance) => balance > 0n));
    }));

    test('many readers at once', () => through(async () => {
      const answers = await Promise.all(Array.from({ length: 64 }, (_, index) =>
        index % 2 ? reader.getBlock({ blockNumber: 1n }) : reader.getBalance({ address: friend })));
      assert.equal(answers.filter((answer) => answer.number === 1n).length, 32);
    }));

    test('ids of every kind, kept to the byte', { skip: bare }, () => through(async () => {
      for (const id of ['0', '-1', '"a-b"', '""', 'null', '9007199254740993', '123456789012345678901234567890', '1.50', '1e2', '"\\u0041\\/"']) {
        const response = await fetch(rig.url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: `{"jsonrpc":"2.0","id":${id},"method":"eth_chainId"}`,
        });
        const text = await response.text();
        assert.match(text, /"0x7a69"/);
        assert.ok(text.includes(`"id":${id},`) || text.includes(`"id":${id}}`), `${id} became ${text}`);
      }
    }));

    test('more than one node did the work', { skip: bare }, async () => {
      const counts = Object.values(await rig.attempts());
      assert.ok(counts.filter((count) => count > 0).length >= (churn ? 3 : 2), `attempts by node: ${counts}`);
    });
  });
}

suite('viem, in peace', { churn: false, strategy: 'leaderboard' });
if (!bare) {
  suite('viem, while nodes die and return', { churn: true, strategy: 'round_robin' });
}
