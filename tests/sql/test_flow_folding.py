"""Flows: the leader makes positions and changes of them, anew where late history came, and tells which slots changed."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any

import pytest

from heliograph_core.flow_fold import Folded, fold_flows
from heliograph_core.records import Flow, Position, PositionChange
from heliograph_sql.database import Database
from heliograph_sql.folded_slots import runs_of
from heliograph_sql.histories import count_entries, fetch_entries
from heliograph_sql.lease import Lease
from heliograph_sql.plan import RECORD_PLANS, STATE_PLANS, TablePlan
from heliograph_sql.retention import Retention
from heliograph_sql.settings import StorageSettings
from heliograph_sql.writer import Writer

D = Decimal
BRIEF = "SELECT slot, part, kind, side, size_delta, size_after, realized_pnl FROM perps.position_changes ORDER BY slot, part"
DAY = 86_400 * 4


@pytest.fixture
async def epoch(database: Database, stream: Any) -> int:
    epoch = await Lease(database, "s", "leader").acquire()
    assert epoch is not None
    return epoch


def flow(
    make: Any, slot: int, base: int, quote: int = 0, key: str = "K", ordinal: int = 0, **other: Any
) -> Flow:
    values: dict[str, Any] = {
        "market": "Market",
        "wallet": "Wallet",
        "position_key": key,
        "kind": "fill" if base else "funding",
        "base_delta": D(base),
        "quote": D(quote),
        "price": None,
        "fee": D("0.01"),
        "funding": D(0),
        "settled_pnl": D(0),
        "base_before": None,
        "base_after": None,
        "entry_quote_after": None,
        "entry_quote_released": None,
        "quote_places": 6,
        "trade_id": None,
    }
    return Flow(**{**make.key(slot, ordinal=ordinal), **values, **other})


async def _stored(fetch: Any, plan: TablePlan, row: type, order: str) -> list[Any]:
    timed = {"block_time", "opened_at", "updated_at", "closed_at"}
    columns = [f"extract(epoch FROM {name})::bigint" if name in timed else name for name in plan.column_names]
    rows = await fetch(f"SELECT {', '.join(columns)} FROM {plan.full_name} ORDER BY {order}")
    return [row(**dict(zip(plan.column_names, one, strict=True))) for one in rows]


async def stored(fetch: Any) -> Folded:
    """What the tables hold, by key, each in chain order."""
    order = "position_key, opened_slot, opened_tx_index, opened_ordinal"
    positions = await _stored(fetch, STATE_PLANS[Position], Position, order)
    plan = RECORD_PLANS[PositionChange]
    changes = await _stored(fetch, plan, PositionChange, "position_key, slot, tx_index, ordinal, part")
    return Folded(positions, changes, False)


def folded(flows: list[Flow]) -> Folded:
    keys = sorted({one.position_key for one in flows})
    each = [fold_flows(None, [one for one in flows if one.position_key == key]) for key in keys]
    return Folded(
        [position for one in each for position in one.positions],
        [change for one in each for change in one.changes],
        False,
    )


async def test_the_leader_makes_changes_and_positions_of_flows_in_the_commit_that_writes_them(
    writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    flows = [flow(make, 1, 2, 20, base_after=D(2)), flow(make, 2, -5, 60)]
    for one in flows:
        await writer.commit(make.batch(one.slot, one.slot, [one]), epoch=epoch)
    assert await fetch(BRIEF) == [
        (1, 0, "open", "long", 2, 2, 0),
        (2, 0, "close", "long", -2, 0, 4),
        (2, 1, "open", "short", 3, 3, 0),
    ]
    assert await stored(fetch) == folded(flows)
    assert await fetch("SELECT kind FROM heliograph.commits ORDER BY seq") == [("apply",), ("apply",)]


async def test_late_history_makes_changes_anew_and_corrects_their_slots_alone(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    flows = [flow(make, 1, 2, 20), flow(make, 100, -1, 12), flow(make, 900, 0, base_after=D(1))]
    await writer.commit(make.batch(100, 900, flows[1:]), epoch=epoch)
    assert await fetch(BRIEF) == [
        (100, 0, "decrease", "long", -1, 1, None),
        (900, 0, "funding", "long", 0, 1, 0),
    ]
    await Writer(database, "s", "late").commit(make.batch(1, 1, flows[:1], origin="backfill"), epoch=None)
    assert await fetch("SELECT settled FROM perps.positions") == [(False,)]
    # What is beside them stays as it is, and is not corrected.
    await writer.commit(make.batch(901, 901, [make.trade(901)]), epoch=epoch)
    assert await writer.refold(epoch=epoch) is not None
    assert await stored(fetch) == folded(flows)
    assert await fetch(BRIEF) == [
        (1, 0, "open", "long", 2, 2, 0),
        (100, 0, "decrease", "long", -1, 1, 2),
        (900, 0, "funding", "long", 0, 1, 0),
    ]
    assert await fetch(
        "SELECT seq, kind, origin, first_slot, last_slot FROM heliograph.commits ORDER BY seq"
    ) == [
        (1, "apply", "live", 100, 900),
        (2, "apply", "backfill", 1, 1),
        (3, "apply", "live", 901, 901),
        (4, "correct", "backfill", 1, 1),
        (5, "correct", "live", 100, 100),
        (6, "correct", "live", 900, 900),
        (7, "amend", "heal", 1, 900),
    ], "the entry price of the last is known now too"
    slots = await fetch("SELECT slot, seq FROM heliograph.slots ORDER BY slot")
    assert slots == [(1, 4), (100, 5), (900, 6), (901, 3)]
    assert await writer.refold(epoch=epoch) is None


async def test_a_flow_that_tells_more_than_was_known_is_left_to_a_refold(
    writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    flows = [flow(make, 1, 2, 20), flow(make, 2, -1, 12), flow(make, 3, 0, base_after=D(1))]
    for one in flows:
        await writer.commit(make.batch(one.slot, one.slot, [one]), epoch=epoch)
    assert await fetch("SELECT status, size, settled FROM perps.positions") == [("open", None, False)]
    assert await writer.refold(epoch=epoch) is not None
    assert await stored(fetch) == folded(flows)
    assert await fetch("SELECT size, complete, settled FROM perps.positions") == [(1, True, True)]


async def test_a_slot_that_is_rewritten_takes_its_flows_along(
    writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    flows = [flow(make, 1, 2, 20, base_after=D(2)), flow(make, 2, -5, 60), flow(make, 3, 3, 33)]
    await writer.commit(make.batch(1, 3, flows), epoch=epoch)
    instead = flow(make, 2, -1, 11)
    await writer.rewrite_slots([2], make.batch(2, 2, [instead]), epoch=epoch)
    assert await writer.refold(epoch=epoch) is not None
    assert await stored(fetch) == folded([flows[0], instead, flows[2]])
    await writer.rewrite_slots([1, 2, 3], make.batch(1, 3, []), epoch=epoch)
    assert await writer.refold(epoch=epoch) is not None
    assert await stored(fetch) == ([], [], False)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_the_order_of_writers_all_ends_as_one_fold_in_order(
    database: Database, stream: Any, make: Any, fetch: Any, seed: int
) -> None:
    print(f"seed {seed}")
    dice = random.Random(seed)
    flows = [
        flow(
            make,
            slot,
            base := dice.choice([-3, -2, -1, 0, 1, 2, 3]),
            dice.randrange(100),
            key=dice.choice("ABC"),
            ordinal=ordinal,
            **({} if base else {"base_after": D(dice.randrange(-3, 4))}),
        )
        for slot in range(60)
        for ordinal in range(dice.randrange(3))
    ]
    epoch = await Lease(database, "s", "leader").acquire()
    assert epoch is not None
    leader = Writer(database, "s", "leader")

    def batch(slot: int) -> Any:
        return make.batch(slot, slot, [one for one in flows if one.slot == slot])

    async def lead() -> None:
        for slot in range(30, 60):
            await leader.commit(batch(slot), epoch=epoch)

    async def fill(name: str, slots: list[int]) -> None:
        for slot in slots:
            await Writer(database, "s", name).commit(batch(slot), epoch=None)

    async def amend() -> None:
        for _ in range(15):
            await leader.refold(2, epoch=epoch)

    past = list(range(30))
    dice.shuffle(past)
    await asyncio.gather(lead(), fill("one", past[::2]), fill("two", past[1::2]), amend())
    while await leader.refold(2, epoch=epoch) is not None:
        pass
    assert await stored(fetch) == folded(flows), f"seed {seed}"
    assert await fetch("SELECT max(seq) - count(*) FROM heliograph.commits") == [(0,)]
    behind = await fetch(
        "SELECT count(*) FROM perps.position_changes c JOIN heliograph.slots s USING (stream, slot) "
        "JOIN heliograph.commits m ON m.stream = s.stream AND m.seq = s.seq "
        "WHERE NOT c.slot BETWEEN m.first_slot AND m.last_slot"
    )
    assert behind == [(0,)]


async def test_refolding_begins_at_the_floor_and_counts_nothing_below_it(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    """Flows are kept longer than what sets the floor: they are there, and are not folded a second time."""
    at = [DAY * day + 1 for day in range(10)]
    flows = [flow(make, slot, 1 if day < 8 else -3, 10 + day) for day, slot in enumerate(at)]
    flows[0] = flow(make, at[0], 1, 10, base_after=D(1))
    changes = [make.change(slot, "increase", day, key="P", ordinal=5) for day, slot in enumerate(at)]
    for day in (0, 1, 2, 3, 4, 5, 6, 8, 9):
        first, last = DAY * day, DAY * (day + 1) - 1
        await writer.commit(make.batch(first, last, [flows[day], changes[day]]), epoch=epoch)
    rules = ("perps.trades=4", "heliograph.transactions=4")
    with_floor = Retention(database, StorageSettings(retention=rules))
    noon = await fetch("SELECT to_timestamp($1)", make.time(DAY * 9) + 43_200)
    assert await with_floor.keep(noon[0][0])
    [(floor,)] = await fetch("SELECT retained_from FROM heliograph.streams")
    assert floor > at[3]
    late = Writer(database, "s", "late")
    await late.commit(make.batch(DAY * 7, DAY * 8 - 1, [flows[7], changes[7]]), epoch=None)
    async with database.acquire() as connection:
        counts = await count_entries(connection, "s", ["K", "P"])
        listed = await fetch_entries(connection, "s", ["K", "P"])
    above = sum(slot >= floor for slot in at)
    assert counts == {"K": above, "P": above}
    assert [len(rows) for rows in listed] == [above, above]
    while await writer.refold(epoch=epoch) is not None:
        pass
    positions = [one for one in (await stored(fetch)).positions if one.position_key == "K"]
    assert positions == folded(flows).positions


@pytest.mark.parametrize("told_late", [False, True])
async def test_what_a_later_flow_tells_of_flows_that_retention_took_is_known(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any, told_late: bool
) -> None:
    """The last flow alone tells the base; it is there before the floor rises, or comes when the others are gone."""
    at = [DAY * day + 1 for day in (0, 1, 9)]
    flows = [
        flow(make, at[0], 2, 20),
        flow(make, at[1], 1, 11),
        flow(make, at[2], -3, 36, base_before=D(3)),
    ]
    for one in flows[:2]:
        await writer.commit(make.batch(one.slot, one.slot, [one]), epoch=epoch)
    last = make.batch(at[1] + 1, at[2], [flows[2]])
    if not told_late:
        await writer.commit(last, epoch=epoch)
        while await writer.refold(epoch=epoch) is not None:
            pass
    noon = await fetch("SELECT to_timestamp($1)", make.time(at[2]) + 43_200)
    assert await Retention(database, StorageSettings(retention=("*=1",))).keep(noon[0][0])
    assert await fetch("SELECT retained_from > $1 FROM heliograph.streams", at[1]) == [(True,)]
    if told_late:
        await writer.commit(last, epoch=epoch)
    # The slot is corrected: the key is folded anew from what is left.
    await writer.rewrite_slots([at[2]], make.batch(at[2], at[2], [flows[2]]), epoch=epoch)
    while await writer.refold(epoch=epoch) is not None:
        pass
    result, whole = await stored(fetch), folded(flows)
    assert result.positions == whole.positions
    assert [one for one in result.changes if one.slot == at[2]] == whole.changes[2:]
    assert whole.positions[0].realized_pnl == 5


async def test_what_a_flow_told_before_there_was_a_position_is_known_at_its_opening(
    writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    flows = [flow(make, 1, 0, base_after=D(0)), flow(make, 2, 2, 20)]
    for one in flows:
        await writer.commit(make.batch(one.slot, one.slot, [one]), epoch=epoch)
    while await writer.refold(epoch=epoch) is not None:
        pass
    assert await stored(fetch) == folded(flows)
    assert await fetch("SELECT size, complete, settled FROM perps.positions") == [(2, True, True)]


def test_runs_join_near_slots_of_one_origin() -> None:
    slots = {1: 100, 2: 100, 30: 107, 90: 120, 91: 121}
    runs = runs_of(slots, {1: "live", 2: "live", 30: "live", 90: "heal"})
    assert [(run.slots, run.times, run.origin) for run in runs] == [
        ([1, 2, 30], [100, 100, 107], "live"),
        ([90], [120], "heal"),
        ([91], [121], "backfill"),
    ]
