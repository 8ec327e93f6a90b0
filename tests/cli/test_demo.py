"""The demo as a newcomer meets it: one command, rows in a minute, nothing left behind."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets
from tests.cli.process import Heliograph, refused, run
from tests.peers.shared_idls import shared_idl

from heliograph_cli.commands import demo as demo_command
from heliograph_core.errors import SettingsError

GODARK_IDL = files("heliograph_indexer") / "idls" / "godark_vault.json"
README = Path(__file__).resolve().parents[2] / "README.md"
FILLED_S = 60.0
TABLES = ("markets", "positions", "fundingRates", "fundingPayments", "liquidations", "trades")


def ask(url: str, query: str) -> dict[str, Any]:
    answer = httpx2.post(url, json={"query": query}, timeout=30, trust_env=False)
    document: dict[str, Any] = answer.json()
    assert "errors" not in document, document
    assert answer.status_code == 200
    data: dict[str, Any] = document["data"]
    return data


async def first_message(url: str, query: str) -> dict[str, Any]:
    """What a subscription delivers first."""
    async with websockets.connect(
        url.replace("http://", "ws://"),
        subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
        proxy=None,
    ) as connection:
        await connection.send(json.dumps({"type": "connection_init"}))
        assert json.loads(await connection.recv()) == {"type": "connection_ack"}
        await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
        async for frame in connection:
            message: dict[str, Any] = json.loads(frame)
            if message["type"] != "ping":
                assert message["type"] == "next", message
                return message
    raise AssertionError("the connection closed before a message came")


def await_rows(demo: Heliograph, url: str) -> None:
    """Until every canonical table of the issue holds rows."""
    query = "{" + " ".join(f"{table}(first: 1) {{ nodes {{ id }} }}" for table in TABLES) + "}"
    end = time.monotonic() + FILLED_S
    while True:
        assert demo.process.poll() is None, f"it ended: {demo.stderr}"
        data = ask(url, query)
        empty = [table for table in TABLES if not data[table]["nodes"]]
        if not empty:
            return
        assert time.monotonic() < end, f"still without rows after {FILLED_S} s: {empty}"
        time.sleep(0.5)


async def test_within_a_minute_everything_answers_and_a_stop_leaves_nothing(heliograph: Any) -> None:
    demo = heliograph("demo", "--port", "0")
    url = demo.await_url()
    await_rows(demo, url)

    assert re.search(r"database +embedded PostgreSQL \d+", demo.stdout)
    message = await first_message(url, "subscription { trades { cursor nodes { marketSymbol price size } } }")
    assert message["payload"]["data"]["trades"]["nodes"]
    for query in re.findall(r"```graphql\n(.*?)```", README.read_text(), re.DOTALL):
        if query.startswith("subscription"):
            assert "errors" not in (await first_message(url, query))["payload"]
        else:
            ask(url, query)
    assert httpx2.get(url.replace("/graphql", "/health"), trust_env=False).status_code == 200
    assert httpx2.get(url.replace("/graphql", "/ready"), trust_env=False).status_code == 200

    assert any("postgres" in line for line in demo.leftovers())
    assert demo.stop(signal.SIGINT) == 0
    assert demo.stderr == ""
    assert demo.leftovers() == []


def test_it_ends_by_itself_after_the_seconds_asked_for(heliograph: Any) -> None:
    demo = heliograph("demo", "--port", "0", "--seconds", "1")
    assert demo.process.wait(60) == 0
    assert demo.stderr == ""


TRADES = "trades { nodes { marketSymbol takerSide price size quote stream } }"
CHANGES = "positionChanges { nodes { marketSymbol kind sizeAfter price stream } }"


@pytest.mark.parametrize(
    ("protocol", "idl", "live", "said"),
    [
        ("drift", "drift_v2", TRADES, "openInterestLong"),
        ("jupiter", "jupiter_perpetuals.codama_2026", TRADES, "borrowRate"),
        ("quantdesk", "quantdesk_deployed", CHANGES, "indexPrice"),
    ],
    ids=["drift", "jupiter", "quantdesk"],
)
async def test_a_real_program_trades_by_its_idl_and_is_seen_live(
    heliograph: Any, tmp_path: Path, protocol: str, idl: str, live: str, said: str
) -> None:
    document = shared_idl(idl)
    if document is None:
        pytest.skip("the real IDLs of ../shared are absent")
    file = tmp_path / "program.json"
    file.write_bytes(document)
    demo = heliograph("demo", "--port", "0", "--protocol", protocol, "--idl", str(file))
    url = demo.await_url()
    message = await first_message(url, f"subscription {{ {live} }}")
    [told] = message["payload"]["data"].values()
    assert told["nodes"][0]["stream"] == protocol
    end = time.monotonic() + FILLED_S
    # Each a number that the protocol is known for, of markets that are named; and positions that nothing is missing of.
    wanted = f"{{ markets {{ nodes {{ symbol {said} }} }} positions(where: {{complete: {{eq: true}}}}) {{ totalCount }} }}"
    while not (data := ask(url, wanted))["positions"]["totalCount"] or len(data["markets"]["nodes"]) < 2:
        assert time.monotonic() < end, f"still without rows after {FILLED_S} s: {data}"
        await asyncio.sleep(0.5)
    assert {each["symbol"] for each in data["markets"]["nodes"]} == {"SOL-PERP", "BTC-PERP"}
    assert all(each[said] is not None for each in data["markets"]["nodes"])
    assert demo.stop(signal.SIGINT) == 0
    assert demo.stderr == ""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--protocol", "jupitr"], "there is no demo of protocol 'jupitr'; did you mean 'jupiter'?"),
        (["--protocol", "jupiter", "--idl", "absent.json"], "absent.json cannot be read"),
        (["--idl", "x.json"], "leave --idl x.json away"),
        (["--protocol", "jupiter", "--idl", str(GODARK_IDL)], "is none that the demo of jupiter can speak"),
    ],
)
def test_a_demo_that_cannot_be_is_told_in_one_line(options: list[str], told: str, tmp_path: Path) -> None:
    refused(run(tmp_path, "demo", "--port", "0", *options), 2, told)


def test_without_an_idl_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo_command, "IDL_FOLDER", tmp_path)
    with pytest.raises(
        SettingsError, match="heliograph idl fetch PERPHjGBqRHArX4DySjwM6UJHiR3sWAatqfdBS2qQJu"
    ):
        demo_command.choose_exchange("jupiter", None, 0)


STAGES = ["", "guard.lock", "new", "postgres", "postgres/postmaster.pid"]
"""What appears in the demo's database folder, in this order, while it starts; at first only the folder."""


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_during_start_leaves_nothing(stage: str, number: signal.Signals, heliograph: Any) -> None:
    demo = heliograph("demo", "--port", "0")
    demo.await_file(f"heliograph-demo-*/{stage}")
    assert demo.stop(number) == 0
    assert demo.stderr == ""
    assert demo.leftovers() == []


def test_a_second_stop_while_stopping_leaves_nothing_either(heliograph: Any) -> None:
    demo = heliograph("demo", "--port", "0")
    demo.await_url()
    demo.process.send_signal(signal.SIGINT)
    assert demo.stop(signal.SIGINT) in (0, 130)
    assert demo.stderr == ""
    assert demo.leftovers() == []
