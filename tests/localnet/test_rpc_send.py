"""sendTransaction with real wire transactions, signed by real keys."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from heliograph_localnet import base58
from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import Draft
from heliograph_localnet.executor import unknown_program
from heliograph_localnet.rpc_error import RpcFault
from heliograph_localnet.rpc_send import error_text

Ask = Callable[..., Any]
Address = Callable[[str], str]
BASE64 = {"encoding": "base64"}
SKIP = BASE64 | {"skipPreflight": True}


@pytest.fixture
def signer() -> Keypair:
    return Keypair.from_seed(bytes(range(32)))


@pytest.fixture
def signed(chain: Chain, address: Address, signer: Keypair) -> Callable[..., VersionedTransaction]:
    def make(
        program: str = "program", data: bytes = b"go", blockhash: str | None = None
    ) -> VersionedTransaction:
        metas = [AccountMeta(signer.pubkey(), True, True)]
        instruction = Instruction(Pubkey.from_string(address(program)), data, metas)
        recent = Hash.from_string(blockhash or chain.newest_block(chain.open_slot).blockhash)
        message = Message.new_with_blockhash([instruction], signer.pubkey(), recent)
        return VersionedTransaction(message, [signer])

    return make


@pytest.fixture(autouse=True)
def executor(chain: Chain, address: Address, signer: Keypair, failed: object) -> list[VersionedTransaction]:
    """Knows one program, which fails on the data `fail`; returns what it was asked to execute."""
    executed: list[VersionedTransaction] = []

    def execute(transaction: VersionedTransaction) -> Draft:
        executed.append(transaction)
        instruction = transaction.message.instructions[0]
        if str(transaction.message.account_keys[instruction.program_id_index]) != address("program"):
            raise unknown_program()
        err = failed if instruction.data == b"fail" else None
        return Draft(str(signer.pubkey()), (), ("Program log: hi",), err)

    chain.executor = execute
    return executed


def encoded(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()


def test_a_sent_transaction_lands_as_it_was_signed(
    chain: Chain, ask: Ask, signed: Callable[..., VersionedTransaction], address: Address
) -> None:
    transaction = signed()
    signature = ask("sendTransaction", encoded(transaction), BASE64)
    assert signature == str(transaction.signatures[0])
    chain.produce()
    executed = chain.transaction(signature)
    assert executed is not None
    assert executed.wire == bytes(transaction)
    assert chain.history(address("program"), 2_000, 10) == [executed]


def test_base58_is_the_default(ask: Ask, signed: Callable[..., VersionedTransaction]) -> None:
    transaction = signed()
    assert ask("sendTransaction", base58.encode(bytes(transaction))) == str(transaction.signatures[0])


def test_the_executor_is_asked_once(
    ask: Ask, signed: Callable[..., VersionedTransaction], executor: list[VersionedTransaction]
) -> None:
    ask("sendTransaction", encoded(signed()), BASE64)
    assert len(executor) == 1


def test_preflight_refuses_what_fails(
    chain: Chain, ask: Ask, signed: Callable[..., VersionedTransaction], failed: object
) -> None:
    with pytest.raises(RpcFault) as caught:
        ask("sendTransaction", encoded(signed(data=b"fail")), BASE64)
    fault = caught.value
    assert fault.code == -32002
    assert fault.message == (
        "Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1770"
    )
    assert isinstance(fault.data, dict)
    assert fault.data["err"] == failed
    assert fault.data["logs"] == ["Program log: hi"]
    assert chain.pending() == ()


def test_without_preflight_what_fails_lands_as_failed(
    chain: Chain, ask: Ask, signed: Callable[..., VersionedTransaction], failed: object
) -> None:
    ask("sendTransaction", encoded(signed(data=b"fail")), SKIP)
    (executed,) = chain.pending()
    assert executed.err == failed


def refused(ask: Ask, transaction: VersionedTransaction) -> tuple[int, str, object]:
    with pytest.raises(RpcFault) as caught:
        ask("sendTransaction", encoded(transaction), BASE64)
    data = caught.value.data
    return caught.value.code, caught.value.message, data["err"] if isinstance(data, dict) else None


def test_an_unknown_program_is_refused(
    chain: Chain, ask: Ask, signed: Callable[..., VersionedTransaction]
) -> None:
    message = "Transaction simulation failed: Attempt to load a program that does not exist"
    assert refused(ask, signed(program="other")) == (-32002, message, "ProgramAccountNotFound")
    chain.executor = None
    assert refused(ask, signed()) == (-32002, message, "ProgramAccountNotFound")


def test_an_old_blockhash_is_refused(ask: Ask, signed: Callable[..., VersionedTransaction]) -> None:
    transaction = signed(blockhash=str(Hash.default()))
    message = "Transaction simulation failed: Blockhash not found"
    assert refused(ask, transaction) == (-32002, message, "BlockhashNotFound")


def test_a_transaction_is_processed_once(
    chain: Chain, ask: Ask, signed: Callable[..., VersionedTransaction]
) -> None:
    transaction = signed()
    ask("sendTransaction", encoded(transaction), BASE64)
    message = "Transaction simulation failed: This transaction has already been processed"
    assert refused(ask, transaction) == (-32002, message, "AlreadyProcessed")
    chain.produce()
    assert refused(ask, transaction) == (-32002, message, "AlreadyProcessed")


def test_a_wrong_signature_is_refused(ask: Ask, signed: Callable[..., VersionedTransaction]) -> None:
    forged = VersionedTransaction.populate(signed().message, [Signature.default()])
    assert refused(ask, forged) == (-32003, "Transaction signature verification failure", None)


def test_what_no_leader_takes_vanishes_without_preflight(
    chain: Chain, ask: Ask, signed: Callable[..., VersionedTransaction]
) -> None:
    for transaction in (
        signed(program="other"),
        signed(blockhash=str(Hash.default())),
        VersionedTransaction.populate(signed().message, [Signature.default()]),
    ):
        assert ask("sendTransaction", encoded(transaction), SKIP) == str(transaction.signatures[0])
    assert chain.pending() == ()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("AA==", "base64"),
        ("!", "base64"),
        ("0OIl", "base58"),
        ("A" * 9_000, "base64"),
        ("AAAA" * 1_400, "base64"),
    ],
)
def test_what_is_no_transaction_is_refused(ask: Ask, text: str, encoding: str) -> None:
    with pytest.raises(RpcFault) as caught:
        ask("sendTransaction", text, {"encoding": encoding})
    assert caught.value.code == -32602


def test_an_airdrop_funds_a_wallet(chain: Chain, ask: Ask, address: Address) -> None:
    signature = ask("requestAirdrop", address("wallet"), 5_000_000)
    ask("requestAirdrop", address("wallet"), 1)
    chain.produce()
    assert ask("getBalance", address("wallet"), {"commitment": "processed"})["value"] == 5_000_001
    executed = chain.transaction(signature)
    assert executed is not None and executed.err is None


def test_errors_are_worded_as_a_cluster_words_them() -> None:
    assert error_text({"InstructionError": [2, "ProgramFailedToComplete"]}) == (
        "Error processing Instruction 2: ProgramFailedToComplete"
    )
    assert error_text("AccountInUse") == "AccountInUse"
