"""GoDark's two programs as the tests play them: instructions whose steps emit, call, write and fail.

Every instruction gets the same accounts first (each program's event authority and the program) and then those that
it writes, so that a step names an account by a fixed index. A third program is a stranger that imitates them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from tests.surfpool.sbf_program import EVENT_AUTHORITY_SEED, Step, encode_step

from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder

POSITIONS = "BifeNpFVFxQy9RnUkgbi1u2daTDbWJ1ZPUeZVSwtf7Qg"
VAULT = "5ioFK9dP4fJ7RujyHpzo95SRwXMTccm4Ehsya6Ta1zcd"
STRANGER = "8qbHbw2BbbTHBW1sbeqakYXVKRQM8Ne7pLK7m6CVfeR"

Fields = Mapping[str, object]

_ORDER = (POSITIONS, VAULT, STRANGER)
_FIRST_WRITABLE = 2 * len(_ORDER)
_OF_CALLEE = 0
"""A callee's accounts are its event authority and itself."""


@dataclass(frozen=True)
class Program:
    """One deployed program and the encoder of its IDL."""

    address: str
    encoder: Encoder

    def instruction(self, *steps: bytes, writes: tuple[str, ...] = ()) -> Instruction:
        """A top-level instruction; writes: the addresses that `write` steps change."""
        metas = [
            AccountMeta(account, is_signer=False, is_writable=False)
            for program in _ORDER
            for account in (_authority(program)[0], Pubkey.from_string(program))
        ]
        metas += [
            AccountMeta(Pubkey.from_string(address), is_signer=False, is_writable=True) for address in writes
        ]
        return Instruction(Pubkey.from_string(self.address), b"".join(steps), metas)

    def emit(self, event: str, fields: Fields) -> bytes:
        """`Program data:`, as Anchor's emit! does it."""
        return encode_step(Step.EMIT, self.encoder.event(event, fields))

    def emit_cpi(self, event: str, fields: Fields, *, called: bool = False) -> bytes:
        """A self-CPI, as Anchor's emit_cpi! does it. called: the step is one of `call`."""
        account = _OF_CALLEE if called else _authority_index(self.address)
        bump = _authority(self.address)[1]
        payload = EVENT_TAG + self.encoder.event(event, fields)
        return encode_step(Step.EVENT, bytes((account, bump)) + payload)

    def call(self, *steps: bytes) -> bytes:
        """A step of the other program: it invokes this one, which does the steps."""
        account = _authority_index(self.address)
        return encode_step(Step.INVOKE, bytes((account + 1, account)) + b"".join(steps))

    def write(self, account: str, fields: Fields) -> bytes:
        """The account's new contents; the first of the instruction's `writes`."""
        return encode_step(Step.WRITE, bytes((_FIRST_WRITABLE,)) + self.encoder.account(account, fields))

    def fail(self, error: str) -> bytes:
        return encode_step(Step.FAIL, struct.pack("<I", self.encoder.error_code(error)))


def log(text: str) -> bytes:
    """`Program log: <text>`."""
    return encode_step(Step.LOG, text.encode())


def raw(data: bytes) -> bytes:
    """Bytes that are no step: instruction data as somebody else would send it."""
    return data


def stranger() -> Program:
    """A program that is none of GoDark's and speaks its events."""
    return Program(STRANGER, positions().encoder)


def positions() -> Program:
    return _program(POSITIONS, "godark_positions.json")


def vault() -> Program:
    return _program(VAULT, "godark_vault.json")


def _program(address: str, idl: str) -> Program:
    document = resources.files("heliograph_indexer") / "idls" / idl
    return Program(address, Encoder(document.read_bytes()))


def _authority(program: str) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([EVENT_AUTHORITY_SEED], Pubkey.from_string(program))


def _authority_index(program: str) -> int:
    return 2 * _ORDER.index(program)
