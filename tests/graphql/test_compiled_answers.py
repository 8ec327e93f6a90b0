"""Compiled answers equal those of plain Strawberry resolvers over rows in memory, for random operations.

The resolvers here share nothing with the compiler but the entities' descriptions: they filter, sort and page in Python.
"""

from __future__ import annotations

import base64
import functools
import json
import operator
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cmp_to_key
from types import SimpleNamespace
from typing import Any

from strawberry.types.unset import UNSET

from heliograph_core.amounts import EXACT, quotient
from heliograph_core.cursor import decode_keyset, encode_keyset
from heliograph_core.intervals import SlotSet
from heliograph_graphql.entities import load_catalog
from heliograph_graphql.entity import Catalog, Choice, Entity, Field, Kind, Relation
from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.node_id import encode_id
from heliograph_graphql.plan import BUCKET
from heliograph_graphql.schema import build_schema
from heliograph_graphql.settings import ApiSettings
from heliograph_graphql.sql import Statement
from heliograph_graphql.windows import Windows

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Row = dict[str, Any]
COMPARE = {
    "gt_": operator.gt,
    "gte_": operator.ge,
    "lt_": operator.lt,
    "lte_": operator.le,
    "eq_": operator.eq,
}


@dataclass
class World:
    """Every row of a small, random database."""

    rows: dict[str, list[Row]]
    covered: dict[str, SlotSet]
    streams: dict[str, Row]
    block_times: dict[str, dict[int, datetime]]


def key_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value - EPOCH) // MICROSECOND
    return format(value, "f") if isinstance(value, Decimal) else value


def conjuncts(where: Any) -> Iterator[dict[str, Any]]:
    """The filter's levels that must hold: itself, and what `and` holds, however deep."""
    if where in (None, UNSET):
        return
    given = vars(where)
    yield given
    for name in ("and", "and_"):
        for inner in given.get(name) or ():
            yield from conjuncts(inner)


class Plain:
    """Resolvers over rows in memory."""

    def __init__(self, catalog: Catalog, world: World) -> None:
        self.catalog = catalog
        self.world = world

    # -- what the schema asks

    def page(self, entity: Entity, relation: Relation | None, parent: Any, info: Any, arguments: Row) -> Any:
        first = 50 if arguments["first"] in (None, UNSET) else arguments["first"]
        where = arguments.get("where")
        related = self.related(entity, relation, parent, arguments)
        matching = [row for row in related if self.matches(entity, row, where)]
        order = self.order(entity, arguments.get("orderBy"))
        name = entity.name + ":" + ",".join(("-" if down else "") + column for column, down in order)
        rows = list(matching)
        rows.sort(key=cmp_to_key(lambda a, b: compare(a, b, order)))
        total = len(rows)
        after = arguments["after"] or None
        if after is not None:
            values = decode_keyset(after, name)
            rows = [row for row in rows if behind(row, values, order)]
        page = rows[:first]
        nodes = [self.object(entity, row, info) for row in page]
        cursors = [encode_keyset(name, [key_value(row[column]) for column, _ in order]) for row in page]
        info_ = SimpleNamespace(
            has_next_page=len(rows) > first,
            has_previous_page=after is not None,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )
        streams = self.asked(entity, parent, where)
        if parent is None and arguments.get("stream") not in (None, UNSET):
            streams = [name for name in streams if name == arguments["stream"]]
        return SimpleNamespace(
            nodes=nodes,
            edges=[SimpleNamespace(cursor=c, node=n) for c, n in zip(cursors, nodes, strict=True)],
            pageInfo=info_,
            totalCount=total,
            completeThrough=self.complete_through(streams),
            coverage=self.coverage(self.ranges(entity, streams, where), self.settled(streams, where)),
            all_rows=matching,
        )

    def aggregates(self, entity: Entity, page: Any, info: Any, arguments: Row) -> Any:
        by = [item.value for item in arguments["by"] or ()]
        span = None if arguments["bucket"] in (None, UNSET) else BUCKET_SECONDS[arguments["bucket"].value]
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in page.all_rows:
            key = [row[name] for name in by]
            if span is not None:
                key.insert(0, BUCKET_ORIGIN + (row[entity.key[0]] - BUCKET_ORIGIN) // span * span)
            groups.setdefault(tuple(key), []).append(row)
        if not by and span is None:
            groups.setdefault((), [])
        names = [*([BUCKET] if span is not None else []), *by]
        made = [self.group(entity, dict(zip(names, key, strict=True)), rows) for key, rows in groups.items()]
        order = [(name, False) for name in names]
        if arguments["orderBy"] not in (None, UNSET):
            ((measure, asked),) = [(n, v) for n, v in vars(arguments["orderBy"]).items() if v is not UNSET]
            path: tuple[str, ...] = (measure,)
            if not hasattr(asked, "value"):
                ((field, asked),) = [(n, v) for n, v in vars(asked).items() if v is not UNSET]
                path = (measure, field)
            for one in made if measure != BUCKET else ():
                figure = getattr(one, path[0])
                one.sorted["\0"] = figure if len(path) == 1 else getattr(figure, path[1])
            order.insert(0, (BUCKET if measure == BUCKET else "\0", asked.value == "DESC"))

        def by_order(a: Any, b: Any) -> int:
            return compare(a.sorted, b.sorted, order)

        made.sort(key=cmp_to_key(by_order))
        first = 100 if arguments["first"] in (None, UNSET) else arguments["first"]
        return SimpleNamespace(groups=made[:first], hasMore=len(made) > first)

    def group(self, entity: Entity, key: Row, rows: list[Row]) -> Any:
        shown: Row = {field.key: key.get(field.name) for field in entity.fields if field.can_group}
        shown[BUCKET] = key.get(BUCKET)
        shown["marketSymbol"] = MARKETS.get(key["market"]) if "market" in key else None
        if shown["marketSymbol"] is not None:
            here = {"stream": key["stream"]} if "stream" in key else {}
            known = self.find("perps.markets", market=key["market"], **here)
            shown["marketSymbol"] = known[0]["symbol"] if known else None
        figures: dict[str, Row] = {"sum": {}, "avg": {}, "min": {}, "max": {}, "known": {}}
        for field in entity.fields:
            if field.fragment is not None:
                continue
            values = [row[field.name] for row in rows if row[field.name] is not None]
            if field.type in (Kind.DECIMAL, Kind.BIGINT, Kind.INT):
                total = functools.reduce(EXACT.add, map(Decimal, values), Decimal(0))
                figures["sum"][field.key] = total if values else None
                figures["avg"][field.key] = quotient(total, len(values)) if values else None
                figures["known"][field.key] = len(values)
            if field.type in (Kind.DECIMAL, Kind.BIGINT, Kind.INT, Kind.SLOT, Kind.TIME):
                figures["min"][field.key] = min(values, default=None)
                figures["max"][field.key] = max(values, default=None)
        told = {name: SimpleNamespace(**values) for name, values in figures.items()}
        return SimpleNamespace(key=SimpleNamespace(**shown), count=len(rows), sorted=dict(key), **told)

    def row(self, entity: Entity, relation: Relation | None, parent: Any, info: Any, arguments: Row) -> Any:
        given = {key: value for key, value in arguments.items() if value not in (UNSET, None)}
        rows = self.related(entity, relation, parent, arguments)
        if entity.arguments:
            return self.object(entity, rows[0], info)
        if "id" in given:
            wanted = given.pop("id")
            rows = [row for row in rows if payload(self.identity(entity, row)) == payload(wanted)]
        rows = [
            row for row in rows if all(row[entity.by_key[key].name] == value for key, value in given.items())
        ]
        order = self.order(entity, UNSET)
        rows.sort(key=cmp_to_key(lambda a, b: compare(a, b, order)))
        return self.object(entity, rows[0], info) if rows else None

    def node(self, info: Any, id_: str) -> Any:
        _, (name, *values) = payload(id_)
        entity = self.catalog.by_name[name]
        for row in (
            self.computed(entity, dict(zip(entity.identity, values, strict=True)))
            if entity.arguments
            else self.world.rows[entity.table]
        ):
            if payload(self.identity(entity, row)) == payload(id_):
                return self.object(entity, row, info)
        return None

    # -- rows

    def object(self, entity: Entity, row: Row, info: Any) -> Any:
        cls = info.schema.get_type_by_name(entity.name).origin
        made = cls(**{field.key: self.leaf(entity, field, row) for field in entity.fields})
        made.row = row
        return made

    def leaf(self, entity: Entity, field: Field, row: Row) -> Any:
        if field.fragment is None:
            return row[field.name]
        match field.fragment:
            case "id":
                return self.identity(entity, row)
            case "market_symbol":
                found = self.find("perps.markets", stream=row["stream"], market=row["market"])
                return found[0]["symbol"] if found else None
            case "balance_total":
                return row["free"] + row["locked"]
            case "transaction_failed":
                return row["err"] is not None
            case "position_of_event":
                return self.position_at(row, row["position_key"], chain_key(row), row["side"])
            case "position_of_transfer":
                ordinal = 2**31 if row["kind"] == "lock" else row["ordinal"]
                return self.position_at(row, row["position_key"], (row["slot"], row["tx_index"], ordinal))
            case "taker_position_of_trade" | "maker_position_of_trade" as name:
                return self.position_after_trade(row, row[name.split("_")[0] + "_position_key"])
        raise AssertionError(field.fragment)

    def identity(self, entity: Entity, row: Row) -> str:
        return encode_id(entity.name, [key_value(row[column]) for column in entity.identity])

    def find(self, table: str, **values: Any) -> list[Row]:
        return [
            row for row in self.world.rows[table] if all(row[name] == value for name, value in values.items())
        ]

    def position_at(
        self, row: Row, key: str | None, at: tuple[int, int, int], side: str | None = "any"
    ) -> str | None:
        """side: of an event, which where it opened a life did so on its own side, and else ended the one before; so does one that tells none."""
        lives = [
            p
            for p in self.find("perps.positions", stream=row["stream"], position_key=key)
            if opened(p) < at or (opened(p) == at and side in ("any", p["side"]))
        ]
        return self.identity(self.catalog.by_name["Position"], max(lives, key=opened)) if lives else None

    def position_after_trade(self, trade: Row, key: str | None) -> str | None:
        changes = self.changes_of_trade(trade, key)
        for change in sorted(changes, key=chain_key, reverse=True):
            found = self.position_at(trade, key, chain_key(change))
            if found is not None:
                return found
        return None

    def changes_of_trade(self, trade: Row, key: str | None) -> list[Row]:
        same = {"stream": trade["stream"], "block_time": trade["block_time"], "trade_id": trade["trade_id"]}
        return [] if key is None else self.find("perps.position_changes", position_key=key, **same)

    def computed(self, entity: Entity, asked: Row) -> list[Row]:
        """Rows of an entity that has no table, for stored values of its arguments."""
        if entity.name == "Wallet":
            return [{"address": asked["address"]}]
        if entity.name == "Candle":
            return self.candles(asked)
        assert entity.name == "PnlBucket"
        seconds = BUCKET_SECONDS[asked["resolution"]]
        found: dict[tuple[Any, ...], Row] = {}
        for change in self.find("perps.position_changes", wallet=asked["wallet"]):
            bucket = BUCKET_ORIGIN + (change["block_time"] - BUCKET_ORIGIN) // seconds * seconds
            key = {"stream": change["stream"], "market": change["market"], "wallet": change["wallet"]}
            zeros = {"realized_pnl": Decimal(0), "fees": Decimal(0), "funding": Decimal(0), "net": Decimal(0)}
            row = found.setdefault((*key.values(), bucket), key | zeros | {"bucket": bucket, "changes": 0})
            realized = change["realized_pnl"]
            net = (
                None
                if realized is None
                else EXACT.subtract(EXACT.add(realized, change["funding"]), change["fee"])
            )
            for name, value in (
                ("realized_pnl", realized), ("fees", change["fee"]), ("funding", change["funding"]), ("net", net),
            ):  # fmt: skip
                row[name] = None if row[name] is None or value is None else EXACT.add(row[name], value)
            row["changes"] += 1
        return list(found.values())

    def prices(self, kind: str, market: str, streams: list[str]) -> list[tuple[Row, Decimal]]:
        """Rows that tell one kind of price, in order of the chain."""
        table, column = PRICES[kind]
        found = [
            (row, row[column])
            for row in self.find(table, market=market)
            if row["stream"] in streams and row[column] is not None
        ]
        return sorted(found, key=lambda point: (*chain_key(point[0]), point[0]["part"]))

    def candles(self, asked: Row) -> list[Row]:
        kind, width = asked["price_kind"], CANDLE_WIDTHS[asked["resolution"]]
        since, until, only = (
            None if asked[name] is UNSET else asked[name] for name in ("since", "until", "stream")
        )
        streams = [name for name in STREAMS if only in (None, name)]
        head = max((self.world.streams[name]["head_time"] for name in streams), default=GENESIS)
        zeros = {"volume": Decimal(0), "quote": Decimal(0), "points": 0}
        found: dict[tuple[str, datetime], Row] = {}
        for row, price in self.prices(kind, asked["market_address"], streams):
            bucket = BUCKET_ORIGIN + (row["block_time"] - BUCKET_ORIGIN) // width * width
            names = {"stream": row["stream"], "market": row["market"], "price_kind": kind, "bucket": bucket}
            begun = dict.fromkeys(("open", "high", "low", "close"), price)
            candle = found.setdefault((row["stream"], bucket), names | begun | zeros)
            candle["high"], candle["low"] = max(candle["high"], price), min(candle["low"], price)
            candle["close"] = price
            candle["points"] += 1
            if kind == "trade":
                candle["volume"] = EXACT.add(candle["volume"], row["size"])
                candle["quote"] = EXACT.add(candle["quote"], row["quote"])
        for stream in {stream for stream, _ in found} if asked["fill"] else ():
            bucket = min(at for name, at in found if name == stream)
            last: Row = {}
            while bucket <= head:
                last = found.setdefault((stream, bucket), last)
                carried = dict.fromkeys(("open", "high", "low", "close"), last["close"]) | zeros
                bucket += width
                last = last | carried | {"bucket": bucket}
        return [
            row
            for (_, bucket), row in found.items()
            if (since is None or bucket >= since) and (until is None or bucket < until) and bucket <= head
        ]

    def related(self, entity: Entity, relation: Relation | None, parent: Any, arguments: Row) -> list[Row]:
        if entity.arguments:
            asked = {
                a.name: getattr(arguments.get(a.name), "value", arguments.get(a.name))
                for a in entity.arguments
            }
            asked |= {name: parent.row[column] for name, column in (relation.given if relation else ())}
            rows = self.computed(entity, asked)
        else:
            rows = self.world.rows[entity.table]
        if relation is None:
            return list(rows)
        here = parent.row
        tied = [
            row
            for row in rows
            if all(row[a] is not None and row[a] == here[b] for a, b in relation.on)
            and (not relation.either or any(row[a] == here[b] for a, b in relation.either))
        ]
        if relation.fragment == "within_lifecycle":
            return [row for row in tied if self.within(row, here)]
        if relation.fragment == "trade_of_lifecycle":
            key = here["position_key"]
            sides = ("taker_position_key", "maker_position_key")
            return [
                row
                for row in tied
                if key in (row[side] for side in sides)
                and row["block_time"] >= here["opened_at"]
                and (here["closed_at"] is None or row["block_time"] <= here["closed_at"])
                and any(self.within(change, here) for change in self.changes_of_trade(row, key))
            ]
        return tied

    def within(self, row: Row, position: Row) -> bool:
        if row["block_time"] < position["opened_at"] or not is_of(row, position):
            return False
        same = self.find("perps.positions", stream=position["stream"], position_key=position["position_key"])
        return not any(opened(position) < opened(later) and is_of(row, later) for later in same)

    # -- filters and orders

    def matches(self, entity: Entity, row: Row, where: Any) -> bool:
        if where is None or where is UNSET:
            return True
        for name, value in vars(where).items():
            if value is None or value is UNSET:
                continue
            if name == "and_":
                if not all(self.matches(entity, row, part) for part in value):
                    return False
            elif name == "or_":
                if not any(self.matches(entity, row, part) for part in value):
                    return False
            elif name == "not_":
                if self.matches(entity, row, value):
                    return False
            elif not holds(self.leaf(entity, entity.by_key[name], row), value):
                return False
        return True

    def order(self, entity: Entity, given: Any) -> list[tuple[str, bool]]:
        order: dict[str, bool] = {}
        down = entity.newest_first
        for item in [] if given in (None, UNSET) else given:
            ((name, direction),) = [(n, v) for n, v in vars(item).items() if v is not UNSET]
            down = direction.value == "DESC"
            field = entity.by_key[name]
            for column in field.order or (field.name,):
                order.setdefault(column, down)
        for column in entity.key:
            order.setdefault(column, down)
        return list(order.items())

    # -- completeness

    def asked(self, entity: Entity, parent: Any, where: Any) -> list[str]:
        mine = None if parent is None else self.catalog.by_name[type(parent).__name__]
        if mine is not None and mine.stream:
            return [parent.row[mine.stream]]
        streams = set(self.world.streams)
        for level in conjuncts(where):
            wanted = level.get(entity.by_column[entity.stream].key)
            if wanted in (None, UNSET):
                continue
            if wanted.eq_ not in (None, UNSET):
                streams &= {wanted.eq_}
            if wanted.in_ not in (None, UNSET):
                streams &= set(wanted.in_)
        return sorted(streams)

    def ranges(self, entity: Entity, streams: list[str], where: Any) -> dict[str, tuple[int, int]]:
        """The slots that comparisons of slot and blockTime which must hold ask for, a stream each."""
        found = {}
        for name in streams:
            low, high = self.world.streams[name]["first_slot"], self.world.streams[name]["head_slot"]
            lows, highs = [low], [high]
            slots = sorted(self.world.block_times[name].items())
            for key, value in (pair for level in conjuncts(where) for pair in level.items()):
                if key not in ("slot", "blockTime") or value in (None, UNSET):
                    continue
                for side, names, bounds in (
                    ("low", ("eq_", "gt_", "gte_"), lows),
                    ("high", ("eq_", "lt_", "lte_"), highs),
                ):
                    for name_of, asked in vars(value).items():
                        if name_of not in names or asked in (None, UNSET):
                            continue
                        if key == "slot":
                            bounds.append(asked)
                        elif side == "low":
                            bounds.append(next((slot for slot, time in slots if time >= asked), high))
                        else:
                            bounds.append(
                                next((slot for slot, time in reversed(slots) if time <= asked), low)
                            )
            if max(lows) <= min(highs):
                found[name] = (max(lows), min(highs))
        return found

    def complete_through(self, streams: list[str]) -> Any:
        found = []
        for name in streams:
            through = self.world.covered[name].through(self.world.streams[name]["first_slot"])
            if through is None:
                return None
            stream = self.world.streams[name]
            if through >= stream["head_slot"] and stream["head_time"] is not None:
                time = stream["head_time"]
            else:
                times = [time for slot, time in self.world.block_times[name].items() if slot <= through]
                time = max(times, default=None)
            found.append((through, time))
        if not found:
            return None
        times = [time for _, time in found if time is not None]
        return SimpleNamespace(slot=min(slot for slot, _ in found), time=min(times, default=None))

    def settled(self, streams: list[str], where: Any) -> bool:
        """Whether slots or times on both sides bound what is covered and final; a time lies between two known blocks."""
        for name in streams:
            stream, lows, highs = self.world.streams[name], [], []
            slots = sorted(self.world.block_times[name].items())
            for key, value in (pair for level in conjuncts(where) for pair in level.items()):
                if key not in ("slot", "blockTime") or value in (None, UNSET):
                    continue
                for operator_name, asked in vars(value).items():
                    if asked in (None, UNSET):
                        continue
                    if operator_name in ("eq_", "gt_", "gte_"):
                        lows.append(
                            asked
                            if key == "slot"
                            else next((s for s, t in reversed(slots) if t < asked), None)
                        )
                    if operator_name in ("eq_", "lt_", "lte_"):
                        highs.append(
                            asked if key == "slot" else next((s for s, t in slots if t > asked), None)
                        )
            low = max((slot for slot in lows if slot is not None), default=None)
            high = min((slot for slot in highs if slot is not None), default=None)
            if low is None or high is None or stream["final_slot"] is None or low > high:
                return False
            if (
                low < stream["first_slot"]
                or high > stream["final_slot"]
                or self.world.covered[name].gaps(low, high)
            ):
                return False
        return bool(streams)

    def coverage(self, ranges: dict[str, tuple[int, int]], settled: bool) -> Any:
        gaps = [
            SimpleNamespace(stream=name, from_=first, through=last)
            for name, (low, high) in ranges.items()
            for first, last in self.world.covered[name].gaps(low, high)
        ]
        truncated = any(
            row["truncated"]
            and row["stream"] in ranges
            and ranges[row["stream"]][0] <= row["slot"] <= ranges[row["stream"]][1]
            for row in self.world.rows["heliograph.transactions"]
        )
        return SimpleNamespace(
            from_=min((low for low, _ in ranges.values()), default=None),
            through=max((high for _, high in ranges.values()), default=None),
            truncated=truncated,
            settled=settled,
            gaps=gaps,
        )


def opened(position: Row) -> tuple[int, int, int]:
    return position["opened_slot"], position["opened_tx_index"], position["opened_ordinal"]


def is_of(row: Row, position: Row) -> bool:
    """Whether the row is of this life or a later one: an event may end one and begin the next, on the other side."""
    at = chain_key(row)
    return opened(position) < at or (opened(position) == at and position["side"] == row["side"])


def chain_key(row: Row) -> tuple[int, int, int]:
    return row["slot"], row["tx_index"], row["ordinal"]


def holds(value: Any, operators: Any) -> bool:
    for name, wanted in vars(operators).items():
        if wanted is UNSET:
            continue
        if wanted is None:
            if value is not None:
                return False
        elif value is None:
            return False
        elif name == "in_":
            if value not in [getattr(item, "value", item) for item in wanted]:
                return False
        elif not COMPARE[name](value, getattr(wanted, "value", wanted)):
            return False
    return True


def compare(a: Row, b: Row, order: list[tuple[str, bool]]) -> int:
    for column, down in order:
        left, right = a[column], b[column]
        if left == right:
            continue
        if left is None or right is None:
            greater = left is None
        else:
            greater = left > right
        return 1 if greater is not down else -1
    return 0


def behind(row: Row, values: tuple[Any, ...], order: list[tuple[str, bool]]) -> bool:
    other = {}
    for (column, _), value in zip(order, values, strict=True):
        kind = next((type(v) for v in [row[column]] if v is not None), None)
        if value is not None and kind is datetime:
            value = EPOCH + value * MICROSECOND
        if value is not None and kind is Decimal:
            value = Decimal(value)
        other[column] = value
    # A null here tells nothing of the column's kind; only whether the other is null matters then.
    return compare(row, other, order) > 0


def payload(text: str) -> Any:
    """What a cursor or id says, for it may be spaced differently."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return raw[:1].decode(), json.loads(raw[1:])


OPAQUE = ("id", "cursor", "Cursor", "PositionId", "positionId")


def comparable(value: Any, key: str = "") -> Any:
    """An answer with opaque texts read, so that equal answers are equal; order of keys counts."""
    if isinstance(value, Mapping):
        return [(name, comparable(item, name)) for name, item in value.items()]
    if isinstance(value, list):
        return [comparable(item, key) for item in value]
    if isinstance(value, str) and key.split("_")[-1].endswith(OPAQUE):
        return payload(value)
    return value


def first_difference(found: Any, expected: Any, path: str = "$") -> str | None:
    if (
        isinstance(found, (list, tuple))
        and isinstance(expected, (list, tuple))
        and len(found) == len(expected)
    ):
        for index, (a, b) in enumerate(zip(found, expected, strict=True)):
            step = f".{a[0]}" if isinstance(a, tuple) and a and isinstance(a[0], str) else f"[{index}]"
            difference = first_difference(a, b, path + step)
            if difference is not None:
                return difference
        return None
    return None if found == expected else f"{path}: found {found!r}, expected {expected!r}"


# -- a random world

WALLETS = ("alice", "bob", "carol", "dörte", "e'\"\\ve")
MARKETS = {"SolMarket": "SOL-PERP", "BtcMarket": "BTC-PERP", "Unlisted": None}
KEYS = ("k1", "k2", "k3")
STREAMS = ("godark", "other")
GENESIS = datetime(2026, 11, 21, tzinfo=UTC)
BUCKET_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
BUCKET_SECONDS = {
    "1 minute": timedelta(minutes=1), "1 hour": timedelta(hours=1), "1 day": timedelta(days=1), "7 days": timedelta(days=7),
}  # fmt: skip
CANDLE_WIDTHS = {
    "1m": timedelta(minutes=1), "5m": timedelta(minutes=5), "15m": timedelta(minutes=15), "1h": timedelta(hours=1),
    "4h": timedelta(hours=4), "1d": timedelta(days=1),
}  # fmt: skip
PRICES = {
    "trade": ("perps.trades", "price"), "mark": ("perps.funding_rates", "mark_price"), "oracle": ("perps.oracle_prices", "price"),
}  # fmt: skip
TEXTS = {
    "wallet": WALLETS, "taker": WALLETS, "maker": WALLETS, "liquidator": WALLETS,
    "market": tuple(MARKETS), "position_key": KEYS, "taker_position_key": KEYS, "maker_position_key": KEYS,
    "trade_id": ("1", "2", "3"), "liquidation_id": ("1", "2"), "asset": ("USDC", "SOL"), "source": ("pyth", "switchboard"),
}  # fmt: skip


def value_for(field: Field, dice: random.Random) -> Any:
    if field.nullable and dice.random() < 0.3:
        return None
    if isinstance(field.type, Choice):
        return dice.choice(list(field.type.values))
    match field.type:
        case Kind.TEXT:
            return dice.choice(TEXTS.get(field.name, ("x", "y")))
        case Kind.DECIMAL:
            return Decimal(
                dice.choice(("0", "1.5", "-2.25", "100", "0.000000001", "123456789012345678.123456789"))
            )
        case Kind.TIME:
            return GENESIS + timedelta(seconds=dice.randint(0, 5))
        case Kind.BOOL:
            return dice.random() < 0.5
        case Kind.SLOT | Kind.BIGINT:
            return dice.choice((100, 101, 105, 2**53 + 1))
        case Kind.JSON:
            return json.dumps({"InstructionError": [0, {"Custom": 6000}]})
        case _:
            return dice.randint(0, 3)


def make_world(catalog: Catalog, dice: random.Random) -> World:
    rows: dict[str, list[Row]] = {}
    for entity in catalog.entities:
        if entity.name == "Stream" or entity.arguments:
            continue
        made: dict[tuple[Any, ...], Row] = {}
        for _ in range(3 if entity.name == "Market" else 25):
            row = {name: value_for(field, dice) for name, field in entity.by_column.items()}
            row["stream"] = dice.choice(STREAMS)
            if "slot" in row:
                row["slot"] = dice.randint(100, 112)
                row["block_time"] = GENESIS + timedelta(seconds=row["slot"] // 4)
                row["signature"] = f"sig-{row['slot']}-{row['tx_index']}"
            if entity.name == "Position":
                row["opened_slot"] = dice.randint(100, 112)
                row["opened_at"] = GENESIS + timedelta(seconds=row["opened_slot"] // 4)
                row["closed_at"] = None if dice.random() < 0.5 else row["opened_at"] + timedelta(seconds=2)
            if entity.name == "Market":
                row["market"], row["symbol"] = dice.choice([(m, s) for m, s in MARKETS.items() if s])
            made.setdefault(tuple(row[column] for column in (*entity.identity, *entity.key)), row)
        identities = {tuple(row[column] for column in entity.identity): row for row in made.values()}
        rows[entity.table] = list(identities.values())
    covered = {"godark": SlotSet([(100, 106), (109, 112)]), "other": SlotSet([(100, 112)])}
    block_times: dict[str, dict[int, datetime]] = {name: {} for name in STREAMS}
    streams = {
        name: {
            "name": name, "protocol": "godark", "programs": ["Prog", name], "first_slot": 100, "seq": 7, "head_slot": 112,
            "head_time": GENESIS + timedelta(seconds=28), "final_slot": dice.choice((None, 105, 112)), "accounts_through": 111, "genesis": "Gen", "created_at": GENESIS,
        }
        for name in STREAMS
    }  # fmt: skip
    for table in rows.values():
        for row in table:
            if "slot" in row and "block_time" in row:
                block_times[row["stream"]][row["slot"]] = row["block_time"]
    rows["heliograph.streams"] = list(streams.values())
    return World(rows, covered, streams, block_times)


async def store(world: World, connection: Any) -> None:
    for table in ("heliograph.streams", *(name for name in world.rows if name != "heliograph.streams")):
        for row in world.rows[table]:
            places = ", ".join(f"${index}" for index in range(1, len(row) + 1))
            await connection.execute(
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values()
            )
    for name in STREAMS:
        ranges = "{" + ",".join(f"[{first},{last}]" for first, last in world.covered[name]) + "}"
        await connection.execute(
            "INSERT INTO heliograph.coverage VALUES ($1, $2::text::int8multirange)", name, ranges
        )
        for slot, time in world.block_times[name].items():
            await connection.execute(
                "INSERT INTO heliograph.slots (stream, slot, block_time, seq) VALUES ($1, $2, $3, 1)",
                name,
                slot,
                time,
            )
    known = {
        (row["signature"], row["stream"], row["block_time"], row["slot"], row["tx_index"])
        for table in world.rows.values()
        for row in table
        if "signature" in row
    }
    await connection.executemany(
        "INSERT INTO heliograph.signatures VALUES ($1, $2, $3, $4, $5)", sorted(known)
    )


# -- random operations


class Operations:
    """Writes random operations: arguments as literals or variables, aliases, fragments, directives, nesting."""

    def __init__(self, catalog: Catalog, dice: random.Random, ids: Mapping[str, list[str]]) -> None:
        """ids: of rows, by object type, for `node`."""
        self._catalog = catalog
        self._ids = ids
        self._dice = dice
        self._names: Iterator[int] = iter(range(10**9))
        self._variables: dict[str, tuple[str, Any]] = {}

    def write(self) -> tuple[str, dict[str, Any]]:
        self._variables = {}
        roots = [
            self._root(self._dice.choice(self._catalog.entities)) for _ in range(self._dice.randint(1, 2))
        ]
        if self._dice.random() < 0.3:
            roots.append(self._node())
        if self._dice.random() < 0.2:
            roots.append("here: __typename")
        declared = ", ".join(f"${name}: {kind}" for name, (kind, _) in self._variables.items())
        text = f"query {'(' + declared + ')' if declared else ''} {{ {' '.join(roots)} }}"
        return text, {name: value for name, (_, value) in self._variables.items()}

    def _root(self, entity: Entity) -> str:
        if entity.root:
            return self._page(entity, None, 0)
        arguments = ", ".join(self._asked_with(entity, None))
        return f"w{next(self._names)}: {entity.one}({arguments}) {{ {self._fields(entity, 0)} }}"

    def _node(self) -> str:
        """Any row by its id, with what is wanted of it and what is not there because it is of another type."""
        dice = self._dice
        entity, other = dice.sample([self._catalog.by_name[name] for name in self._ids], 2)
        wanted = dice.choice((*self._ids[entity.name], encode_id(entity.name, self._nowhere(entity))))
        parts = [
            f"... on {other.name} {{ o{next(self._names)}: {dice.choice(other.fields).key} }}",
            *dice.sample(
                ("id", "__typename", f"... on Node {{ i{next(self._names)}_id: id }}"), dice.randint(0, 3)
            ),
        ]
        if dice.random() < 0.8:
            parts.append(f"... on {entity.name} {{ {self._fields(entity, 0)} }}")
        dice.shuffle(parts)
        return f"n{next(self._names)}: node({self._argument('id', 'ID!', wanted)}) {{ {' '.join(parts)} }}"

    @staticmethod
    def _nowhere(entity: Entity) -> list[str | int]:
        """An identity that no row has."""
        numbers = (Kind.TIME, Kind.SLOT, Kind.BIGINT, Kind.INT)
        return [7 if entity.by_column[name].type in numbers else "nowhere" for name in entity.identity]

    def _asked_with(self, entity: Entity, relation: Relation | None) -> list[str]:
        """Arguments of an entity that has no table."""
        theirs = {name for name, _ in relation.given} if relation else set()
        found = []
        for argument in entity.arguments:
            if argument.name in theirs or (not argument.required and self._dice.random() < 0.5):
                continue
            if isinstance(argument.type, Choice):
                stored = self._dice.choice(list(argument.type.values))
                found.append(
                    self._argument(argument.key, argument.type.name, Word(argument.type.shown(stored)))
                )
            elif argument.type is Kind.BOOL:
                found.append(self._argument(argument.key, "Boolean", self._dice.random() < 0.5))
            elif argument.type is Kind.TIME:
                time = GENESIS + timedelta(seconds=self._dice.randint(-90, 90))
                found.append(self._argument(argument.key, "DateTime", time.isoformat()))
            elif argument.name == "stream":
                found.append(self._argument(argument.key, "String", self._dice.choice((*STREAMS, "nowhere"))))
            else:
                values = tuple(MARKETS) if argument.name == "market_address" else WALLETS
                found.append(self._argument(argument.key, "String!", self._dice.choice(values)))
        return found

    def _page(self, entity: Entity, relation: Relation | None, depth: int) -> str:
        dice = self._dice
        name = relation.key if relation else entity.root
        arguments = [f"first: {dice.choice((0, 1, 2, 3, 5, 10))}", *self._asked_with(entity, relation)]
        if not entity.paged and dice.random() < 0.6:
            arguments.append(self._argument("where", f"{entity.name}Filter", self._where(entity, 0)))
        if not entity.paged and dice.random() < 0.6:
            arguments.append(self._argument("orderBy", f"[{entity.name}Order!]", self._order(entity)))
        parts = [f"nodes {{ {self._fields(entity, depth)} }}"]
        extras: list[Callable[[], str]] = [
            lambda: "__typename",
            lambda: f"edges {{ cursor node {{ {self._fields(entity, depth + 1)} }} }}",
            lambda: "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }",
            lambda: "pageInfo { hasNextPage }",
            lambda: "pageInfo { endCursor }",
            lambda: "totalCount",
            lambda: "completeThrough { slot time __typename }",
            lambda: "coverage { from settled through truncated gaps { stream from through } }",
            lambda: self._aggregates(entity),
        ]
        parts.extend(write() for write in dice.sample(extras, dice.randint(0, 4)))
        dice.shuffle(parts)
        return f"p{next(self._names)}: {name}({', '.join(arguments)}) {{ {' '.join(parts)} }}"

    def _aggregates(self, entity: Entity) -> str:
        dice = self._dice
        by = [field for field in entity.fields if field.can_group]
        numbers = [field.key for field in entity.fields if field.is_number]
        ordered = [field.key for field in entity.fields if field.has_extremes]
        missing = [field.key for field in entity.fields if field.is_number and field.nullable]
        chosen = [Word(field.name.upper()) for field in dice.sample(by, dice.randint(0, min(3, len(by))))]
        arguments = [self._argument("by", f"[{entity.name}GroupBy!]", chosen)] if dice.random() < 0.8 else []
        bucketed = entity.by_column[entity.key[0]].type is Kind.TIME and dice.random() < 0.5
        if bucketed:
            word = dice.choice(("ONE_MINUTE", "ONE_HOUR", "ONE_DAY", "SEVEN_DAYS"))
            arguments.append(self._argument(BUCKET, "BucketResolution", Word(word)))
        if dice.random() < 0.5:
            arguments.append(self._argument("first", "Int", dice.choice((0, 1, 2, 5))))
        way = Word(dice.choice(("ASC", "DESC")))
        orders: list[dict[str, Any]] = [{"count": way}, *([{BUCKET: way}] if bucketed else [])]
        orders += [{name: {dice.choice(numbers): way}} for name in ("sum", "avg")]
        orders += [{name: {dice.choice(ordered): way}} for name in ("min", "max")]
        if dice.random() < 0.6:
            arguments.append(self._argument("orderBy", f"{entity.name}GroupOrder", dice.choice(orders)))
        keys = [field.key for field in by] + (["marketSymbol"] if "marketSymbol" in entity.by_key else [])
        keys += [BUCKET] if entity.by_column[entity.key[0]].type is Kind.TIME else []
        parts = ["count", f"key {{ {' '.join(dice.sample(keys, dice.randint(1, len(keys))))} }}"]
        for name, fields in (
            ("sum", numbers),
            ("avg", numbers),
            ("min", ordered),
            ("max", ordered),
            ("known", missing),
        ):
            if fields and dice.random() < 0.5:
                parts.append(f"{name} {{ {' '.join(dice.sample(fields, dice.randint(1, len(fields))))} }}")
        dice.shuffle(parts)
        asked = f"({', '.join(arguments)})" if arguments else ""
        return (
            f"g{next(self._names)}: aggregates{asked} {{ groups {{ {' '.join(parts)} }} hasMore __typename }}"
        )

    def _fields(self, entity: Entity, depth: int) -> str:
        dice = self._dice
        chosen = dice.sample(entity.fields, dice.randint(1, min(6, len(entity.fields))))
        parts = [
            f"{self._alias(field.key)}{field.key}{dice.choice(('', '', ' @include(if: true)', ' @skip(if: true)'))}"
            for field in chosen
        ]
        parts.append("__typename")
        if depth < 2 and entity.relations:
            relation = dice.choice(entity.relations)
            target = self._catalog.by_name[relation.target]
            if relation.many:
                parts.append(self._page(target, relation, depth + 1))
            else:
                parts.append(f"r{next(self._names)}: {relation.key} {{ {self._fields(target, depth + 1)} }}")
        text = " ".join(parts)
        if dice.random() < 0.2 and "id" in entity.by_key:
            return f"... on {entity.name} {{ {text} }} ... on Node {{ id }}"
        return text

    def _alias(self, key: str) -> str:
        return f"a{next(self._names)}_{key}: " if self._dice.random() < 0.2 else ""

    def _argument(self, name: str, kind: str, value: Any) -> str:
        if self._dice.random() < 0.5:
            variable = f"v{next(self._names)}"
            self._variables[variable] = (kind, plain(value))
            return f"{name}: ${variable}"
        return f"{name}: {literal(value)}"

    def _order(self, entity: Entity) -> list[dict[str, Any]]:
        fields = [field for field in entity.fields if field.can_sort]
        chosen = self._dice.sample(fields, self._dice.randint(0, min(3, len(fields))))
        return [{field.key: Word(self._dice.choice(("ASC", "DESC")))} for field in chosen]

    def _where(self, entity: Entity, depth: int) -> dict[str, Any]:
        dice = self._dice
        where: dict[str, Any] = {}
        fields = [field for field in entity.fields if field.can_filter]
        for field in dice.sample(fields, dice.randint(0, min(2, len(fields)))):
            where[field.key] = self._operators(field)
        if depth < 2 and dice.random() < 0.4:
            name = dice.choice(("and", "or", "not"))
            count = dice.randint(0, 2)
            where[name] = (
                self._where(entity, depth + 1)
                if name == "not"
                else [self._where(entity, depth + 1) for _ in range(count)]
            )
        return where

    def _operators(self, field: Field) -> dict[str, Any]:
        dice = self._dice
        if dice.random() < 0.15:
            return {"eq": None}
        if isinstance(field.type, Choice):
            name = dice.choice(("eq", "in"))
        elif field.type is Kind.BOOL:
            name = "eq"
        else:
            name = dice.choice(("eq", "in", "gt", "gte", "lt", "lte"))
        if name == "in":
            return {"in": [self._value(field) for _ in range(dice.randint(0, 3))]}
        return {name: self._value(field)}

    def _value(self, field: Field) -> Any:
        if field.name == "market_symbol":
            return self._dice.choice(("SOL-PERP", "BTC-PERP", "NOPE"))
        if field.name == "signature":
            return f"sig-{self._dice.randint(100, 112)}-{self._dice.randint(0, 3)}"
        if field.name == "slot":
            return str(self._dice.randint(98, 114))
        value = None
        while value is None:
            value = value_for(field, self._dice)
        if isinstance(field.type, Choice):
            return Word(value.upper())
        if isinstance(value, datetime):
            return value.isoformat()
        return str(value) if field.type in (Kind.DECIMAL, Kind.SLOT, Kind.BIGINT) else value


class Word(str):
    """An enum value: bare in a literal, text in variables."""


def literal(value: Any) -> str:
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {literal(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


class Both:
    """The same operation asked of the server and of the plain resolvers."""

    def __init__(
        self, executor: Executor, windows: AnyWindows, plain_schema: Any, ids: Mapping[str, list[str]]
    ) -> None:
        self._executor = executor
        self.ids = ids
        self.windows = windows
        self._plain = plain_schema

    async def ask(self, text: str, variables: dict[str, Any]) -> tuple[Any, Any]:
        answer = await self._executor.execute(Request(text, None, variables))
        expected = await self._plain.execute(text, variable_values=variables)
        assert expected.errors is None, (text, variables, expected.errors)
        return json.loads(answer.body), {"data": json.loads(json.dumps(expected.data))}


async def nothing(_: Any) -> Any:
    raise AssertionError("status is not asked here")


class AnyWindows(Windows):
    """Windows that begin anywhere around the rows: whatever they hold, no answer changes."""

    def __init__(self, dice: random.Random, times: list[datetime]) -> None:
        super().__init__()
        self.dice = dice
        self.times = times
        self.used = 0

    async def starts(
        self, connection: Any, statement: Statement, variables: Mapping[str, object]
    ) -> list[datetime]:
        self.used += 1
        return sorted(self.dice.choices(self.times, k=self.dice.randrange(3)), reverse=True)


async def make_both(database: Any, dice: random.Random) -> tuple[Both, Catalog]:
    catalog = load_catalog()
    world = make_world(catalog, dice)
    async with database.acquire() as connection:
        await store(world, connection)
    for row in world.rows["heliograph.transactions"]:
        row["err"] = None if row["err"] is None else json.loads(row["err"])
    times = sorted({time for known in world.block_times.values() for time in known.values()})
    windows = AnyWindows(dice, times)
    settings = ApiSettings(max_depth=30, max_fields=5000, max_aliases=1000, max_rows=10**9)
    executor = Executor(database, settings, windows)
    resolvers = Plain(catalog, world)
    ids = {
        name: [resolvers.identity(entity, row) for row in world.rows[entity.table]]
        for name, entity in catalog.nodes.items()
        if not entity.arguments
    } | {"Wallet": [encode_id("Wallet", [wallet]) for wallet in WALLETS]}
    return Both(executor, windows, build_schema(catalog, resolvers, nothing), ids), catalog


async def test_random_operations_are_answered_as_by_plain_resolvers(database: Any, seed: int) -> None:
    dice = random.Random(seed)
    both, catalog = await make_both(database, dice)
    operations = Operations(catalog, dice, both.ids)
    for _ in range(250):
        text, variables = operations.write()
        compiled, expected = await both.ask(text, variables)
        difference = first_difference(comparable(compiled), comparable(expected))
        assert difference is None, f"{difference}\n{text}\n{json.dumps(variables)}"
    assert both.windows.used > 20, "hardly a page was asked of a window"


async def test_a_variable_may_be_called_anything(database: Any) -> None:
    """Also as what the server itself gives to a statement."""
    both, _ = await make_both(database, random.Random(11))
    until = (GENESIS + timedelta(seconds=27)).isoformat()
    for name in ("window_start", "limit", "streams", "slots", "folded"):
        text = f"query (${name}: DateTime) {{ p: trades(first: 2, where: {{blockTime: {{lte: ${name}}}}}) {{ nodes {{ id }} }} }}"
        for _ in range(5):
            compiled, expected = await both.ask(text, {name: until})
            assert comparable(compiled) == comparable(expected), name
    assert both.windows.used


async def test_pages_follow_each_other_without_hole_or_double_in_any_order(database: Any, seed: int) -> None:
    dice = random.Random(seed)
    both, catalog = await make_both(database, dice)
    operations = Operations(catalog, dice, both.ids)
    for _ in range(40):
        entity = dice.choice([entity for entity in catalog.entities if entity.root and not entity.arguments])
        order, first, after = plain(operations._order(entity)), dice.choice((1, 2, 4, 7)), None
        text = (
            f"query ($o: [{entity.name}Order!], $a: String, $n: Int) {{ "
            f"p: {entity.root}(orderBy: $o, after: $a, first: $n) {{ nodes {{ id }} pageInfo {{ endCursor hasNextPage }} }} }}"
        )
        whole, _ = await both.ask(text, {"o": order, "n": 1000})
        found = []
        while True:
            compiled, expected = await both.ask(text, {"o": order, "a": after, "n": first})
            assert comparable(compiled) == comparable(expected), (order, after)
            found.extend(compiled["data"]["p"]["nodes"])
            after = compiled["data"]["p"]["pageInfo"]["endCursor"]
            if not compiled["data"]["p"]["pageInfo"]["hasNextPage"]:
                break
        assert found == whole["data"]["p"]["nodes"], order


async def test_a_global_id_finds_its_row(database: Any) -> None:
    dice = random.Random(5)
    both, catalog = await make_both(database, dice)
    for name, ids in both.ids.items():
        for id_ in ids:
            text = "query ($id: ID!) { node(id: $id) { id __typename } }"
            compiled, expected = await both.ask(text, {"id": id_})
            assert compiled["data"]["node"]["__typename"] == name
            assert comparable(compiled) == comparable(expected)
    for name, entity in catalog.by_one.items():
        if not entity.root:
            continue
        listed, _ = await both.ask(f"{{ {entity.root} {{ nodes {{ id }} }} }}", {})
        for node in listed["data"][entity.root]["nodes"]:
            text = f"query ($id: ID) {{ one: {name}(id: $id) {{ id __typename }} }}"
            compiled, expected = await both.ask(text, {"id": node["id"]})
            assert compiled["data"]["one"] == {"id": node["id"], "__typename": entity.name}
            assert comparable(compiled) == comparable(expected)
