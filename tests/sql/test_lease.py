"""One leader a stream, by the database's clock; each change of leader raises the epoch."""

from __future__ import annotations

import asyncio

import pytest

from heliograph_core.errors import LeaseLost
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.streams import StreamRow, get_stream


async def test_one_of_many_leads(database: Database, stream: StreamRow) -> None:
    leases = [Lease(database, "s", f"holder-{number}") for number in range(5)]
    epochs = await asyncio.gather(*(lease.acquire() for lease in leases))
    assert sorted(epoch for epoch in epochs if epoch is not None) == [1]
    found = await get_stream(database, "s")
    assert found is not None and found.led and found.epoch == 1


async def test_a_living_lease_is_kept_from_others_and_renewed(database: Database, stream: StreamRow) -> None:
    leader, other = Lease(database, "s", "leader"), Lease(database, "s", "other")
    await leader.acquire()
    await leader.renew()
    assert await other.acquire() is None
    assert leader.epoch == 1


async def test_an_expired_lease_is_taken_over_and_the_old_leader_learns_it(
    database: Database, stream: StreamRow
) -> None:
    sleeper, other = Lease(database, "s", "sleeper", ttl_s=0.0), Lease(database, "s", "other")
    assert await sleeper.acquire() == 1
    assert await other.acquire() == 2
    with pytest.raises(LeaseLost, match="epoch 1 is over"):
        await sleeper.renew()
    assert sleeper.epoch is None
    await sleeper.release()
    await other.renew()


async def test_a_late_renewal_counts_while_nobody_took_over(database: Database, stream: StreamRow) -> None:
    lease = Lease(database, "s", "sleeper", ttl_s=0.0)
    await lease.acquire()
    await lease.renew()
    assert lease.epoch == 1


async def test_a_released_lease_is_free_at_once(database: Database, stream: StreamRow) -> None:
    first, second = Lease(database, "s", "first"), Lease(database, "s", "second")
    await first.acquire()
    await first.release()
    await first.release()
    assert await second.acquire() == 2


async def test_the_same_holder_may_acquire_again_with_a_new_epoch(
    database: Database, stream: StreamRow
) -> None:
    assert await Lease(database, "s", "holder").acquire() == 1
    assert await Lease(database, "s", "holder").acquire() == 2


async def test_a_stream_that_is_not_there_has_no_leader(database: Database) -> None:
    assert await Lease(database, "absent", "holder").acquire() is None


async def test_a_lease_from_before_the_clock_was_set_back_does_not_outlive_its_time(
    database: Database, stream: StreamRow
) -> None:
    dead, other = Lease(database, "s", "dead"), Lease(database, "s", "other")
    await dead.acquire()
    assert await other.acquire() is None
    async with database.acquire() as connection:
        # What setting the server's clock back by an hour makes of the row.
        await connection.execute(
            "UPDATE heliograph.streams SET leader_expires = leader_expires + interval '1 hour',"
            " leader_renewed = leader_renewed + interval '1 hour'"
        )
    assert await other.acquire() == 2


async def test_a_leader_keeps_its_lease_when_the_clock_is_set(database: Database, stream: StreamRow) -> None:
    leader, other = Lease(database, "s", "leader"), Lease(database, "s", "other")
    await leader.acquire()
    for shift in ("1 hour", "-1 hour"):
        async with database.acquire() as connection:
            await connection.execute(
                "UPDATE heliograph.streams SET leader_expires = leader_expires + $1::text::interval,"
                " leader_renewed = leader_renewed + $1::text::interval",
                shift,
            )
        await leader.renew()
        assert await other.acquire() is None
