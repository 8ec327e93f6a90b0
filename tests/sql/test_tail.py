"""The tail of the commit log: nothing skipped, nothing twice, in order, whatever happens to notifications and connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from heliograph_sql.database import Database
from heliograph_sql.tail import Commit, Tail


async def add_stream(database: Database, name: str) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO heliograph.streams (name, protocol, programs, first_slot) VALUES ($1, 'godark', '{P}', 1)",
            name,
        )


async def commit(database: Database, stream: str, count: int = 1, *, notify: bool = True) -> None:
    async with database.acquire() as connection:
        for _ in range(count):
            async with connection.transaction():
                await connection.execute(
                    "WITH made AS (UPDATE heliograph.streams SET seq = seq + 1 WHERE name = $1 RETURNING seq)"
                    " INSERT INTO heliograph.commits (stream, seq, kind, origin, first_slot, last_slot, row_count)"
                    " SELECT $1, seq, 'apply', 'live', seq, seq, 0 FROM made",
                    stream,
                )
                if notify:
                    await connection.execute("SELECT pg_notify('heliograph', $1)", f"{stream} 0")


@asynccontextmanager
async def running(
    database: Database, *, poll_interval_s: float = 60.0, window: int = 1000
) -> AsyncIterator[Tail]:
    tail = Tail(database, poll_interval_s=poll_interval_s, window=window)
    task = asyncio.create_task(tail.run())
    try:
        await asyncio.wait_for(tail.started(), 10)
        yield tail
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def take(following: AsyncIterator[Commit], count: int) -> list[tuple[str, int]]:
    async with asyncio.timeout(10):
        return [(found.stream, found.seq) for found in [await anext(following) for _ in range(count)]]


async def test_a_notification_wakes_the_reader(database: Database) -> None:
    await add_stream(database, "a")
    async with running(database) as tail:
        following = tail.follow()
        taking = asyncio.create_task(take(following, 3))
        await commit(database, "a", 3)
        assert await taking == [("a", 1), ("a", 2), ("a", 3)]


async def test_without_notifications_the_log_is_polled(database: Database) -> None:
    await add_stream(database, "a")
    async with running(database, poll_interval_s=0.05) as tail:
        taking = asyncio.create_task(take(tail.follow(), 2))
        await commit(database, "a", 2, notify=False)
        assert await taking == [("a", 1), ("a", 2)]


async def test_what_was_committed_before_is_read_from_the_position_given(database: Database) -> None:
    await add_stream(database, "a")
    await commit(database, "a", 5)
    async with running(database) as tail:
        assert tail.heads == {"a": 5}
        following = tail.follow({"a": 2})
        assert await take(following, 3) == [("a", 3), ("a", 4), ("a", 5)]
        await commit(database, "a")
        assert await take(following, 1) == [("a", 6)]


async def test_a_follower_far_behind_the_window_misses_nothing(database: Database) -> None:
    await add_stream(database, "a")
    async with running(database, window=3) as tail:
        following = tail.follow({"a": 0})
        await commit(database, "a", 20)
        assert await take(following, 20) == [("a", seq) for seq in range(1, 21)]


async def test_each_of_several_followers_gets_every_commit_of_every_stream(database: Database) -> None:
    for name in ("a", "b"):
        await add_stream(database, name)
    async with running(database) as tail:
        tasks = [asyncio.create_task(take(tail.follow(), 10)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.gather(commit(database, "a", 5), commit(database, "b", 5))
        for found in await asyncio.gather(*tasks):
            assert [seq for name, seq in found if name == "a"] == [1, 2, 3, 4, 5]
            assert [seq for name, seq in found if name == "b"] == [1, 2, 3, 4, 5]


async def test_a_stream_that_appears_later_is_followed_from_its_first_commit(database: Database) -> None:
    async with running(database, poll_interval_s=0.05) as tail:
        following = tail.follow()
        await add_stream(database, "new")
        await commit(database, "new", 2)
        assert await take(following, 2) == [("new", 1), ("new", 2)]


async def test_a_lost_connection_is_made_anew_and_costs_no_commit(database: Database) -> None:
    await add_stream(database, "a")
    async with running(database) as tail:
        following = tail.follow()
        await commit(database, "a")
        assert await take(following, 1) == [("a", 1)]
        for number in range(3):
            async with database.acquire() as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            await commit(database, "a")
            assert await take(following, 1) == [("a", number + 2)]


async def test_a_stream_made_anew_is_followed_from_its_beginning(database: Database) -> None:
    await add_stream(database, "a")
    await commit(database, "a", 3)
    async with running(database, poll_interval_s=0.05) as tail:
        following = tail.follow()
        taking = asyncio.create_task(take(following, 2))
        async with database.acquire() as connection:
            await connection.execute("DELETE FROM heliograph.streams")
        await add_stream(database, "a")
        await commit(database, "a", 2)
        assert await taking == [("a", 1), ("a", 2)]


async def test_stopping_gives_the_connection_back(database: Database) -> None:
    async with running(database):
        pass
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    assert database._pool.get_idle_size() == database._pool.get_size()


@pytest.mark.parametrize("count", [1200])
async def test_a_burst_is_read_in_order(database: Database, count: int) -> None:
    await add_stream(database, "a")
    async with running(database, window=100) as tail:
        following = tail.follow()
        writing = asyncio.create_task(commit(database, "a", count))
        assert await take(following, count) == [("a", seq) for seq in range(1, count + 1)]
        await writing
