"""Whole objects followed live: what there is first, then each that changes, and the ids of those that match no more."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from graphql import GraphQLError
from tests.graphql.conftest import Ledger, time_of
from tests.graphql.test_hub import ALL_SEEN, Receiver, feed_of, running

from heliograph_graphql.executor import Executor, Request
from heliograph_graphql.hub import EndingFeed, Feed
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.object_log import forget_changes

ID = "id"


class Holder:
    """A client: keeps what it is told, as a frontend does."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.held: dict[str, Mapping[str, Any]] = {}
        self.snapshots = 0
        self.cursor = ""
        self._grown = asyncio.Event()

    def began(self, cursor: str) -> None:
        raise AssertionError("it begins with a snapshot")

    def offer(self, payload: str, cursor: str) -> None:
        message = orjson.loads(payload)["data"][self._root]
        if message["snapshot"]:
            self.held.clear()
            self.snapshots += 1
        for node in message["nodes"]:
            self.held[node[ID]] = node
        for gone in message["removed"]:
            self.held.pop(gone, None)
        assert message["cursor"] == cursor
        self.cursor = cursor
        self._grown.set()

    async def put(self, payload: str, cursor: str | None) -> None:
        assert cursor is not None
        self.offer(payload, cursor)

    def complete(self) -> None:
        raise AssertionError("it goes on")

    def fail(self, error: dict[str, Any]) -> None:
        raise AssertionError(error)

    async def until(self, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Returns once it holds just that."""
        try:
            async with asyncio.timeout(10):
                while self.held != wanted:
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            assert self.held == wanted


def followed(executor: Executor, text: str, **variables: Any) -> tuple[Feed, str | None]:
    feed, after = executor.feed(Request(text, None, variables))
    assert not isinstance(feed, EndingFeed)
    return feed, after


async def change(ledger: Ledger, *statements: tuple[Any, ...], kind: str = "accounts") -> None:
    """One commit whose transaction changes objects."""
    async with ledger.database.acquire() as connection, connection.transaction():
        for statement, *values in statements:
            await connection.execute(statement, *values)
        seq = await connection.fetchval(
            "UPDATE heliograph.streams SET seq = seq + 1 WHERE name = $1 RETURNING seq", ledger.stream
        )
        await connection.execute(
            "INSERT INTO heliograph.commits (stream, seq, kind, origin, first_slot, last_slot, row_count)"
            " VALUES ($1, $2, $3, 'live', 100, 100, 0)",
            ledger.stream,
            seq,
            kind,
        )
        await connection.execute("SELECT pg_notify('heliograph', '')")


POSITIONS = """subscription ($wallet: String, $after: String) {
  positions(where: {wallet: {eq: $wallet}, status: {eq: OPEN}}, after: $after) {
    cursor snapshot removed nodes { id positionKey status size } } }"""


async def matching(database: Database, wallet: str) -> dict[str, dict[str, Any]]:
    executor = Executor(database, ApiSettings())
    text = """query ($wallet: String) { positions(first: 1000, where: {wallet: {eq: $wallet}, status: {eq: OPEN}}) {
      nodes { id positionKey status size } } }"""
    answer = await executor.execute(Request(text, None, {"wallet": wallet}))
    return {node[ID]: node for node in orjson.loads(answer.body)["data"]["positions"]["nodes"]}


async def test_a_position_is_told_whole_while_it_matches_and_its_id_once_it_does_not(
    ledger: Ledger, database: Database
) -> None:
    await ledger.put("perps.positions", position_key="p1", wallet="alice", status="open")
    await ledger.put("perps.positions", position_key="p2", wallet="bob", status="open")
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        alice = Holder("positions")
        await hub.subscribe(followed(executor, POSITIONS, wallet="alice")[0], None, alice)
        assert [node["positionKey"] for node in alice.held.values()] == ["p1"]
        await change(ledger, ("UPDATE perps.positions SET size = 7",))
        await alice.until(await matching(database, "alice"))
        assert [node["size"] for node in alice.held.values()] == ["7"]
        await change(ledger, ("UPDATE perps.positions SET status = 'closed' WHERE wallet = 'alice'",))
        await alice.until({})
        await change(ledger, ("UPDATE perps.positions SET status = 'open' WHERE wallet = 'alice'",))
        await alice.until(await matching(database, "alice"))
        assert alice.held
        await change(ledger, ("DELETE FROM perps.positions WHERE wallet = 'alice'",), kind="amend")
        await alice.until({})
        assert alice.snapshots == 1


async def test_followers_hold_what_a_query_answers_however_they_come_and_go(
    ledger: Ledger, database: Database
) -> None:
    seed = 11
    print(f"seed {seed}")
    dice = random.Random(seed)
    wallets = ["alice", "bob", "carol"]
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        holders = {wallet: Holder("positions") for wallet in wallets}
        feeds: dict[str, Feed] = {}

        async def join(wallet: str) -> None:
            holder = holders[wallet]
            feed, after = followed(executor, POSITIONS, wallet=wallet, after=holder.cursor or None)
            feeds[wallet] = feed
            await hub.subscribe(feed, after, holder)

        for _ in range(80):
            wallet = dice.choice(wallets)
            if wallet in feeds and dice.random() < 0.3:
                hub.leave(feeds.pop(wallet), holders[wallet])
            elif wallet not in feeds:
                await join(wallet)
            key = f"p{dice.randrange(5)}"
            await change(ledger, *_random_statements(dice, ledger.stream, key, dice.choice(wallets)))
        for wallet in set(wallets) - set(feeds):
            await join(wallet)
        for wallet in wallets:
            await holders[wallet].until(await matching(database, wallet))
            assert holders[wallet].snapshots == 1


def _random_statements(dice: random.Random, stream: str, key: str, wallet: str) -> list[tuple[Any, ...]]:
    insert = """INSERT INTO perps.positions (stream, position_key, opened_slot, opened_tx_index, opened_ordinal, lifecycle,
        program, market, wallet, side, status, size, realized_pnl, fees, funding, changes, opened_at, updated_at,
        updated_slot, updated_tx_index, updated_ordinal, complete, settled)
        VALUES ($1, $2, $3, 0, 0, 1, 'Prog', 'sol', $4, 'long', $5, $6, 0, 0, 0, 1, $7, $7, 100, 0, 0, true, true)
        ON CONFLICT (stream, position_key, opened_slot, opened_tx_index, opened_ordinal)
        DO UPDATE SET status = excluded.status, size = excluded.size, wallet = excluded.wallet"""
    made: list[tuple[Any, ...]] = []
    for _ in range(dice.randrange(1, 4)):
        if dice.random() < 0.25:
            made.append(("DELETE FROM perps.positions WHERE position_key = $1", key))
        else:
            status = dice.choice(["open", "open", "closed"])
            made.append(
                (insert, stream, key, dice.randrange(2), wallet, status, dice.randrange(9), time_of(100))
            )
    return made


async def test_markets_and_balances_are_followed_too(ledger: Ledger, database: Database) -> None:
    await ledger.put("perps.markets", market="sol", symbol="SOL-PERP")
    await ledger.put("perps.balances", wallet="alice", asset="USDC")
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        for root, table, key in (
            ("markets", "perps.markets", "market"),
            ("balances", "perps.balances", "wallet"),
        ):
            holder = Holder(root)
            field = {"markets": "markPrice", "balances": "free"}[root]
            text = f"subscription {{ {root} {{ cursor snapshot removed nodes {{ id {field} }} }} }}"
            await hub.subscribe(followed(executor, text)[0], None, holder)
            (id_,) = holder.held
            column = {"markets": "mark_price", "balances": "free"}[root]
            await change(ledger, (f"UPDATE {table} SET {column} = 12.50",))
            await holder.until({id_: {"id": id_, field: "12.5"}})
            await change(ledger, (f"DELETE FROM {table} WHERE {key} IS NOT NULL",))
            await holder.until({})


async def test_a_commit_that_changes_none_that_match_is_no_message(
    ledger: Ledger, database: Database
) -> None:
    await ledger.put("perps.positions", position_key="p1", wallet="alice", status="open")
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        holder = Holder("positions")
        await hub.subscribe(followed(executor, POSITIONS, wallet="alice")[0], None, holder)
        before = holder.cursor
        await ledger.put("perps.positions", position_key="p2", wallet="bob", status="open")
        await change(ledger, ("UPDATE perps.positions SET size = 3 WHERE wallet = 'bob'",))
        other = Receiver()
        await hub.subscribe(feed_of(database, ALL_SEEN), None, other)
        await ledger.trades(101)
        await other.until(1)
        assert holder.cursor == before


async def test_a_snapshot_of_too_many_is_refused_with_what_to_do(ledger: Ledger, database: Database) -> None:
    for number in range(3):
        await ledger.put("perps.positions", position_key=f"p{number}", wallet="alice", status="open")
    executor = Executor(database, ApiSettings(message_objects=2))
    async with running(database) as hub:
        feed, _ = followed(executor, POSITIONS, wallet="alice")
        with pytest.raises(GraphQLError, match="more than 2 positions match: narrow `where`"):
            await hub.subscribe(feed, None, Holder("positions"))


async def test_who_was_away_for_longer_than_changes_are_kept_gets_all_anew(
    ledger: Ledger, database: Database
) -> None:
    await ledger.put("perps.positions", position_key="p1", wallet="alice", status="open")
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        holder = Holder("positions")
        feed, _ = followed(executor, POSITIONS, wallet="alice")
        await hub.subscribe(feed, None, holder)
        hub.leave(feed, holder)
        await change(ledger, ("UPDATE perps.positions SET status = 'closed'",))
        await forget_changes(database, kept_s=0)
        feed, after = followed(executor, POSITIONS, wallet="alice", after=holder.cursor)
        await hub.subscribe(feed, after, holder)
        await holder.until({})
        assert holder.snapshots == 2


async def test_what_identifies_an_object_is_noted(database: Database) -> None:
    async with database.acquire() as connection:
        rows = await connection.fetch(
            """SELECT tgrelid::regclass::text AS name, string_to_array(trim(trailing '|' from
                   replace(encode(tgargs, 'escape'), '\\000', '|')), '|') AS key
            FROM pg_trigger WHERE tgname LIKE 'note_%'"""
        )
    noted = {(row["name"], *row["key"]) for row in rows}
    followed_ones = Executor(database, ApiSettings()).catalog.followed
    assert noted == {
        (entity.table, *(each for each in entity.identity if each != "stream")) for entity in followed_ones
    }
    assert len(rows) == 3 * len(followed_ones)
