"""Drafts become transactions that solders reads back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from solders.message import MessageV0, MessageV1
from solders.transaction import VersionedTransaction

from heliograph_localnet import wire
from heliograph_localnet.draft import AccountData, Draft

BLOCKHASH = "11111111111111111111111111111111"


@pytest.mark.parametrize("version", ["legacy", "0", "1"])
def test_the_wire_is_a_valid_transaction_of_its_version(
    version: str, make_draft: Callable[..., Draft], address: Callable[[str], str]
) -> None:
    draft = make_draft(version=version, signers=(address("cosigner"),), priority_fee=77)
    wired = wire.build(draft, BLOCKHASH, 1, 0)
    transaction = VersionedTransaction.from_bytes(wired.wire)
    transaction.sanitize()
    assert str(transaction.signatures[0]) == wired.signature
    assert len(transaction.signatures) == wired.signatures == 2
    assert wired.keys == tuple(map(str, transaction.message.account_keys))
    assert wired.keys[:2] == (address("payer"), address("cosigner"))
    instruction = transaction.message.instructions[0]
    assert wired.keys[instruction.program_id_index] == address("program")
    assert [wired.keys[at] for at in instruction.accounts] == [address("payer"), address("market")]
    if isinstance(transaction.message, MessageV1):
        assert transaction.message.config.priority_fee == 77
    assert wire.read(draft, wired.wire) == wired


def test_written_accounts_are_writable_and_the_others_not(
    make_draft: Callable[..., Draft], address: Callable[[str], str]
) -> None:
    written = AccountData(address("program"), 1)
    draft = make_draft(accounts=("oracle", "market"), writes={"market": written})
    message = VersionedTransaction.from_bytes(wire.build(draft, BLOCKHASH, 1, 0).wire).message
    keys = list(map(str, message.account_keys))
    readonly = keys[len(keys) - message.header.num_readonly_unsigned_accounts :]
    assert keys[1] == address("market")
    assert set(readonly) == {address("oracle"), address("program")}


def test_loaded_accounts_come_after_the_static_ones(
    make_draft: Callable[..., Draft], address: Callable[[str], str]
) -> None:
    draft = make_draft(
        accounts=("oracle", "market"),
        writes={"market": AccountData(address("program"), 1)},
        version="0",
        loaded=(address("oracle"), address("market")),
    )
    wired = wire.build(draft, BLOCKHASH, 1, 0)
    message = VersionedTransaction.from_bytes(wired.wire).message
    assert isinstance(message, MessageV0)
    assert wired.keys == (address("payer"), address("program"), address("market"), address("oracle"))
    assert (wired.loaded_writable, wired.loaded_readonly) == ((address("market"),), (address("oracle"),))
    lookup = message.address_table_lookups[0]
    assert (lookup.writable_indexes, lookup.readonly_indexes) == (b"\0", b"\x01")


def test_only_version_0_has_lookup_tables(
    make_draft: Callable[..., Any], address: Callable[[str], str]
) -> None:
    with pytest.raises(ValueError, match="version 1"):
        wire.build(make_draft(version="1", loaded=(address("market"),)), BLOCKHASH, 1, 0)


def test_signatures_depend_on_seed_and_serial_alone(make_draft: Callable[..., Draft]) -> None:
    first = wire.build(make_draft(), BLOCKHASH, 1, 0)
    assert wire.build(make_draft(), BLOCKHASH, 1, 0) == first
    assert wire.build(make_draft(), BLOCKHASH, 1, 1).signature != first.signature
    assert wire.build(make_draft(), BLOCKHASH, 2, 0).signature != first.signature
