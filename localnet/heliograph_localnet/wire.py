"""Wire transactions: a draft becomes the bytes a client would have sent, and back. Values in, values out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.message import (
    Message,
    MessageAddressTableLookup,
    MessageHeader,
    MessageV0,
    MessageV1,
    TransactionConfig,
    VersionedMessage,
)
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from heliograph_localnet.draft import Draft, Version


class Wired(msgspec.Struct, frozen=True, gc=False):
    """keys: every account the transaction loads, static first, then from lookup tables (writable first)."""

    wire: bytes
    signature: str
    signatures: int
    version: Version
    keys: tuple[str, ...]
    loaded_writable: tuple[str, ...] = ()
    loaded_readonly: tuple[str, ...] = ()


def derive(kind: str, *parts: object) -> bytes:
    """64 bytes that look random and depend on nothing but the arguments."""
    text = "\0".join((kind, *map(str, parts)))
    return hashlib.sha512(text.encode()).digest()


def build(draft: Draft, blockhash: str, seed: int, serial: int) -> Wired:
    """A valid message of the draft's version; its signatures derive from seed and serial, and no key verifies them."""
    signers = tuple(dict.fromkeys((draft.fee_payer, *draft.signers)))
    static, loaded_writable, loaded_readonly, readonly = _arrange(draft, signers)
    keys = (*static, *loaded_writable, *loaded_readonly)
    place = {address: at for at, address in enumerate(keys)}
    instructions = [
        CompiledInstruction(place[i.program], i.data, bytes(place[address] for address in i.accounts))
        for i in draft.instructions
    ]
    header = MessageHeader(len(signers), 0, readonly)
    accounts = [Pubkey.from_string(address) for address in static]
    recent = Hash.from_string(blockhash)
    message: VersionedMessage
    if draft.version == "legacy":
        message = Message.new_with_compiled_instructions(
            header.num_required_signatures,
            header.num_readonly_signed_accounts,
            header.num_readonly_unsigned_accounts,
            accounts,
            recent,
            instructions,
        )
    elif draft.version == "0":
        lookups = []
        if draft.loaded:
            table = Pubkey.from_bytes(derive("table", seed, draft.loaded)[:32])
            count = len(loaded_writable)
            last = count + len(loaded_readonly)
            lookups = [MessageAddressTableLookup(table, bytes(range(count)), bytes(range(count, last)))]
        message = MessageV0(header, accounts, recent, instructions, lookups)
    else:
        config = TransactionConfig(
            priority_fee=draft.priority_fee or None, compute_unit_limit=max(draft.compute_units, 200_000)
        )
        message = MessageV1(header, config, recent, accounts, instructions)
    signatures = [Signature.from_bytes(derive("signature", seed, serial, at)) for at in range(len(signers))]
    wire = bytes(VersionedTransaction.populate(message, signatures))
    return Wired(
        wire, str(signatures[0]), len(signers), draft.version, keys, loaded_writable, loaded_readonly
    )


def read(draft: Draft, wire: bytes) -> Wired:
    """The same of a transaction that a client made. Raises ValueError for bytes that are none."""
    transaction = VersionedTransaction.from_bytes(wire)
    message = transaction.message
    static = tuple(map(str, message.account_keys))
    version: Version = "legacy"
    writable: tuple[str, ...] = ()
    readonly: tuple[str, ...] = ()
    if isinstance(message, MessageV0):
        version = "0"
        count = sum(len(lookup.writable_indexes) for lookup in message.address_table_lookups)
        writable, readonly = draft.loaded[:count], draft.loaded[count:]
    elif isinstance(message, MessageV1):
        version = "1"
    return Wired(
        wire,
        str(transaction.signatures[0]),
        len(transaction.signatures),
        version,
        (*static, *writable, *readonly),
        writable,
        readonly,
    )


def _arrange(
    draft: Draft, signers: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], int]:
    """Static keys in message order, loaded writable, loaded readonly, and how many static ones are readonly."""
    if draft.loaded and draft.version != "0":
        raise ValueError(f"only version 0 has lookup tables; this draft is version {draft.version}")
    programs = {instruction.program for instruction in draft.instructions}
    loaded = dict.fromkeys(address for address in draft.loaded if address not in programs)
    mentioned = dict.fromkeys(_mentioned(draft))
    for address in signers:
        mentioned.pop(address, None)
        loaded.pop(address, None)
    for address in loaded:
        mentioned.pop(address, None)
    writable = [address for address in mentioned if address in draft.writes]
    readonly = [address for address in mentioned if address not in draft.writes]
    return (
        (*signers, *writable, *readonly),
        tuple(address for address in loaded if address in draft.writes),
        tuple(address for address in loaded if address not in draft.writes),
        len(readonly),
    )


def _mentioned(draft: Draft) -> Iterable[str]:
    yield from draft.writes
    for instruction in draft.instructions:
        yield from instruction.accounts
        for inner in instruction.inner:
            yield from inner.accounts
            yield inner.program
        yield instruction.program
