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
from heliograph_graphql.topics import KEY, TOPICS, requests
from heliograph_sql.database import Database
from heliograph_sql.object_log import forget_changes

ID = "id"


class Holder:
    """A client: keeps what it is told, as a frontend does. parts: members of a message that list objects; none: itself does."""

    def __init__(self, root: str, *parts: str) -> None:
        self._root = root
        self._parts = parts
        self.told: list[tuple[str, str]] = []
        self.held: dict[str, Mapping[str, Any]] = {}
        self.snapshots = 0
        self.cursor = ""
        self._grown = asyncio.Event()

    def began(self, cursor: str) -> None:
        raise AssertionError("it begins with a snapshot")

    def offer(self, payload: str, cursor: str) -> None:
        message = orjson.loads(payload)["data"][self._root]
        self.told.append((payload, cursor))
        if message["snapshot"]:
            self.held.clear()
            self.snapshots += 1
        for listed in [message[part] for part in self._parts] or [message]:
            for node in listed["nodes"]:
                self.held[node[ID]] = node
            for gone in listed["removed"]:
                self.held.pop(gone, None)
        assert message.get("cursor", cursor) == cursor
        self.cursor = cursor
        self._grown.set()

    async def put(self, payload: str, cursor: str | None) -> None:
        assert cursor is not None
        self.offer(payload, cursor)

    def complete(self) -> None:
        raise AssertionError("it goes on")

    def fail(self, error: dict[str, Any]) -> None:
        raise AssertionError(error)

    async def until(self, wanted: Mapping[str, Mapping[str, Any]], messages: int = 0) -> None:
        """Returns once it holds just that, and was told so often."""
        try:
            async with asyncio.timeout(10):
                while self.held != wanted or len(self.told) < messages:
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
            delete = "DELETE FROM perps.positions WHERE stream = $1 AND position_key = $2"
            made.append((delete, stream, key))
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


# -- a wallet: several entities in one message

WALLET = """subscription ($after: String, $streams: [String!]) {
  wallet(address: "alice", after: $after, streams: $streams) {
    cursor snapshot stream seq address
    positions { removed nodes { id positionKey status size } }
    balances { removed nodes { id asset free } }
  } }"""
PARTS = ("positions", "balances")
PUT_BALANCE = """INSERT INTO perps.balances VALUES ($1, $2, 'USDC', $3, 0, $4, 100, 0, 0)
  ON CONFLICT (stream, wallet, asset, sub_account) DO UPDATE SET free = excluded.free"""


async def _wallet(database: Database) -> dict[str, dict[str, Any]]:
    """What queries answer, as a holder of WALLET keeps it."""
    text = """{
      positions(first: 1000, where: {wallet: {eq: "alice"}, status: {eq: OPEN}}) { nodes { id positionKey status size } }
      balances(first: 1000, where: {wallet: {eq: "alice"}}) { nodes { id asset free } } }"""
    answer = await Executor(database, ApiSettings()).execute(Request(text))
    data = orjson.loads(answer.body)["data"]
    return {node[ID]: node for part in PARTS for node in data[part]["nodes"]}


async def test_a_wallet_is_told_of_positions_and_balances_in_one_message_a_commit(
    ledger: Ledger, database: Database
) -> None:
    for wallet in ("alice", "bob"):
        await ledger.put("perps.positions", position_key=f"{wallet}-1", wallet=wallet)
        await ledger.put("perps.balances", wallet=wallet, asset="USDC")
    await ledger.put("perps.positions", position_key="alice-0", wallet="alice", status="closed")
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        alice = Holder("wallet", *PARTS)
        await hub.subscribe(followed(executor, WALLET)[0], None, alice)
        assert alice.held == await _wallet(database)
        assert {node.get("positionKey") for node in alice.held.values()} == {"alice-1", None}
        for statements in (
            [("UPDATE perps.positions SET size = 9 WHERE wallet = 'bob'",)],
            [
                ("UPDATE perps.positions SET size = 7 WHERE wallet = 'alice'",),
                ("UPDATE perps.balances SET free = 3",),
            ],
            [("UPDATE perps.balances SET free = 2 WHERE wallet = 'alice'",)],
            [("UPDATE perps.positions SET status = 'closed'",)],
        ):
            await change(ledger, *statements)
            await alice.until(await _wallet(database))
        first, both, balance, closed = (orjson.loads(told)["data"]["wallet"] for told, _ in alice.told)
        assert (first["snapshot"], first["stream"], first["seq"], first["address"]) == (
            True,
            None,
            None,
            "alice",
        )
        assert (both["snapshot"], both["stream"], both["seq"]) == (False, "godark", "2")
        assert [node["size"] for node in both["positions"]["nodes"]] == ["7"]
        assert [node["free"] for node in both["balances"]["nodes"]] == ["3"]
        assert balance["positions"] == {"removed": [], "nodes": []}
        assert closed["positions"] == {"removed": [both["positions"]["nodes"][0][ID]], "nodes": []}
        assert closed["balances"] == {"removed": [], "nodes": []}


async def test_a_wallet_resumed_at_any_cursor_on_another_replica_hears_what_came_behind_it_once(
    ledger: Ledger, database: Database, seed: int
) -> None:
    dice = random.Random(seed)
    other = Ledger(database, "other")
    await other.create()
    executor = Executor(database, ApiSettings())
    async with running(database) as hub, running(database) as replica:
        alice = Holder("wallet", *PARTS)
        await hub.subscribe(followed(executor, WALLET)[0], None, alice)
        changed = 0
        for number in range(25):
            writer, wallet = dice.choice([ledger, other]), dice.choice(["alice", "alice", "bob"])
            changed += wallet == "alice"
            statements = [(PUT_BALANCE, writer.stream, wallet, number, time_of(100))]
            statements += _random_statements(dice, writer.stream, f"{wallet}-{dice.randrange(3)}", wallet)
            await change(writer, *statements)
        # The last of each stream is heard by everybody.
        for writer in (ledger, other):
            await change(writer, ("UPDATE perps.balances SET free = 1000 WHERE stream = $1", writer.stream))
        await alice.until(await _wallet(database), 1 + changed + 2)
        caught_up = Holder("wallet", *PARTS)
        await replica.subscribe(followed(executor, WALLET)[0], None, caught_up)
        await caught_up.until(alice.held)
        for _, cursor in alice.told:
            late = Holder("wallet", *PARTS)
            feed, after = followed(executor, WALLET, after=cursor)
            await replica.subscribe(feed, after, late)
            heard = [(m["stream"], m["seq"]) for m in _messages(late)]
            assert len(set(heard)) == len(heard)
            assert late.snapshots == 0
            assert set(heard) == {(m["stream"], m["seq"]) for m in _messages(alice)} - _seen(alice, cursor)
            replica.leave(feed, late)


def _messages(holder: Holder) -> list[dict[str, Any]]:
    return [orjson.loads(told)["data"]["wallet"] for told, _ in holder.told]


def _seen(holder: Holder, cursor: str) -> set[tuple[str | None, str | None]]:
    """What was told up to that cursor."""
    cursors = [each for _, each in holder.told]
    return {(m["stream"], m["seq"]) for m in _messages(holder)[: cursors.index(cursor) + 1]}


async def test_a_wallet_may_be_followed_in_one_stream_alone(ledger: Ledger, database: Database) -> None:
    other = Ledger(database, "other")
    await other.create()
    for writer in (ledger, other):
        await writer.put("perps.balances", wallet="alice", asset="USDC")
    executor = Executor(database, ApiSettings())
    async with running(database) as hub:
        alice = Holder("wallet", *PARTS)
        await hub.subscribe(followed(executor, WALLET, streams=["other"])[0], None, alice)
        assert len(alice.held) == 1
        await change(ledger, ("UPDATE perps.balances SET free = 5 WHERE stream = 'godark'",))
        await change(other, ("UPDATE perps.balances SET free = 6 WHERE stream = 'other'",))
        await alice.until({id_: {**node, "free": "6"} for id_, node in alice.held.items()})
        assert [m["stream"] for m in _messages(alice)] == [None, "other"]


async def test_what_of_a_wallet_is_not_selected_makes_no_message(ledger: Ledger, database: Database) -> None:
    await ledger.put("perps.positions", position_key="p", wallet="alice")
    await ledger.put("perps.balances", wallet="alice", asset="USDC")
    executor = Executor(database, ApiSettings())
    text = """subscription { wallet(address: "alice") { cursor __typename
      few: positions { nodes { positionKey } } positions { __typename gone: removed nodes { size } } } }"""
    any_change = """subscription { wallet(address: "alice") { seq } }"""
    async with running(database) as hub:
        few, any_ = _Payloads(), _Payloads()
        for receiver, asked in ((few, text), (any_, any_change)):
            await hub.subscribe(followed(executor, asked)[0], None, receiver)
        await change(ledger, ("UPDATE perps.balances SET free = 1",))
        await change(ledger, ("UPDATE perps.positions SET size = 4",))
        await any_.until(3)
        await few.until(2)
    assert [m["seq"] for m in any_.told] == [None, "1", "2"]
    assert [{**m, "cursor": ""} for m in few.told] == [
        {
            "cursor": "",
            "__typename": "WalletUpdate",
            "few": {"nodes": [{"positionKey": "p"}]},
            "positions": {"__typename": "WalletPositions", "gone": [], "nodes": [{"size": size}]},
        }
        for size in (None, "4")
    ]


class _Payloads:
    """A client that keeps messages as they come."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self._grown = asyncio.Event()

    def began(self, cursor: str) -> None:
        raise AssertionError("it begins with a snapshot")

    def offer(self, payload: str, cursor: str) -> None:
        self.told.append(orjson.loads(payload)["data"]["wallet"])
        self._grown.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.told) < count:
                self._grown.clear()
                await self._grown.wait()

    async def put(self, payload: str, cursor: str | None) -> None:
        self.offer(payload, cursor or "")

    def complete(self) -> None:
        raise AssertionError("it goes on")

    def fail(self, error: dict[str, Any]) -> None:
        raise AssertionError(error)


async def test_a_wallet_of_too_many_is_refused_with_what_to_do(ledger: Ledger, database: Database) -> None:
    for number in range(3):
        await ledger.put("perps.positions", position_key=f"p{number}", wallet="alice")
    executor = Executor(database, ApiSettings(message_objects=2))
    async with running(database) as hub:
        feed, _ = followed(executor, WALLET)
        with pytest.raises(GraphQLError, match="more than 2 positions match: follow `positions`"):
            await hub.subscribe(feed, None, Holder("wallet", *PARTS))


async def test_the_topic_wallet_holds_the_same(ledger: Ledger, database: Database) -> None:
    for number, status in enumerate(["open", "closed", "liquidated"]):
        await ledger.put("perps.positions", position_key=f"p{number}", wallet="alice", status=status)
    await ledger.put("perps.balances", wallet="alice", asset="USDC")
    executor = Executor(database, ApiSettings())
    held: set[str] = set()
    async with running(database) as hub:
        for request in requests(TOPICS["wallet"], "alice", None, executor.catalog).values():
            feed, _ = executor.feed(request)
            holder = Holder(KEY)
            await hub.subscribe(feed, None, holder)
            held |= holder.held.keys()
        alice = Holder("wallet", *PARTS)
        await hub.subscribe(followed(executor, WALLET)[0], None, alice)
    assert alice.held.keys() == held
    assert len(held) == 2
