"""The expected rows of every table, stated from the exchange's books; what the indexer is judged by.

Nothing here decodes a log or knows the projection. Each transaction's facts are kept with the ordinals at which they
were said; the chain tells which transactions survive and where they stand; rows are stated from both. A table is
a list of dicts with the columns of heliograph_core.records: Decimal, int, str, bool, None; times in unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from heliograph_core.amounts import scaled
from heliograph_localnet.block import Block, Executed
from heliograph_localnet.chain import ChainEvent, Forked, Processed
from heliograph_localnet.encoding import Speech
from heliograph_localnet.exchange.facts import (
    CollateralDeposited,
    CollateralLocked,
    CollateralReleased,
    CollateralWithdrawn,
    Fact,
    MarketCreated,
)
from heliograph_localnet.exchange.market import Market
from heliograph_localnet.lifecycles import Lifecycles
from heliograph_localnet.statements import (
    BASE,
    QUOTE,
    RATE,
    Place,
    Row,
    market_row,
    price_or_none,
    statements,
)
from heliograph_localnet.tape import Said

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
_TRANSFERS = (CollateralDeposited, CollateralWithdrawn, CollateralLocked, CollateralReleased)


class MarketView(msgspec.Struct, frozen=True, gc=False):
    """A market's account as one transaction left it; the programs' integers."""

    address: str
    mark_price: int
    index_price: int
    funding_rate: int
    open_long: int
    open_short: int


def view(market: Market) -> MarketView:
    return MarketView(
        market.address,
        market.mark_price,
        market.index_price,
        market.funding_rate,
        market.open_long,
        market.open_short,
    )


class Told(msgspec.Struct, frozen=True, gc=False):
    """What one transaction said and wrote. candidates: for each ordinal its log line, None for an inner instruction.

    speech: in which layouts, None for those that ship with us.
    """

    said: tuple[Said, ...] = ()
    views: tuple[MarketView, ...] = ()
    candidates: tuple[int | None, ...] = ()
    speech: Speech | None = None


class _Landed(msgspec.Struct, frozen=True, gc=False):
    signature: str
    index: int
    err: object | None
    lost: frozenset[int]


class Truth:
    """Listens to a chain (`chain.listen(truth.follow)`) and is told of each transaction before it lands."""

    def __init__(self, stream: str, *, keep: bool = True) -> None:
        """keep: False forgets all it is told, for a run that nobody judges and that may go on for days."""
        self.stream = stream
        self._keep = keep
        self._told: dict[str, Told] = {}
        self._blocks: dict[int, tuple[int, tuple[_Landed, ...]]] = {}

    def tell(self, signature: str, told: Told) -> None:
        """A transaction that mentions a program of the stream; of a re-executed one the latest word counts."""
        if self._keep:
            self._told[signature] = told

    def follow(self, event: ChainEvent) -> None:
        if not self._keep:
            return
        if isinstance(event, Processed):
            self._blocks[event.block.slot] = (event.block.time, _landed(event.block))
        elif isinstance(event, Forked):
            for block in event.blocks:
                self._blocks.pop(block.slot, None)

    def rows(self, last: int | None = None) -> dict[str, list[Row]]:
        """Table -> rows, in chain order (state tables: in the order in which their objects began).

        last: only blocks up to and including this slot. Raises ValueError where nothing was kept.
        """
        if not self._keep:
            raise ValueError(f"the truth of {self.stream} was not kept: run with keep_truth")
        tables: dict[str, list[Row]] = {table: [] for table in TABLES}
        markets: dict[str, Row] = {}
        balances: dict[tuple[str, str], Row] = {}
        lifecycles = Lifecycles()
        for time, slot, landed in self._survivors(last):
            told = self._told[landed.signature]
            tables["heliograph.transactions"].append(self._transaction(time, slot, landed))
            for said, ordinal in _heard(told, landed.lost):
                place = Place(self.stream, time, slot, landed.index, ordinal, landed.signature, said.program)
                for table, row in statements(said.fact, place):
                    tables[table].append(row)
                lifecycles.add(said.fact, place)
                if isinstance(said.fact, MarketCreated):
                    markets[said.fact.market] = market_row(said.fact, place)
                elif isinstance(said.fact, _TRANSFERS):
                    balances[said.fact.wallet, said.fact.mint] = _balance(said.fact, place)
            for seen in told.views:
                if seen.address in markets:
                    markets[seen.address].update(_market_state(seen, slot))
        tables["perps.markets"] = list(markets.values())
        tables["perps.positions"] = lifecycles.rows()
        tables["perps.balances"] = list(balances.values())
        return tables

    def block_rows(self, block: Block) -> dict[str, list[Row]]:
        """Table -> rows of one block, whether it still stands or not: transactions, event-like rows, and events.

        An event's row, in `<stream>.<event>`, is its place alone. To be asked before a fork executes the block's
        transactions again.
        """
        tables: dict[str, list[Row]] = {}
        for landed in _landed(block):
            told = self._told.get(landed.signature)
            if told is None:
                continue
            row = self._transaction(block.time, block.slot, landed)
            tables.setdefault("heliograph.transactions", []).append(row)
            for said, ordinal in _heard(told, landed.lost):
                place = Place(
                    self.stream,
                    block.time,
                    block.slot,
                    landed.index,
                    ordinal,
                    landed.signature,
                    said.program,
                )
                for table, row in statements(said.fact, place):
                    tables.setdefault(table, []).append(row)
                event = f"{self.stream}.{_snake(type(said.fact).__name__)}"
                tables.setdefault(event, []).append(_event(place))
        return tables

    def _transaction(self, time: int, slot: int, landed: _Landed) -> Row:
        return {
            "stream": self.stream,
            "block_time": time,
            "slot": slot,
            "tx_index": landed.index,
            "signature": landed.signature,
            "err": landed.err,
        }

    def _survivors(self, last: int | None) -> Iterator[tuple[int, int, _Landed]]:
        for slot in sorted(self._blocks):
            if last is not None and slot > last:
                return
            time, transactions = self._blocks[slot]
            for landed in transactions:
                if landed.signature in self._told:
                    yield time, slot, landed


def _landed(block: Block) -> tuple[_Landed, ...]:
    def place(executed: Executed) -> _Landed:
        return _Landed(executed.signature, executed.index, executed.err, executed.lost)

    return tuple(map(place, block.transactions))


def _heard(told: Told, lost: frozenset[int]) -> Iterator[tuple[Said, int]]:
    """Facts that can still be known, and read, with their ordinals."""
    for said, ordinal in _placed(told, lost):
        if told.speech is None or told.speech.reads(said.fact):
            yield said, ordinal


def _placed(told: Told, lost: frozenset[int]) -> Iterator[tuple[Said, int]]:
    """Facts that are left, with their ordinals.

    Where the node cut the log, its lines and the inner instructions cannot be put into one order any more: the lines
    that are left count first, the inner instructions after them. Behind the cut nobody can say whose a line is.
    """
    if not lost:
        yield from ((said, said.ordinal) for said in told.said)
        return
    cut = min(lost)
    lines = [at for at, line in enumerate(told.candidates) if line is not None and line not in lost]
    inner = [at for at, line in enumerate(told.candidates) if line is None]
    new = {old: at for at, old in enumerate((*lines, *inner))}
    heard = [(said, new[said.ordinal]) for said in told.said if said.line is None or said.line < cut]
    yield from sorted(heard, key=lambda pair: pair[1])


def _event(place: Place) -> Row:
    return {
        "block_time": place.block_time,
        "slot": place.slot,
        "tx_index": place.tx_index,
        "ordinal": place.ordinal,
        "signature": place.signature,
        "program": place.program,
    }


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name).removeprefix("_")


def _balance(fact: Fact, place: Place) -> Row:
    assert isinstance(fact, _TRANSFERS)
    return {
        "stream": place.stream,
        "wallet": fact.wallet,
        "asset": fact.mint,
        "free": scaled(fact.free_after, QUOTE),
        "locked": scaled(fact.locked_after, QUOTE),
        "updated_at": place.block_time,
        "updated_slot": place.slot,
        "updated_tx_index": place.tx_index,
        "updated_ordinal": place.ordinal,
        "sub_account": "",
    }


def _market_state(seen: MarketView, slot: int) -> Row:
    return {
        "account_slot": slot,
        "mark_price": price_or_none(seen.mark_price),
        "index_price": price_or_none(seen.index_price),
        "funding_rate": scaled(seen.funding_rate, RATE),
        "open_interest_long": scaled(seen.open_long, BASE),
        "open_interest_short": scaled(seen.open_short, BASE),
        "borrow_rate": None,
    }
