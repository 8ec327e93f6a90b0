"""From decoded slots to canonical rows. Pure; a projection that fails on one event costs that event alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from heliograph_core.account import AccountState
from heliograph_core.event import Channel, Event, EventKey, RawEvent, Undecoded
from heliograph_core.instruction import ACCOUNT_PREFIX, InstructionCall
from heliograph_core.records import EventRecord, Holding, PositionChange, Record, State
from heliograph_indexer.decode import DecodedSlot, DecodedTransaction
from heliograph_indexer.protocol import Protocol, reads_instructions
from heliograph_sql.batch import Incident

IDL_INSTRUCTION = bytes.fromhex("40f4bc78a7e9690a")
"""Begins Anchor's own instructions about the IDL that a program keeps on the chain; no IDL tells of them."""
IDL_ACCOUNT = bytes.fromhex("184662bf3a907b9e")
"""Begins the account that Anchor keeps it in."""


class Projected(msgspec.Struct, frozen=True, gc=False):
    """What some slots mean, in chain order.

    undecoded: what no layout fits and what the protocol could not project. incidents: one a kind of trouble, with
    how often it happened and where first, so that a wrong layout cannot flood the table.
    """

    records: list[Record]
    states: list[State]
    undecoded: list[Undecoded]
    incidents: list[Incident]


class ProjectedAccounts(msgspec.Struct, frozen=True, gc=False):
    """What some accounts mean. understood: addresses of those of which `states` has every position that they hold;

    an account that no layout reads, or that could not be projected, is not among them: what it holds is not known.
    """

    states: list[State | Holding]
    understood: frozenset[str]
    incidents: list[Incident]


def project_slots(stream: str, slots: Iterable[DecodedSlot], protocol: Protocol) -> Projected:
    """Records and states of every event, in chain order."""
    records: list[Record] = []
    states: list[State] = []
    undecoded: list[Undecoded] = []
    tally = _Tally()
    for slot in slots:
        number = slot.slot.number
        for transaction in slot.transactions:
            signature = transaction.transaction.signature
            if transaction.truncated and not transaction.transaction.failed:
                tally.add("log_truncated", "", number, {"signature": signature})
            for choice in transaction.choices:
                tally.add(
                    "idl_choice", choice.name, number, {"signature": signature, "reason": choice.reason}
                )
            for lost in transaction.undecoded:
                undecoded.append(lost)
                tally.add("undecoded", lost.data[:8].hex(), number, _place(lost))
            said: list[Record | State] = []
            for event, raw in zip(transaction.events, transaction.raw, strict=True):
                try:
                    made = list(protocol.project(stream, event))
                except Exception as error:  # noqa: BLE001  a protocol's slip must not stop the stream
                    unprojected = _unprojected(event, raw, error)
                    undecoded.append(unprojected)
                    tally.add("not_projected", event.name, number, _place(unprojected))
                    continue
                said += made
            said += _of_instructions(stream, transaction, said, protocol, undecoded, tally)
            for record in said:
                if isinstance(record, EventRecord):
                    records.append(record)
                else:
                    states.append(record)
    return Projected(records, states, undecoded, tally.incidents())


def _of_instructions(
    stream: str,
    transaction: DecodedTransaction,
    said: Sequence[Record | State],
    protocol: Protocol,
    undecoded: list[Undecoded],
    tally: _Tally,
) -> list[Record | State]:
    """What the transaction's instructions mean, but for positions of which its events said how they changed."""
    if not transaction.calls or not reads_instructions(protocol):
        return []
    told = {record.position_key for record in said if isinstance(record, PositionChange)}
    found: list[Record | State] = []
    for call in transaction.calls:
        if call.name is None:
            if not call.failed and not call.data.startswith(IDL_INSTRUCTION):
                lost = undecoded_call(call, call.reason or "no layout fits")
                undecoded.append(lost)
                tally.add("undecoded", call.data[:8].hex(), call.slot, _place(lost))
            continue
        try:
            made = list(protocol.project_instruction(stream, call))
        except Exception as error:  # noqa: BLE001  a protocol's slip must not stop the stream
            lost = undecoded_call(call, f"{call.name} cannot be projected: {_why(error)}")
            undecoded.append(lost)
            tally.add("not_projected", call.name, call.slot, _place(lost))
            continue
        found += [
            record
            for record in made
            if not (isinstance(record, PositionChange) and record.position_key in told)
        ]
    return found


def undecoded_call(call: InstructionCall, reason: str) -> Undecoded:
    """The instruction as it is kept until something reads it."""
    key = EventKey(call.block_time, call.slot, call.tx_index, call.ordinal, call.signature)
    given = [address for name, address in call.fields.items() if name.startswith(ACCOUNT_PREFIX)]
    # An optional account that was left out was given as the program's own address.
    accounts = (*(address or call.program for address in given), *call.others)
    return Undecoded(key, call.program, Channel.INSTRUCTION, call.data, reason, call.caller, accounts)


def project_accounts(stream: str, accounts: Iterable[AccountState], protocol: Protocol) -> ProjectedAccounts:
    """The state records of accounts, and what could not be read or projected."""
    states: list[State | Holding] = []
    understood: set[str] = set()
    tally = _Tally()
    for account in accounts:
        detail: dict[str, object] = {"address": account.address, "name": account.name}
        if account.name is None:
            if account.lamports and not account.data.startswith(IDL_ACCOUNT):
                tally.add(
                    "account_undecoded",
                    account.data[:8].hex(),
                    account.slot,
                    {**detail, "reason": account.reason},
                )
            elif not account.lamports:
                understood.add(account.address)
            continue
        try:
            states.extend(list(protocol.project_account(stream, account)))
        except Exception as error:  # noqa: BLE001  a protocol's slip must not stop the stream
            tally.add("account_not_projected", account.name, account.slot, {**detail, "reason": _why(error)})
        else:
            understood.add(account.address)
    return ProjectedAccounts(states, frozenset(understood), tally.incidents())


class _Tally:
    """Counts troubles by kind and subject; keeps the first of each."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], tuple[int, dict[str, object]]] = {}
        self._count: dict[tuple[str, str], int] = {}

    def add(self, kind: str, subject: str, slot: int, detail: dict[str, object]) -> None:
        self._first.setdefault((kind, subject), (slot, detail))
        self._count[kind, subject] = self._count.get((kind, subject), 0) + 1

    def incidents(self) -> list[Incident]:
        return [
            Incident(
                kind=kind,
                slot=slot,
                detail={**detail, "subject": subject, "count": self._count[kind, subject]},
            )
            for (kind, subject), (slot, detail) in self._first.items()
        ]


def _unprojected(event: Event, raw: RawEvent, error: Exception) -> Undecoded:
    reason = f"{event.name} cannot be projected: {_why(error)}"
    return Undecoded(event.key, event.program, event.channel, raw.data, reason, event.caller)


def _place(undecoded: Undecoded) -> dict[str, object]:
    return {
        "signature": undecoded.key.signature,
        "ordinal": undecoded.key.ordinal,
        "program": undecoded.program,
        "reason": undecoded.reason,
    }


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
