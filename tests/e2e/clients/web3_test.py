"""web3.py through the proxy: once in peace and once while nodes are killed and come back.

The rig (nodes, proxy, killing hand) is `rig.mjs`, asked over its control port; the proxy's address is all that a
client is given.
"""

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from eth_account import Account
from web3 import AsyncHTTPProvider, AsyncWeb3, HTTPProvider, Web3
from web3.exceptions import ContractCustomError, ContractLogicError, TransactionNotFound, Web3RPCError

HERE = Path(__file__).parent
BARE = os.environ.get("LIVECHAIN_BIN") == "direct"
COUNTER = json.loads((HERE / "counter.json").read_text())
PATIENCE_S = 30

Account.enable_unaudited_hdwallet_features()
ACCOUNT = Account.from_mnemonic(
    "test test test test test test test test test test test junk", account_path="m/44'/60'/0'/0/4"
)


class Rig:
    """The running rig."""

    def __init__(self, *, churn):
        self.churn = churn
        self.process = subprocess.Popen(
            ["node", "rig.mjs", "round_robin"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        says = json.loads(self.process.stdout.readline())
        self.url, self.control, self.chain_id = says["url"], says["control"], says["chainId"]

    def ask(self, action, **body):
        request = urllib.request.Request(self.control + action, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0

    def through(self, work):
        """Does it once in peace; under churn goes on until nodes have died and returned under it."""
        enough = self.ask("/kills") + 2
        work()
        while self.churn and self.ask("/kills") < enough:
            work()


@pytest.fixture(autouse=True)
def the_rig_lives(rig):
    """A rig that broke ends, and has said why: no test is then to be blamed on a client or the proxy."""
    assert rig.process.poll() is None, "the rig broke before this test"
    yield
    assert rig.process.poll() is None, "the rig broke in this test"


@pytest.fixture(scope="module", params=["peace", pytest.param("churn", marks=pytest.mark.skipif(BARE, reason="one node"))])
def rig(request):
    rig = Rig(churn=request.param == "churn")
    rig.w3 = connect(rig)
    receipt = send(rig, {"data": COUNTER["bytecode"], "gas": 1_000_000})
    rig.counter = rig.w3.eth.contract(receipt["contractAddress"], abi=COUNTER["abi"])
    if rig.churn:
        rig.ask("/churn/start")
    yield rig
    kills = rig.ask("/kills")
    rig.ask("/churn/stop")
    rig.stop()
    assert not rig.churn or kills >= 5, f"the nodes were killed {kills} times only: nothing was shown"


def connect(rig):
    """web3.py without retries of its own, so that what the proxy lets through is seen."""
    return Web3(HTTPProvider(rig.url, exception_retry_configuration=None, request_kwargs={"timeout": 20}))


def send(rig, request):
    """Signs, sends, and waits for the receipt and for all nodes; re-sends now and then as wallets do."""
    w3 = rig.w3
    request = {
        "from": ACCOUNT.address,
        "chainId": rig.chain_id,
        "nonce": w3.eth.get_transaction_count(ACCOUNT.address, "pending"),
        "gas": 200_000,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 10**9,
    } | request
    signed = ACCOUNT.sign_transaction({k: v for k, v in request.items() if k != "from"})
    tx_hash = w3.eth.send_raw_transaction(signed.raw_transaction)
    for tries in range(PATIENCE_S * 20):
        try:
            receipt = w3.eth.get_transaction_receipt(tx_hash)
            break
        except TransactionNotFound:
            time.sleep(0.05)
            if tries % 40 == 39:
                try:
                    w3.eth.send_raw_transaction(signed.raw_transaction)
                except Web3RPCError:
                    pass
    else:
        pytest.fail(f"no receipt of {tx_hash.to_0x_hex()}")
    assert receipt["status"] == 1
    rig.ask("/settled", hash=tx_hash.to_0x_hex())
    return w3.eth.get_transaction_receipt(tx_hash)


def add(rig, step):
    return send(rig, {"to": rig.counter.address, "data": rig.counter.encode_abi("add", [step])})


def test_reads(rig):
    def work():
        eth = rig.w3.eth
        assert rig.w3.is_connected()
        assert eth.chain_id == rig.chain_id
        block = eth.get_block("latest", full_transactions=True)
        assert eth.get_block(block["parentHash"])["number"] == block["number"] - 1
        assert eth.get_balance(ACCOUNT.address) > 0
        assert eth.get_transaction_count(ACCOUNT.address) > 0
        assert len(eth.get_code(rig.counter.address)) > 100
        assert eth.gas_price > 0
        assert len(eth.fee_history(2, "latest", [50])["gasUsedRatio"]) == 2
        with pytest.raises(TransactionNotFound):
            eth.get_transaction(b"\xab" * 32)

    rig.through(work)


def test_a_call_that_changes_state_its_receipt_and_event(rig):
    def work():
        before = rig.counter.functions.value().call()
        receipt = add(rig, 5)
        assert rig.counter.functions.value().call() == before + 5
        (event,) = rig.counter.events.Counted().process_receipt(receipt)
        assert dict(event["args"]) == {"by": ACCOUNT.address, "step": 5, "value": before + 5}

    rig.through(work)


def test_reverts_are_decoded(rig):
    def work():
        with pytest.raises(ContractLogicError, match="not today"):
            rig.counter.functions.refuse().call()
        add = rig.counter.functions.add(101)
        for act in (add.call, add.estimate_gas):
            with pytest.raises(ContractCustomError) as raised:
                act({"from": ACCOUNT.address})
            (selector,) = [e for e in COUNTER["abi"] if e["type"] == "error"]
            expected = Web3.keccak(text="TooLarge(uint256,uint256)")[:4].to_0x_hex() + f"{101:064x}{100:064x}"
            assert selector["name"] == "TooLarge" and raised.value.data == expected

    rig.through(work)


def test_refusals_of_the_node_keep_their_meaning(rig):
    def work():
        # A node that dies between a transaction and its answer may have taken it: then another's opinion is not passed on.
        unknown = "|the outcome of this call is unknown" if rig.churn else ""
        for who, pattern in ((Account.create(), "insufficient funds"), (ACCOUNT, "nonce too low")):
            signed = who.sign_transaction(
                {"chainId": rig.chain_id, "nonce": 0, "gas": 21_000, "to": ACCOUNT.address, "value": 1, "gasPrice": 10**10}
            )
            with pytest.raises(Web3RPCError, match=f"(?i){pattern}{unknown}"):
                rig.w3.eth.send_raw_transaction(signed.raw_transaction)

    rig.through(work)


def test_logs(rig):
    def work():
        receipt = add(rig, 13)
        counted = rig.counter.events.Counted()
        found = counted.get_logs(from_block=0, argument_filters={"step": 13})
        assert receipt["transactionHash"] in [log["transactionHash"] for log in found]
        in_block = counted.get_logs(block_hash=receipt["blockHash"])
        assert [log["args"]["step"] for log in in_block] == [13]

    rig.through(work)


def test_filters_live_until_their_node_dies(rig):
    def new_filter():
        return rig.counter.events.Counted().create_filter(from_block="latest")

    if not rig.churn:
        events = new_filter()
        wanted = add(rig, 17)["transactionHash"]
        seen = [log["transactionHash"] for log in events.get_new_entries()]
        assert seen.count(wanted) == 1
        assert wanted not in [log["transactionHash"] for log in events.get_new_entries()]
        assert rig.w3.eth.uninstall_filter(events.filter_id)
        with pytest.raises(Web3RPCError, match="(?i)filter not found"):
            events.get_new_entries()
        return
    # The one thing that dies with a node: its filters. It is said plainly, and another can be made at once.
    lost, enough = 0, time.monotonic() + 60
    events = new_filter()
    while lost < 2 and time.monotonic() < enough:
        try:
            events.get_new_entries()
        except Web3RPCError as error:
            assert error.rpc_response["error"] == {"code": -32000, "message": "filter not found"}
            lost += 1
            events = new_filter()
        time.sleep(0.02)
    assert lost == 2


def test_a_batch_answers_each_call(rig):
    def work():
        with rig.w3.batch_requests() as batch:
            for number in range(40):
                batch.add(rig.w3.eth.get_block(number % 2))
            batch.add(rig.counter.functions.value())
            answers = batch.execute()
        assert [answer["number"] for answer in answers[:40]] == [number % 2 for number in range(40)]
        assert isinstance(answers[40], int)

    rig.through(work)


def test_asynchronous_client(rig):
    import asyncio

    async def work():
        w3 = AsyncWeb3(AsyncHTTPProvider(rig.url, exception_retry_configuration=None))
        blocks = await asyncio.gather(*(w3.eth.get_block(0) for _ in range(20)))
        await w3.provider.disconnect()
        assert {block["number"] for block in blocks} == {0}

    rig.through(lambda: asyncio.run(work()))
