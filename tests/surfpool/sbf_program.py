"""The program that the tests deploy: it does, in order, what the steps in its instruction data say.

A step is its kind (1 byte), the length of its payload (u16), the payload. An account is named by its index
among the instruction's accounts, of which there are at most 8, all different.

    EMIT    payload                          sol_log_data(payload): what Anchor's emit! does
    WRITE   account, bytes                   the bytes into the start of the account's data
    EVENT   account, bump, payload           self-CPI as emit_cpi! does it: the account is the event authority
    FAIL    u32                              end here with that custom error
    LOG     text                             sol_log_(text): `Program log: <text>`
    INVOKE  program, account, steps          CPI: the callee gets the account and its program account, and the steps

Instruction data that begins with the event tag is a self-CPI come in: success. What is malformed ends with one
of the custom errors below 100.
"""

from __future__ import annotations

import enum
import struct

from tests.surfpool.sbf_assembler import Assembly, link

MOST_ACCOUNTS = 8
EVENT_AUTHORITY_SEED = b"__event_authority"

_TAG_FIRST_BYTE = 0xE4
_TOO_MANY_ACCOUNTS, _DOUBLED_ACCOUNT, _CUT_OFF, _UNKNOWN_STEP, _NO_ROOM = range(1, 6)

# The loader's layout of one account, from its first byte, and the room that it leaves behind the data.
_KEY, _OWNER, _LAMPORTS, _DATA_LENGTH, _DATA, _GROWTH = 8, 40, 72, 80, 88, 10240

# Our stack frame, as offsets from its end. The infos are the array of SolAccountInfo that a CPI hands over.
_NEXT_STEP, _ACCOUNT_COUNT = -8, -16
_SLICE = -32
_METAS = -64
_INSTRUCTION = -104
_SEEDS, _SIGNER = -136, -152
_SEED = -176
_INFOS, _INFO_BYTES = -1024, 56
_INFO_KEY, _INFO_LENGTH, _INFO_DATA = 0, 16, 24

_SIGNS = 0x0100
"""A SolAccountMeta's two flags as one number: is_writable false, is_signer true."""


class Step(enum.IntEnum):
    EMIT = 0
    WRITE = 1
    EVENT = 2
    FAIL = 3
    LOG = 4
    INVOKE = 5


def encode_step(kind: Step, payload: bytes) -> bytes:
    """Raises struct.error for a payload above 65,535 bytes."""
    return struct.pack("<BH", kind, len(payload)) + payload


def event_program() -> bytes:
    """The ELF file."""
    program = Assembly()
    _read_accounts(program)
    _read_steps(program)
    _emit(program)
    _write(program)
    _event(program)
    _fail(program)
    _log(program)
    _invoke(program)
    for error in (_TOO_MANY_ACCOUNTS, _DOUBLED_ACCOUNT, _CUT_OFF, _UNKNOWN_STEP, _NO_ROOM):
        program.label(f"error {error}")
        program.number(0, error)
        program.exit()
    return link(program)


def _read_accounts(program: Assembly) -> None:
    """Fills the infos; afterwards r8 is the first step and r9 the end of them, where the program id stands."""
    program.load64(7, 1)
    program.store64(10, _ACCOUNT_COUNT, 7)
    program.jump_if_above_number(7, MOST_ACCOUNTS, f"error {_TOO_MANY_ACCOUNTS}")
    program.move(8, 1, 8)
    program.move(2, 10, _INFOS)
    program.label("account")
    program.jump_if_equal(7, 0, "data")
    program.add_number(7, -1)
    program.load8(3, 8)
    program.jump_if_equal(3, 0xFF, "new account")
    program.jump(f"error {_DOUBLED_ACCOUNT}")
    program.label("new account")
    for at, offset in ((0, _KEY), (8, _LAMPORTS), (_INFO_DATA, _DATA), (32, _OWNER)):
        program.move(3, 8, offset)
        program.store64(2, at, 3)
    program.load64(4, 8, _DATA_LENGTH)
    program.store64(2, _INFO_LENGTH, 4)
    program.number(3, 0)
    program.store64(2, 40, 3)  # rent epoch
    program.store64(2, 48, 3)  # flags: the runtime takes an account's privileges from the instruction
    program.add_number(2, _INFO_BYTES)
    program.add(8, 4)
    program.add_number(8, _DATA + _GROWTH + 7)
    program.mask(8, -8)
    program.add_number(8, 8)  # rent epoch
    program.jump("account")
    program.label("data")
    program.load64(9, 8)
    program.add_number(8, 8)
    program.add(9, 8)


def _read_steps(program: Assembly) -> None:
    """Enters each step with r8 at its payload and r6 the payload's length; r8 and r9 outlive syscalls."""
    program.label("step")
    program.jump_if_not_below(8, 9, "done")
    program.load8(7, 8)
    program.jump_if_equal(7, _TAG_FIRST_BYTE, "done")
    program.load8(6, 8, 1)
    program.load8(1, 8, 2)
    program.shift_left(1, 8)
    program.add(6, 1)
    program.add_number(8, 3)
    program.move(1, 8)
    program.add(1, 6)
    program.store64(10, _NEXT_STEP, 1)
    program.jump_if_above(1, 9, f"error {_CUT_OFF}")
    for kind in Step:
        program.jump_if_equal(7, kind, kind.name)
    program.jump(f"error {_UNKNOWN_STEP}")
    program.label("next")
    program.load64(8, 10, _NEXT_STEP)
    program.jump("step")
    program.label("done")
    program.number(0, 0)
    program.exit()


def _emit(program: Assembly) -> None:
    program.label(Step.EMIT.name)
    program.store64(10, _SLICE, 8)
    program.store64(10, _SLICE + 8, 6)
    program.move(1, 10, _SLICE)
    program.number(2, 1)
    program.call("sol_log_data")
    program.jump("next")


def _write(program: Assembly) -> None:
    program.label(Step.WRITE.name)
    _info_of(program, 1, payload_offset=0)
    program.load64(2, 1, _INFO_LENGTH)
    program.load64(1, 1, _INFO_DATA)
    program.add_number(6, -1)
    program.jump_if_above(6, 2, f"error {_NO_ROOM}")
    program.label("byte")
    program.jump_if_equal(6, 0, "next")
    program.load8(2, 8, 1)
    program.store8(1, 0, 2)
    program.add_number(1, 1)
    program.add_number(8, 1)
    program.add_number(6, -1)
    program.jump("byte")


def _fail(program: Assembly) -> None:
    program.label(Step.FAIL.name)
    program.load32(0, 8)
    program.exit()


def _log(program: Assembly) -> None:
    program.label(Step.LOG.name)
    program.move(1, 8)
    program.move(2, 6)
    program.call("sol_log_")
    program.jump("next")


def _event(program: Assembly) -> None:
    program.label(Step.EVENT.name)
    _info_of(program, 1, payload_offset=0)
    _meta(program, 0, info=1, flags=_SIGNS)
    program.store64(10, _INSTRUCTION, 9)
    _callee(program, accounts=1)
    _seeds(program)
    _invoke_signed(program, signers=1)


def _invoke(program: Assembly) -> None:
    program.label(Step.INVOKE.name)
    _info_of(program, 1, payload_offset=1)
    _meta(program, 0, info=1, flags=0)
    _info_of(program, 1, payload_offset=0)
    _meta(program, 1, info=1, flags=0)
    program.load64(2, 1, _INFO_KEY)
    program.store64(10, _INSTRUCTION, 2)
    _callee(program, accounts=2)
    _invoke_signed(program, signers=0)


def _info_of(program: Assembly, to: int, *, payload_offset: int) -> None:
    """The info of the account whose index is that byte of the payload."""
    program.load8(to, 8, payload_offset)
    program.multiply_number(to, _INFO_BYTES)
    program.add(to, 10)
    program.add_number(to, _INFOS)


def _meta(program: Assembly, index: int, *, info: int, flags: int) -> None:
    program.load64(2, info, _INFO_KEY)
    program.store64(10, _METAS + 16 * index, 2)
    program.number(2, flags)
    program.store64(10, _METAS + 16 * index + 8, 2)


def _callee(program: Assembly, *, accounts: int) -> None:
    """The SolInstruction behind its program id: metas, and the payload behind its first two bytes as data."""
    program.move(2, 10, _METAS)
    program.store64(10, _INSTRUCTION + 8, 2)
    program.number(2, accounts)
    program.store64(10, _INSTRUCTION + 16, 2)
    program.move(2, 8, 2)
    program.store64(10, _INSTRUCTION + 24, 2)
    program.move(2, 6, -2)
    program.store64(10, _INSTRUCTION + 32, 2)


def _seeds(program: Assembly) -> None:
    """The one signer: the event authority, by its name and by the bump that the payload's second byte is."""
    for at in range(0, 16, 4):
        program.store32_number(10, _SEED + at, int.from_bytes(EVENT_AUTHORITY_SEED[at : at + 4], "little"))
    program.store8_number(10, _SEED + 16, EVENT_AUTHORITY_SEED[16])
    program.move(2, 10, _SEED)
    program.store64(10, _SEEDS, 2)
    program.number(2, len(EVENT_AUTHORITY_SEED))
    program.store64(10, _SEEDS + 8, 2)
    program.move(2, 8, 1)
    program.store64(10, _SEEDS + 16, 2)
    program.number(2, 1)
    program.store64(10, _SEEDS + 24, 2)
    program.move(2, 10, _SEEDS)
    program.store64(10, _SIGNER, 2)
    program.number(2, 2)
    program.store64(10, _SIGNER + 8, 2)


def _invoke_signed(program: Assembly, *, signers: int) -> None:
    program.move(1, 10, _INSTRUCTION)
    program.move(2, 10, _INFOS)
    program.load64(3, 10, _ACCOUNT_COUNT)
    program.move(4, 10, _SIGNER)
    program.number(5, signers)
    program.call("sol_invoke_signed_c")
    program.jump("next")
