"""A program's IDL on the chain, where Anchor before 1.0 keeps it."""

from __future__ import annotations

import struct
import zlib

from solders.pubkey import Pubkey

from heliograph_localnet.addresses import idl_address
from heliograph_localnet.draft import Draft
from heliograph_localnet.encoding import owned
from heliograph_localnet.tape import Tape

_IDL_ACCOUNT = bytes.fromhex("184662bf3a907b9e")
"""Discriminator of Anchor's IdlAccount."""
_IDL_INSTRUCTION = bytes.fromhex("40f4bc78a7e9690a")


def deploy_idl(program: str, document: bytes, by: str) -> Draft:
    """The transaction that puts it there, or another in its place: compressed, behind its authority."""
    address = idl_address(program)
    packed = zlib.compress(document, 9)
    data = _IDL_ACCOUNT + bytes(Pubkey.from_string(by)) + struct.pack("<I", len(packed)) + packed
    tape = Tape(200_000)
    tape.enter(program, (by, address), _IDL_INSTRUCTION + b"\x00")
    tape.log("Instruction: IdlCreateAccount")
    tape.leave()
    return Draft(
        fee_payer=by,
        instructions=tuple(tape.instructions),
        logs=tuple(tape.logs),
        compute_units=tape.consumed,
        writes={address: owned(program, data)},
    )
