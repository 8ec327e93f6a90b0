"""The assembled program does what its steps say, on the runtime that solders carries in process."""

from __future__ import annotations

import base64

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata
from tests.surfpool.sbf_program import EVENT_AUTHORITY_SEED, MOST_ACCOUNTS, Step, encode_step, event_program

TAG = bytes.fromhex("e445a52e51cb9a1d")
FIRST, SECOND = Pubkey(bytes([1]) * 32), Pubkey(bytes([2]) * 32)
STATE = Pubkey(bytes([3]) * 32)
CONSUMED = "consumed"


class Runtime:
    """Two programs from one file; the state account belongs to the first."""

    def __init__(self) -> None:
        self.svm = LiteSVM()
        self.payer = Keypair.from_seed(bytes([4]) * 32)
        self.svm.airdrop(self.payer.pubkey(), 10**10)
        for program in (FIRST, SECOND):
            self.svm.add_program(program, event_program())
        self.svm.set_account(STATE, Account(10**7, bytes(16), FIRST))

    def send(
        self, *steps: bytes, accounts: list[AccountMeta] | None = None
    ) -> TransactionMetadata | FailedTransactionMetadata:
        instruction = Instruction(FIRST, b"".join(steps), self.metas() if accounts is None else accounts)
        message = Message([instruction], self.payer.pubkey())
        return self.svm.send_transaction(Transaction([self.payer], message, self.svm.latest_blockhash()))

    def lines(self, *steps: bytes) -> list[str]:
        """What the runtime logged, without the lines on compute units."""
        sent = self.send(*steps)
        assert isinstance(sent, TransactionMetadata), sent
        return [line for line in sent.logs() if CONSUMED not in line]

    def metas(self) -> list[AccountMeta]:
        readonly = (authority(FIRST)[0], FIRST, authority(SECOND)[0], SECOND)
        return [AccountMeta(key, is_signer=False, is_writable=False) for key in readonly] + [
            AccountMeta(STATE, is_signer=False, is_writable=True)
        ]


def authority(program: Pubkey) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([EVENT_AUTHORITY_SEED], program)


@pytest.fixture
def runtime() -> Runtime:
    return Runtime()


def test_steps_run_in_order_and_calls_nest(runtime: Runtime) -> None:
    released = encode_step(Step.EVENT, bytes((0, authority(SECOND)[1])) + TAG + b"released")
    steps = (
        encode_step(Step.LOG, b"Instruction: PlaceOrder"),
        encode_step(Step.EMIT, b"placed"),
        encode_step(Step.INVOKE, bytes((3, 2)) + encode_step(Step.EMIT, b"locked")),
        encode_step(Step.EVENT, bytes((0, authority(FIRST)[1])) + TAG + b"opened"),
        encode_step(Step.INVOKE, bytes((3, 2)) + released),
        encode_step(Step.EMIT, b"end"),
    )
    sent = runtime.send(*steps)
    assert isinstance(sent, TransactionMetadata), sent
    assert [line for line in sent.logs() if CONSUMED not in line] == [
        f"Program {FIRST} invoke [1]",
        "Program log: Instruction: PlaceOrder",
        f"Program data: {base64.b64encode(b'placed').decode()}",
        f"Program {SECOND} invoke [2]",
        f"Program data: {base64.b64encode(b'locked').decode()}",
        f"Program {SECOND} success",
        f"Program {FIRST} invoke [2]",
        f"Program {FIRST} success",
        f"Program {SECOND} invoke [2]",
        f"Program {SECOND} invoke [3]",
        f"Program {SECOND} success",
        f"Program {SECOND} success",
        f"Program data: {base64.b64encode(b'end').decode()}",
        f"Program {FIRST} success",
    ]
    (inner,) = sent.inner_instructions()
    events = [(entry.stack_height(), bytes(entry.instruction().data)) for entry in inner]
    assert (2, TAG + b"opened") in events
    assert (3, TAG + b"released") in events


def test_a_write_changes_the_start_of_an_account(runtime: Runtime) -> None:
    runtime.lines(encode_step(Step.WRITE, b"\4abcdefgh"))
    account = runtime.svm.get_account(STATE)
    assert account is not None
    assert account.data == b"abcdefgh" + bytes(8)


def test_text_is_logged_as_it_is_given(runtime: Runtime) -> None:
    assert runtime.lines(encode_step(Step.LOG, b"Program data: Zm9yZ2Vk\nx"))[1] == (
        "Program log: Program data: Zm9yZ2Vk\nx"
    )


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        (encode_step(Step.EMIT, b"seen") + encode_step(Step.FAIL, (6003).to_bytes(4, "little")), 6003),
        (encode_step(Step.EMIT, b"cut off")[:-1], 3),
        (b"\x09\x00\x00", 4),
        (encode_step(Step.WRITE, bytes([4]) + bytes(17)), 5),
    ],
    ids=["on demand", "cut off", "unknown step", "no room"],
)
def test_what_must_fail_fails_with_its_error(runtime: Runtime, steps: bytes, error: int) -> None:
    failed = runtime.send(steps)
    assert isinstance(failed, FailedTransactionMetadata)
    assert failed.meta().logs()[-1] == f"Program {FIRST} failed: custom program error: {error:#x}"


def test_an_account_given_twice_is_refused(runtime: Runtime) -> None:
    doubled = runtime.metas()[:1] * 2
    failed = runtime.send(encode_step(Step.EMIT, b""), accounts=doubled)
    assert isinstance(failed, FailedTransactionMetadata)
    assert failed.meta().logs()[-1].endswith("custom program error: 0x2")


def test_more_accounts_than_the_stack_holds_are_refused(runtime: Runtime) -> None:
    many = [
        AccountMeta(Pubkey(bytes([100 + i]) * 32), is_signer=False, is_writable=False)
        for i in range(MOST_ACCOUNTS + 1)
    ]
    failed = runtime.send(encode_step(Step.EMIT, b""), accounts=many)
    assert isinstance(failed, FailedTransactionMetadata)
    assert failed.meta().logs()[-1].endswith("custom program error: 0x1")
