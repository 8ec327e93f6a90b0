"""Subscriptions end to end: a real websocket client, a real server, a real database."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from heliograph_core.cursor import StreamPosition, encode_stream
from heliograph_sql.database import Database

TRADES = """subscription ($after: String, $where: TradeFilter, $streams: [String!], $history: Boolean) {
  trades(after: $after, where: $where, streams: $streams, history: $history) {
    cursor kind origin stream seq firstSlot lastSlot discard { fromSlot throughSlot } nodes { tradeId slot price }
  }
}"""


class Client:
    """One websocket connection that speaks graphql-transport-ws."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    async def subscribe(self, query: str = TRADES, name: str = "1", **variables: Any) -> None:
        payload = {"query": query, "variables": variables}
        await self.socket.send(json.dumps({"id": name, "type": "subscribe", "payload": payload}))

    async def frame(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            found: dict[str, Any] = json.loads(await self.socket.recv())
            return found

    async def message(self, name: str = "1") -> dict[str, Any]:
        """The next message of one subscription: the object under its root field."""
        while not self._waiting.get(name):
            frame = await self.frame()
            assert frame["type"] == "next", frame
            self._waiting.setdefault(frame["id"], []).append(frame["payload"]["data"])
        (found,) = self._waiting[name].pop(0).values()
        assert isinstance(found, dict)
        return found

    async def is_live(self) -> None:
        """Returns once everything sent so far was handled: the server answers in order, replay included."""
        await self.subscribe("{ __typename }", name="probe")
        while (await self.frame()).get("id") != "probe":
            pass
        assert (await self.frame())["type"] == "complete"


@asynccontextmanager
async def connect(url: str, **options: Any) -> AsyncIterator[Client]:
    async with websockets.connect(url, subprotocols=["graphql-transport-ws"], **options) as socket:  # type: ignore[list-item]
        await socket.send('{"type":"connection_init"}')
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        yield Client(socket)


def ids(message: dict[str, Any]) -> list[str]:
    return [node["tradeId"] for node in message["nodes"]]


def start(database: Database) -> str:
    """The cursor before the first commit: resuming from it replays all."""
    return encode_stream({"godark": StreamPosition.after(0)})


async def test_a_commit_arrives_as_one_message_in_chain_order(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(after=start(ledger.database))
        await ledger.commit(
            {
                104: {"perps.trades": [{"trade_id": "c"}, {"trade_id": "d"}]},
                101: {"perps.trades": [{"trade_id": "a"}]},
            }
        )
        message = await client.message()
    cursor = message.pop("cursor")
    assert message == {
        "kind": "APPLY",
        "origin": "LIVE",
        "stream": "godark",
        "seq": "1",
        "firstSlot": "101",
        "lastSlot": "104",
        "discard": None,
        "nodes": [
            {"tradeId": "a", "slot": "101", "price": "150.25"},
            {"tradeId": "c", "slot": "104", "price": "150.25"},
            {"tradeId": "d", "slot": "104", "price": "150.25"},
        ],
    }
    assert cursor == encode_stream({"godark": StreamPosition.after(1)})


async def test_what_was_missed_is_replayed_then_live_goes_on(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    for slot in (101, 102, 103):
        await ledger.trades(slot)
    async with connect(server.ws_url) as client:
        await client.subscribe(after=encode_stream({"godark": StreamPosition.after(1)}))
        assert [ids(await client.message()) for _ in range(2)] == [["102"], ["103"]]
        await ledger.trades(104)
        assert ids(await client.message()) == ["104"]


async def test_without_a_cursor_only_what_is_new_comes(ledger: Any, servers: Any) -> None:
    await ledger.trades(101)
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe()
        await client.is_live()
        await ledger.trades(102)
        assert ids(await client.message()) == ["102"]


async def test_a_lost_notification_costs_no_row(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(after=start(ledger.database))
        await ledger.trades(101, notify=False)
        assert ids(await client.message()) == ["101"]


async def test_resuming_at_random_places_gives_each_row_exactly_once(
    ledger: Any, servers: Any, seed: int
) -> None:
    dice = random.Random(seed)
    server = await servers.start(message_rows=3)
    written: list[str] = []

    async def write() -> None:
        slot = 100
        for _ in range(60):
            slots = {}
            for _ in range(dice.randint(1, 4)):
                slot += dice.randint(1, 3)
                trades = [{"trade_id": f"{slot}-{n}"} for n in range(dice.randint(0, 4))]
                slots[slot] = {"perps.trades": trades}
                written.extend(trade["trade_id"] for trade in trades)
            await ledger.commit(slots)
        # The reader reads up to here: commits without a trade are not told.
        await ledger.commit({slot + 1: {"perps.trades": [{"trade_id": "last"}]}})
        written.append("last")

    writing = asyncio.create_task(write())
    cursor = start(ledger.database)
    received: list[str] = []
    while "last" not in received:
        async with connect(server.ws_url) as client:
            await client.subscribe(after=cursor)
            for _ in range(dice.randint(1, 5)):
                if "last" in received:
                    break
                message = await client.message()
                cursor = message["cursor"]
                received.extend(ids(message))
    await writing
    assert received == written


async def test_a_correction_discards_its_slots_and_carries_their_rows_now(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(after=start(ledger.database))
        await ledger.trades(101, 102, 103)
        assert ids(await client.message()) == ["101", "102", "103"]
        await ledger.commit({101: {"perps.trades": [{"trade_id": "new"}]}, 103: {}}, kind="correct")
        message = await client.message()
    assert message["kind"] == "CORRECT"
    assert message["discard"] == {"fromSlot": "101", "throughSlot": "103"}
    # 102 was not rewritten but lies in what is discarded, so it comes again.
    assert ids(message) == ["new", "102"]


async def test_a_correction_reaches_those_whose_filter_matches_nothing_now(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(after=start(ledger.database), where={"tradeId": {"eq": "101"}})
        await ledger.trades(101)
        assert ids(await client.message()) == ["101"]
        await ledger.commit({101: {}}, kind="correct")
        message = await client.message()
    assert (message["discard"], message["nodes"]) == ({"fromSlot": "101", "throughSlot": "101"}, [])


async def test_a_slot_rewritten_while_away_is_sent_once_and_as_it_is_now(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    await ledger.trades(101)
    for name in ("first", "second"):
        await ledger.commit({101: {"perps.trades": [{"trade_id": name}]}}, kind="correct")
    async with connect(server.ws_url) as client:
        await client.subscribe(after=encode_stream({"godark": StreamPosition.after(1)}))
        messages = [await client.message(), await client.message()]
    assert [ids(message) for message in messages] == [[], ["second"]]
    assert all(message["discard"] == {"fromSlot": "101", "throughSlot": "101"} for message in messages)


async def test_where_decides_which_rows_come_and_empty_messages_do_not(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(
            after=start(ledger.database),
            where={
                "price": {"gt": "200"},
                "or": [{"takerSide": {"eq": "SHORT"}}, {"taker": {"in": ["carol"]}}],
            },
        )
        await ledger.trades(101)
        rows = [
            {"trade_id": "cheap", "price": Decimal(1), "taker_side": "short"},
            {"trade_id": "short", "price": Decimal(201), "taker_side": "short"},
            {"trade_id": "carol", "price": Decimal(201), "taker": "carol"},
            {"trade_id": "other", "price": Decimal(201)},
        ]
        await ledger.commit({102: {"perps.trades": rows}})
        message = await client.message()
    assert (message["seq"], ids(message)) == ("2", ["short", "carol"])


async def test_backfill_comes_only_with_history(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(after=start(ledger.database), name="1")
        await client.subscribe(after=start(ledger.database), name="2", history=True)
        for slot, origin in ((101, "backfill"), (102, "replay"), (103, "heal"), (104, "live")):
            await ledger.trades(slot, origin=origin)
        assert [ids(await client.message("2")) for _ in range(4)] == [["101"], ["102"], ["103"], ["104"]]
        assert [ids(await client.message("1")) for _ in range(2)] == [["103"], ["104"]]


async def test_a_large_commit_comes_in_parts_that_can_be_resumed_between(ledger: Any, servers: Any) -> None:
    server = await servers.start(message_rows=2)
    await ledger.trades(101, 102, 103, 104, 105)
    cursors = [start(ledger.database)]
    async with connect(server.ws_url) as client:
        await client.subscribe(after=cursors[0])
        for expected in (["101", "102"], ["103", "104"], ["105"]):
            message = await client.message()
            assert ids(message) == expected
            cursors.append(message["cursor"])
    async with connect(server.ws_url) as client:
        await client.subscribe(after=cursors[1])
        assert [ids(await client.message()) for _ in range(2)] == [["103", "104"], ["105"]]


async def test_a_cursor_older_than_the_log_is_expired(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    for slot in (101, 102, 103):
        await ledger.trades(slot)
    async with ledger.database.acquire() as connection:
        await connection.execute("DELETE FROM heliograph.commits WHERE seq < 3")
    async with connect(server.ws_url) as client:
        await client.subscribe(after=encode_stream({"godark": StreamPosition.after(1)}))
        frame = await client.frame()
        assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", "CURSOR_EXPIRED")
        await client.subscribe(after=encode_stream({"godark": StreamPosition.after(2)}))
        assert ids(await client.message()) == ["103"]


@pytest.mark.parametrize("cursor", ["nonsense", "c3si", encode_stream({"godark": StreamPosition.after(77)})])
async def test_a_forged_cursor_is_refused(ledger: Any, servers: Any, cursor: str) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(after=cursor)
        frame = await client.frame()
    assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", "CURSOR_INVALID")


async def test_twenty_subscribers_with_their_own_filters_get_their_rows_and_no_others(
    ledger: Any, servers: Any
) -> None:
    server = await servers.start()
    takers = [f"wallet{number}" for number in range(20)]

    async def follow(taker: str) -> list[str]:
        async with connect(server.ws_url) as client:
            await client.subscribe(after=start(ledger.database), where={"taker": {"eq": taker}})
            return [name for _ in range(5) for name in ids(await client.message())]

    following = [asyncio.create_task(follow(taker)) for taker in takers]
    for round_number in range(5):
        rows = [{"trade_id": f"{taker}-{round_number}", "taker": taker} for taker in takers]
        await ledger.commit({101 + round_number: {"perps.trades": rows}})
    received = await asyncio.gather(*following)
    assert received == [[f"{taker}-{number}" for number in range(5)] for taker in takers]


async def test_a_slow_client_is_closed_with_the_cursor_to_resume_from(ledger: Any, servers: Any) -> None:
    server = await servers.start(queue_messages=8, send_timeout_s=5)
    # More than the sockets of both sides hold.
    wide = "x" * 400_000
    async with connect(server.ws_url, max_queue=1, compression=None) as client:
        await client.subscribe(
            after=start(ledger.database), query=TRADES.replace("price", "takerOrderId price")
        )
        for slot in range(101, 161):
            await ledger.commit({slot: {"perps.trades": [{"trade_id": str(slot), "taker_order_id": wide}]}})
        received = []
        cursor = None
        while True:
            frame = await client.frame()
            if frame["type"] == "error":
                break
            (message,) = frame["payload"]["data"].values()
            received.extend(ids(message))
            cursor = message["cursor"]
        error = frame["payload"][0]["extensions"]
        assert (error["code"], error["cursor"]) == ("SLOW_CONSUMER", cursor)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.frame()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1013
    assert 0 < len(received) < 60
    async with connect(server.ws_url) as client:
        await client.subscribe(after=cursor)
        while len(received) < 60:
            received.extend(ids(await client.message()))
    assert received == [str(slot) for slot in range(101, 161)]


async def test_who_is_too_slow_before_the_first_message_resumes_where_it_began(
    ledger: Any, servers: Any
) -> None:
    """One subscription has taken all the room; the other has no message yet, and its own first does not fit."""
    await ledger.trades(101)
    server = await servers.start(queue_messages=8, send_timeout_s=5)
    wide = "x" * 400_000
    quiet = {"taker": {"eq": "carol"}}
    async with (
        connect(server.ws_url, max_queue=1, compression=None) as client,
        connect(server.ws_url) as witness,
    ):
        await client.subscribe(name="quiet", where=quiet)
        await client.subscribe(query=TRADES.replace("price", "takerOrderId price"), name="wide")
        await witness.subscribe(where=quiet)
        for slot in range(102, 160):
            await ledger.commit({slot: {"perps.trades": [{"trade_id": str(slot), "taker_order_id": wide}]}})
        await ledger.commit({160: {"perps.trades": [{"trade_id": "160", "taker": "carol"}]}})
        # A server that is behind would meet a client that reads.
        assert ids(await witness.message()) == ["160"]
        cursor = None
        while cursor is None:
            frame = await client.frame()
            if frame["type"] == "error" and frame["id"] == "quiet":
                error = frame["payload"][0]["extensions"]
                assert error["code"] == "SLOW_CONSUMER"
                cursor = error["cursor"]
    async with connect(server.ws_url) as client:
        await client.subscribe(after=cursor, where=quiet)
        assert ids(await client.message()) == ["160"]


async def test_subscriptions_of_a_connection_are_limited(ledger: Any, servers: Any) -> None:
    server = await servers.start(subscriptions_per_connection=2)
    async with connect(server.ws_url) as client:
        for name in ("1", "2", "3"):
            await client.subscribe(name=name)
        frame = await client.frame()
    assert (frame["id"], frame["type"]) == ("3", "error")
    assert frame["payload"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"


async def test_complete_ends_one_subscription_and_frees_its_name(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(name="1")
        await client.subscribe(name="2")
        await client.socket.send('{"id":"1","type":"complete"}')
        await client.is_live()
        await ledger.trades(101)
        frame = await client.frame()
        assert (frame["id"], frame["type"]) == ("2", "next")
        await client.subscribe(name="1", after=start(ledger.database))
        assert ids(await client.message("1")) == ["101"]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (["nonsense"], 4400),
        (['{"type":"connection_init"}', '{"type":"surprise"}'], 4400),
        (['{"type":"connection_init"}', '{"type":"subscribe","payload":{"query":"{ a }"}}'], 4400),
        (['{"type":"connection_init"}', '{"type":"connection_init"}'], 4429),
        (['{"type":"subscribe","id":"1","payload":{"query":"{ a }"}}'], 4401),
        (["[]"], 4400),
    ],
)
async def test_a_client_that_breaks_the_protocol_is_closed_with_its_code(
    ledger: Any, servers: Any, frames: list[str], code: int
) -> None:
    server = await servers.start()
    async with websockets.connect(server.ws_url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        for frame in frames:
            await socket.send(frame)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == code


async def test_the_same_name_twice_closes(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(name="1")
        await client.subscribe(name="1")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.frame()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4409


async def test_a_client_that_never_initialises_is_closed(ledger: Any, servers: Any) -> None:
    server = await servers.start(init_timeout_s=0.05)
    async with websockets.connect(server.ws_url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4408


async def test_another_subprotocol_is_not_spoken(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with websockets.connect(server.ws_url, subprotocols=["graphql-ws"]) as socket:  # type: ignore[list-item]
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4406


async def test_ping_is_answered_and_queries_run_over_the_socket(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.socket.send('{"type":"ping"}')
        assert await client.frame() == {"type": "pong"}
        await client.subscribe("{ streams { nodes { name } } }", name="q")
        assert (await client.message("q")) == {"nodes": [{"name": "godark"}]}
        assert await client.frame() == {"id": "q", "type": "complete"}
        await client.subscribe("{ nonsense }", name="q")
        assert (await client.frame())["payload"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { nonsense { cursor } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ('subscription { trades(streams: ["nope"]) { cursor } }', "BAD_USER_INPUT"),
        ('subscription { trades(where: {price: {gt: "abc"}}) { cursor } }', "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { trades(where: {taker: {eq: "\\u0000"}}) { cursor } }', "BAD_USER_INPUT"),
    ],
)
async def test_a_bad_subscription_is_refused_and_the_connection_lives(
    ledger: Any, servers: Any, query: str, code: str
) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(query)
        frame = await client.frame()
        assert (frame["id"], frame["type"], frame["payload"][0]["extensions"]["code"]) == ("1", "error", code)
        await client.subscribe(after=start(ledger.database))
        await ledger.trades(101)
        assert ids(await client.message()) == ["101"]


@pytest.mark.parametrize(
    ("field", "table"),
    [
        ("positionChanges", "perps.position_changes"),
        ("fundingRates", "perps.funding_rates"),
        ("fundingPayments", "perps.funding_payments"),
        ("liquidations", "perps.liquidations"),
        ("oraclePrices", "perps.oracle_prices"),
        ("transfers", "perps.transfers"),
    ],
)
async def test_every_event_like_table_has_a_subscription(
    ledger: Any, servers: Any, field: str, table: str
) -> None:
    server = await servers.start()
    query = f"subscription ($after: String) {{ m: {field}(after: $after) {{ kind rows: nodes {{ slot __typename }} }} }}"
    async with connect(server.ws_url) as client:
        await client.subscribe(query, after=start(ledger.database))
        await ledger.commit({101: {table: [{}]}})
        message = await client.message()
    assert [row["slot"] for row in message["rows"]] == ["101"]


async def test_commits_are_followed_without_rows(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(
            "subscription ($after: String) { commits(after: $after) { seq kind } }",
            after=start(ledger.database),
        )
        await ledger.commit({101: {}})
        await ledger.commit({102: {}}, kind="amend")
        assert [await client.message(), await client.message()] == [
            {"seq": "1", "kind": "APPLY"},
            {"seq": "2", "kind": "AMEND"},
        ]


async def test_a_subscription_survives_the_loss_of_its_database_connections(
    ledger: Any, servers: Any
) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe(after=start(ledger.database))
        await ledger.trades(101)
        assert ids(await client.message()) == ["101"]
        async with ledger.database.acquire() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        await ledger.trades(102)
        assert ids(await client.message()) == ["102"]


async def test_a_stopping_server_sends_its_clients_away(ledger: Any, servers: Any) -> None:
    server = await servers.start()
    async with connect(server.ws_url) as client:
        await client.subscribe()
        await client.is_live()
        stopping = asyncio.create_task(server.stop())
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.frame()
        await stopping
    assert closed.value.rcvd is not None and closed.value.rcvd.code in (1001, 1012)


async def test_what_the_log_lost_while_nobody_looked_is_said(ledger: Any, servers: Any) -> None:
    server = await servers.start(poll_interval_s=0.1)
    async with connect(server.ws_url) as client:
        await client.subscribe(after=start(ledger.database))
        await ledger.trades(101)
        assert ids(await client.message()) == ["101"]
        async with ledger.database.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE heliograph.streams SET seq = 9")
            await connection.execute(
                "INSERT INTO heliograph.commits (stream, seq, kind, origin, first_slot, last_slot, row_count)"
                " VALUES ('godark', 9, 'apply', 'live', 110, 110, 0)"
            )
        frame = await client.frame()
        assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", "CURSOR_EXPIRED")
        await client.subscribe(name="2")
        await client.is_live()
        await ledger.trades(111)
        assert ids(await client.message("2")) == ["111"]


async def test_pages_of_foreign_origins_are_kept_out_where_origins_are_named(
    ledger: Any, servers: Any
) -> None:
    server = await servers.start(allowed_origins=("https://good.example",))
    async with connect(server.ws_url, origin="https://good.example"):
        pass
    async with websockets.connect(
        server.ws_url,
        subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
        origin="https://evil.example",  # type: ignore[arg-type]
    ) as socket:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4403
