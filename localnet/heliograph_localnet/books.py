"""The expected rows of a scenario: what its acts stated, each at the place that the chain gave it.

Nothing here reads a log. The chain tells which transactions stand and where; the statements say the rest. A table is a
list of dicts with the columns of heliograph_core.records: Decimal, int, str, bool, None; times in unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from heliograph_localnet.act import Act, Stated
from heliograph_localnet.block import Block, Executed
from heliograph_localnet.chain_event import ChainEvent, Forked, Processed

Rows = list[dict[str, Any]]
Tables = dict[str, Rows]

TABLES = (
    "perps.position_changes",
    "perps.trades",
    "perps.funding_rates",
    "perps.funding_payments",
    "perps.liquidations",
    "perps.oracle_prices",
    "perps.transfers",
    "perps.markets",
    "perps.positions",
    "perps.balances",
    "heliograph.transactions",
)
_STATES = {
    "perps.markets": ("market",),
    "perps.positions": ("position_key", "lifecycle"),
    "perps.balances": ("wallet", "asset", "sub_account"),
}
"""Tables of which a later statement changes an earlier row, and what names the row."""


_UNSAID: dict[str, dict[str, Any]] = {
    "perps.balances": {"sub_account": ""},
    "perps.liquidations": {"kind": "perp"},
    "perps.position_changes": {"settled_pnl": Decimal(0)},
    "perps.transfers": {"sub_account": None},
}
"""Columns of which most programs say nothing, and what stands there then."""


class Books:
    """Listens to a chain (`chain.listen(books.follow)`) and is told of each act as it lands."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self._told: dict[str, Act] = {}
        self._blocks: dict[int, Block] = {}

    def tell(self, signature: str, act: Act) -> None:
        """A transaction that mentions a program of the stream."""
        self._told[signature] = act

    def follow(self, event: ChainEvent) -> None:
        if isinstance(event, Processed):
            self._blocks[event.block.slot] = event.block
        elif isinstance(event, Forked):
            for block in event.blocks:
                self._blocks.pop(block.slot, None)

    def rows(self, last: int | None = None, known: Callable[[Stated], bool] = lambda stated: True) -> Tables:
        """Table -> rows of the blocks through slot `last` (default: all), in chain order; state tables: in the order in which their objects began.

        known: whether whoever listens can read what says a statement; what it cannot is left out.
        """
        tables: Tables = {table: [] for table in TABLES}
        states: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {table: {} for table in _STATES}
        for block, executed, act in self._landed(last):
            key = self._key(block, executed)
            tables["heliograph.transactions"].append({**key, "err": executed.err})
            if executed.err is not None:
                continue
            for stated in act.stated:
                if not known(stated):
                    continue
                place = {**key, "ordinal": stated.ordinal, "program": stated.program}
                stated = _placed(stated, place)
                if stated.table in _STATES:
                    said = {**_UNSAID.get(stated.table, {}), **stated.row}
                    named = tuple(said[column] for column in _STATES[stated.table])
                    row = states[stated.table].setdefault(named, {})
                    row.update(_STATEMENTS[stated.table](row, stated, place))
                else:
                    tables[stated.table].append(
                        {"part": 0, **place, **_UNSAID.get(stated.table, {}), **stated.row}
                    )
        for table, rows in states.items():
            tables[table] = list(rows.values())
        return tables

    def _landed(self, last: int | None) -> Iterator[tuple[Block, Executed, Act]]:
        for slot in sorted(self._blocks):
            if last is not None and slot > last:
                return
            for executed in self._blocks[slot].transactions:
                if executed.signature in self._told:
                    yield self._blocks[slot], executed, self._told[executed.signature]

    def _key(self, block: Block, executed: Executed) -> dict[str, Any]:
        return {
            "stream": self.stream,
            "block_time": block.time,
            "slot": block.slot,
            "tx_index": executed.index,
            "signature": executed.signature,
        }


def _placed(stated: Stated, place: dict[str, Any]) -> Stated:
    row = {column: value(place) if callable(value) else value for column, value in stated.row.items()}
    return msgspec.structs.replace(stated, row=row)


def _market(was: dict[str, Any], stated: Stated, place: dict[str, Any]) -> dict[str, Any]:
    """created_*: of the transaction that stated it first, unless the statement says."""
    begun = {"created_slot": place["slot"], "created_at": place["block_time"]} if not was else {}
    said_of_account = {"account_slot": place["slot"]} if stated.ordinal is None else {}
    return {"stream": place["stream"], "program": stated.program, **begun, **said_of_account, **stated.row}


def _balance(was: dict[str, Any], stated: Stated, place: dict[str, Any]) -> dict[str, Any]:
    return {"stream": place["stream"], **_updated(place), **_UNSAID["perps.balances"], **stated.row}


def _position(was: dict[str, Any], stated: Stated, place: dict[str, Any]) -> dict[str, Any]:
    """A lifecycle: begun by its first statement, ended by the one that says so."""
    begun = (
        {
            "opened_at": place["block_time"],
            "opened_slot": place["slot"],
            "opened_tx_index": place["tx_index"],
            "opened_ordinal": place["ordinal"],
        }
        if not was
        else {}
    )
    ended = stated.row["status"] != "open"
    return {
        "stream": place["stream"],
        "program": stated.program,
        "changes": was.get("changes", 0) + 1,
        # What is settled after the close closes nothing.
        "closed_at": was.get("closed_at") or (place["block_time"] if ended else None),
        "closed_slot": was.get("closed_slot") or (place["slot"] if ended else None),
        "complete": True,
        "settled": True,
        "entry_quote": None,
        "settled_pnl": Decimal(0),
        **begun,
        **_updated(place),
        **stated.row,
    }


def _updated(place: dict[str, Any]) -> dict[str, Any]:
    return {
        "updated_at": place["block_time"],
        "updated_slot": place["slot"],
        "updated_tx_index": place["tx_index"],
        "updated_ordinal": place["ordinal"],
    }


_STATEMENTS: dict[str, Callable[[dict[str, Any], Stated, dict[str, Any]], dict[str, Any]]] = {
    "perps.markets": _market,
    "perps.positions": _position,
    "perps.balances": _balance,
}
