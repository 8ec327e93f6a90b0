"""`up`, `index` and `serve` against a cluster of their own process: what an operator runs."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.cli.process import run

from heliograph_localnet.faults import Reaction
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.node import Node
from heliograph_localnet.settings import LocalnetSettings

PATIENCE_S = 60.0


@pytest.fixture
async def localnet() -> AsyncIterator[Localnet]:
    """A cluster at work in this process."""
    async with Localnet(LocalnetSettings(seed=3, slot_ms=100)) as localnet:
        producing = asyncio.create_task(localnet.run())
        yield localnet
        producing.cancel()
        await asyncio.wait({producing})


def settings(localnet: Localnet, database: str, tmp_path: Path) -> str:
    """A settings file for that cluster and database; returns its path."""
    file = tmp_path / "heliograph.toml"
    file.write_text(
        f"rpc = {{ url = {json.dumps(localnet.rpc_url)}, ws_url = {json.dumps(localnet.ws_url)} }}\n"
        f"database = {json.dumps(database)}\n"
        "[api]\nport = 0\n"
        f'[streams.godark]\nprotocol = "godark"\nfirst_slot = {localnet.settings.first_slot}\n'
    )
    return str(file)


async def ask(url: str, query: str) -> dict[str, Any]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        document: dict[str, Any] = (await client.post(url, json={"query": query})).json()
    assert "errors" not in document, document
    data: dict[str, Any] = document["data"]
    return data


async def await_trades(url: str, above: int = 0) -> int:
    """Until there are more trades than `above`; returns how many."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            data = await ask(url, "{ trades(first: 1) { totalCount } }")
            if int(data["trades"]["totalCount"]) > above:
                return int(data["trades"]["totalCount"])
            await asyncio.sleep(0.1)


async def fetch(url: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(url)


async def in_thread(work: Any, *arguments: Any) -> Any:
    """The localnet lives on this event loop: what waits for another process must not hold it."""
    return await asyncio.to_thread(work, *arguments)


async def status(tmp_path: Path, file: str) -> subprocess.CompletedProcess[str]:
    def told() -> subprocess.CompletedProcess[str]:
        return run(tmp_path, "status", "--json", "--config", file)

    answer: subprocess.CompletedProcess[str] = await in_thread(told)
    return answer


async def test_up_indexes_and_serves_and_status_tells_how_far(
    localnet: Localnet, database_url: str, tmp_path: Path, heliograph: Any
) -> None:
    file = settings(localnet, database_url, tmp_path)
    up = heliograph("up", "--config", file)
    url = await in_thread(up.await_url)
    assert f"cluster   {localnet.rpc_url}" in up.stdout
    assert "PostgreSQL" in up.stdout
    await await_trades(url)
    told = await status(tmp_path, file)
    assert (told.returncode, told.stderr) == (0, "")
    document = json.loads(told.stdout)
    (stream,) = document["streams"]
    assert (stream["name"], stream["first_slot"]) == ("godark", localnet.settings.first_slot)
    assert stream["first_slot"] < stream["head_slot"]
    assert stream["leader"] is not None and stream["lease_s"] > 0
    assert stream["lag_slots"] is not None
    assert stream["genesis"] == localnet.chain.genesis_hash
    table = await in_thread(run, tmp_path, "status", "--config", file)
    assert re.search(r"^head +\d+ *$", table.stdout, re.MULTILINE)
    metrics = (await fetch(url.replace("/graphql", "/metrics"))).text
    assert re.search(r'^heliograph_indexer_leading\{stream="godark"\} 1\.0$', metrics, re.MULTILINE)
    assert re.search(r'^heliograph_head_slot\{stream="godark"\} ', metrics, re.MULTILINE)
    ready = await fetch(url.replace("/graphql", "/ready"))
    assert ready.json()["checks"]["leader"] == {"ok": True}
    assert await in_thread(up.stop) == 0
    assert up.stderr == ""
    assert up.leftovers() == []


async def test_index_and_serve_are_up_in_two_processes(
    localnet: Localnet, database_url: str, tmp_path: Path, heliograph: Any
) -> None:
    file = settings(localnet, database_url, tmp_path)
    index = heliograph("index", "--config", file, "--metrics-port", "0")
    serve = heliograph("serve", "--config", file)
    url = await in_thread(serve.await_url)
    before = await await_trades(url)
    scraped = (await in_thread(index.await_output, r"metrics +(http://\S+/metrics)\n"))[1]
    of_index = (await fetch(scraped)).text
    of_serve = (await fetch(url.replace("/graphql", "/metrics"))).text
    for page in (of_index, of_serve):
        assert re.search(r'^heliograph_head_slot\{stream="godark"\} ', page, re.MULTILINE)
    assert "heliograph_rpc_calls_total{" in of_index and "heliograph_rpc_calls_total{" not in of_serve
    assert "heliograph_api_requests_total{" in of_serve
    await await_trades(url, above=before)
    assert await in_thread(index.stop, signal.SIGTERM) == 0
    assert await in_thread(serve.stop, signal.SIGTERM) == 0
    assert (index.stderr, serve.stderr) == ("", "")


async def test_an_indexer_that_was_killed_goes_on_where_it_was(
    localnet: Localnet, database_url: str, tmp_path: Path, heliograph: Any
) -> None:
    file = settings(localnet, database_url, tmp_path)
    serve = heliograph("serve", "--config", file)
    url = await in_thread(serve.await_url)
    index = heliograph("index", "--config", file)
    before = await await_trades(url)
    await in_thread(index.stop, signal.SIGKILL)
    heliograph("index", "--config", file)
    await await_trades(url, above=before)
    async with asyncio.timeout(PATIENCE_S):
        # What went by meanwhile is caught up with, or healed where it is long.
        while True:
            (stream,) = json.loads((await status(tmp_path, file)).stdout)["streams"]
            if (stream["complete_through"], stream["gaps"]) == (stream["head_slot"], 0):
                break


async def test_up_goes_on_at_a_second_endpoint_and_names_the_one_that_is_ill(
    localnet: Localnet, database_url: str, tmp_path: Path, heliograph: Any
) -> None:
    other = Node(localnet.chain)
    await other.start()
    try:
        file = settings(localnet, database_url, tmp_path)
        pairs = [("--rpc", each.rpc_url, "--ws", each.ws_url) for each in (localnet.node, other)]
        up = heliograph("up", "--config", file, *pairs[0], *pairs[1])
        url = await in_thread(up.await_url)
        assert f"cluster   {localnet.rpc_url}, {other.rpc_url}" in up.stdout
        await await_trades(url)
        localnet.node.faults.on("request", Reaction(status=503))
        localnet.node.faults.on("connect", Reaction(status=503))
        localnet.node.disconnect()
        before = await await_trades(url)
        await await_trades(url, above=before)
        ill = re.compile(f"  trouble with the cluster: .* at {re.escape(localnet.rpc_url)} gave HTTP 503")
        for _ in range(int(PATIENCE_S / 0.1)):
            if ill.search(up.stdout) is not None:
                break
            await asyncio.sleep(0.1)
        assert ill.search(up.stdout) is not None, up.stdout
        assert await in_thread(up.stop) == 0
    finally:
        await other.stop()


async def test_up_without_a_stream_says_how_to_add_one(
    localnet: Localnet, database_url: str, tmp_path: Path, heliograph: Any
) -> None:
    def up() -> subprocess.CompletedProcess[str]:
        return run(tmp_path, "up", "--port", "0", "--rpc", localnet.rpc_url, "--database", database_url)

    told = await in_thread(up)
    assert told.returncode == 2
    assert "nothing to index" in told.stderr and "stream add" in told.stderr


async def test_a_stream_is_added_listed_and_removed(
    localnet: Localnet, database_url: str, tmp_path: Path
) -> None:
    async def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        def told() -> subprocess.CompletedProcess[str]:
            return run(tmp_path, "stream", *arguments, "--database", database_url)

        answer: subprocess.CompletedProcess[str] = await in_thread(told)
        return answer

    added = await command("add", "godark", "--rpc", localnet.rpc_url)
    assert (added.returncode, added.stderr) == (0, "")
    listed = await command("list")
    for program in localnet.programs:
        assert program in listed.stdout
    again = await command("add", "godark", "--rpc", localnet.rpc_url)
    assert again.returncode == 0
    other = await command("add", "godark", localnet.programs[0], "--first-slot", "1")
    assert other.returncode == 2 and "exists" in other.stderr
    removed = await command("remove", "godark", "--yes")
    assert (removed.returncode, removed.stdout) == (0, "stream godark is removed\n")
    assert "no streams yet" in (await command("list")).stdout
