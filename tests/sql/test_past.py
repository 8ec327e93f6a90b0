"""Positions as of a slot: what folding everything up to it gives, whatever came later, and no more than is known."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.sql.test_flow_folding import flow
from tests.sql.test_folding import stored
from tests.sql.test_sightings import Account

from heliograph_core.flow_fold import find_start, fold_flows
from heliograph_core.fold import fold
from heliograph_core.records import Flow, Position, PositionChange
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.past import Life, read_as_of
from heliograph_sql.writer import Writer

D = Decimal
SLOTS = 60


@pytest.fixture
async def epoch(database: Database, stream: Any) -> int:
    epoch = await Lease(database, "s", "leader", ttl_s=60).acquire()
    assert epoch is not None
    return epoch


def altered(position: Position, slot: int) -> bool:
    return position.updated_slot > slot or (position.closed_slot or 0) > slot


async def as_of(
    database: Database, now: Sequence[Position], slot: int, most: int = 10_000
) -> list[Position] | None:
    """All that had begun then: those that nothing altered since as they are stored, the others read."""
    begun = [position for position in now if position.opened_slot <= slot]
    lives = [
        Life(**{name: getattr(position, name) for name in Life.__dataclass_fields__})
        for position in begun
        if altered(position, slot)
    ]
    async with database.acquire() as connection:
        found = await read_as_of(connection, "s", lives, slot, most)
    if found is None:
        return None
    return in_order([*(position for position in begun if not altered(position, slot)), *found[0]])


def in_order(positions: Sequence[Position]) -> list[Position]:
    return sorted(
        positions, key=lambda p: (p.position_key, p.opened_slot, p.opened_tx_index, p.opened_ordinal)
    )


async def test_changes_folded_up_to_any_slot_give_the_positions_then(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    dice = random.Random(7)
    told: Mapping[str, Any] = {"size_after": None, "entry_price_after": None, "collateral_after": None}
    changes: list[PositionChange] = [
        make.change(
            slot,
            dice.choice(["open", "increase", "increase", "decrease", "funding", "close"]),
            dice.randrange(4),
            key=dice.choice("ABC"),
            ordinal=ordinal,
            price=D(dice.randrange(1, 9)),
            **{name: value for name, value in told.items() if dice.random() < 0.5},
        )
        for slot in range(SLOTS)
        for ordinal in range(dice.randrange(3))
    ]
    for slot in range(SLOTS):
        its = [change for change in changes if change.slot == slot]
        await writer.commit(make.batch(slot, slot, its), epoch=epoch)
    now = await stored(fetch)
    assert max(position.lifecycle for position in now) > 3
    for slot in range(SLOTS):
        expected = [
            position
            for key in "ABC"
            for position in fold(None, [c for c in changes if c.position_key == key and c.slot <= slot])
        ]
        assert await as_of(database, now, slot) == in_order(expected), slot


async def test_an_event_that_ends_one_life_and_begins_the_next_is_told_apart(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    changes = [
        make.change(1),
        make.change(2, "close", 0),
        make.change(2, "open", 3, side="short", part=1),
        make.change(3, "increase", 4, side="short"),
        make.change(9, "close", 0, side="short"),
    ]
    for slot in (1, 2, 3, 9):
        its = [change for change in changes if change.slot == slot]
        await writer.commit(make.batch(slot, slot, its), epoch=epoch)
    now = await stored(fetch)
    for slot in range(1, 9):
        expected = fold(None, [change for change in changes if change.slot <= slot])
        assert await as_of(database, now, slot) == in_order(expected), slot


async def test_flows_folded_up_to_any_slot_give_the_positions_then(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    """What a later flow tells of how the key began counts for what was before it."""
    dice = random.Random(3)
    flows: list[Flow] = []
    base = {"A": 4, "B": -2, "C": 0}
    for slot in range(SLOTS):
        key, moved = dice.choice("ABC"), dice.choice([-3, -2, -1, 1, 2, 3])
        base[key] += moved
        tells: dict[str, Any] = {"base_after": D(base[key])} if dice.random() < 0.2 else {}
        flows.append(flow(make, slot, moved, dice.randrange(100), key=key, **tells))
        await writer.commit(make.batch(slot, slot, flows[-1:]), epoch=epoch)
    while await writer.refold(epoch=epoch) is not None:
        pass
    now = await stored(fetch)
    for slot in range(SLOTS):
        expected: list[Position] = []
        for key in "ABC":
            its = [one for one in flows if one.position_key == key]
            expected += fold_flows(None, [one for one in its if one.slot <= slot], find_start(its)).positions
        assert await as_of(database, now, slot) == in_order(expected), slot


async def test_what_an_account_held_between_two_looks_is_not_known(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    account = Account(writer, epoch)
    await account.show(5, K=3)
    await account.show(20, K=4)
    await account.show(30, other=1)
    now = await stored(fetch)

    async def shown(slot: int) -> Any:
        positions = await as_of(database, now, slot)
        assert positions is not None
        return [(p.status, p.size, p.complete) for p in positions if p.position_key == "K"]

    assert await shown(4) == []
    # That it was there is known; of its state then nothing is kept.
    assert await shown(10) == [("open", None, False)]
    assert await shown(20) == await shown(29) == [("open", D(4), False)]
    assert await shown(30) == [("closed", D(0), False)]


async def test_a_position_that_waits_to_be_folded_says_so_in_the_past_too(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    await writer.commit(make.batch(10, 10, [make.change(10, "increase", 5)]), epoch=epoch)
    await writer.commit(make.batch(20, 20, [make.change(20, "increase", 6)]), epoch=epoch)
    await writer.commit(make.batch(5, 5, [make.change(5, "open", 2)]), epoch=None)
    (position,) = await as_of(database, await stored(fetch), 15) or []
    assert (position.size, position.settled) == (D(5), False)
    await writer.refold(epoch=epoch)
    (position,) = await as_of(database, await stored(fetch), 15) or []
    assert (position.size, position.settled, position.complete) == (D(5), True, True)


async def test_more_than_is_allowed_is_not_read(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    for slot in range(1, 8):
        await writer.commit(make.batch(slot, slot, [make.change(slot, "increase", slot)]), epoch=epoch)
    now = await stored(fetch)
    assert await as_of(database, now, 5, most=4) is None
    assert await as_of(database, now, 5, most=5) == fold(
        None, [make.change(slot, "increase", slot) for slot in range(1, 6)]
    )


async def test_retention_leaves_the_past_above_it_as_it_was(
    database: Database, writer: Writer, epoch: int, make: Any, fetch: Any
) -> None:
    changes = [make.change(slot, "open" if slot == 1 else "increase", slot) for slot in range(1, 30)]
    for change in changes:
        await writer.commit(make.batch(change.slot, change.slot, [change]), epoch=epoch)
    (kept,) = fold(None, changes[:10])
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO heliograph.retained_positions (stream, position_key, lifecycle, position) VALUES ('s', 'P', 1, $1)",
            msgspec.json.encode(kept).decode(),
        )
        await connection.execute("UPDATE heliograph.streams SET retained_from = 11, first_slot = 11")
        await connection.execute("DELETE FROM perps.position_changes WHERE slot < 11")
    now = await stored(fetch)
    for slot in (11, 20, 28):
        assert await as_of(database, now, slot) == fold(None, changes[:slot]), slot
