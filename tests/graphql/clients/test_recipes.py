"""The recipes of docs/clients.md, run as they stand there against a server: curl, Python, and the published npm packages."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import platformdirs
import pytest
from tests.peers import npm

from heliograph_graphql.gateway.settings import GatewaySettings
from heliograph_sql.database import Database
from heliograph_sql.keys import add_key, make_key

PAGE = Path(__file__).resolve().parents[3] / "docs" / "clients.md"
CLIENTS = {
    "@apollo/client": "4.3.8",
    "@urql/core": "6.0.3",
    "graphql": "16.15.0",
    "graphql-ws": "6.4.2",
    "rxjs": "7.8.2",
    "ws": "8.23.0",
}
CODEGEN = {
    "@graphql-codegen/cli": "7.4.3",
    "@graphql-codegen/client-preset": "6.2.0",
    "graphql": "16.15.0",
    "typescript": "5.9.3",
}
DEADLINE_S = 120


def recipes(language: str) -> list[str]:
    """The page's fenced blocks in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def recipe(language: str, words: str) -> str:
    """The only one that holds the words."""
    (found,) = [text for text in recipes(language) if words in text]
    return found


async def run(folder: Path, *command: str, environment: Mapping[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    assert process.returncode == 0, (out.decode(), err.decode())
    return out.decode()


class Trading:
    """One trade after the other, from slot 200 on, while the block runs: what live recipes wait for."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._trade())

    async def _trade(self) -> None:
        for slot in range(200, 100_000):
            await self._ledger.trades(slot)
            await asyncio.sleep(0.1)

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
async def rows(ledger: Any) -> None:
    await ledger.put("perps.markets")
    await ledger.put("perps.positions", entry_price=150, size=2)
    await ledger.trades(*range(100, 110))


def node_folder(tmp_path: Path, name: str, packages: Mapping[str, str]) -> Path:
    """A folder in which Node finds the packages."""
    if (reason := npm.missing()) is not None:
        pytest.skip(f"{reason}: these clients come as npm packages")
    cache = Path(platformdirs.user_cache_dir("heliograph", appauthor=False)) / "npm"
    installed = npm.install_all(cache, name, packages)
    folder = tmp_path / name
    folder.mkdir()
    (folder / "node_modules").symlink_to(installed / "node_modules")
    return folder


async def run_js(folder: Path, server: Any, words: str, **environment: str) -> list[str]:
    """The lines that the recipe prints."""
    text = recipe("js", words).replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    script = folder / "recipe.mjs"
    script.write_text(text)
    return (await run(folder, "node", str(script), environment=environment)).splitlines()


async def test_curl(servers: Any, rows: None, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    server = await servers.start()
    told = []
    for words in ("-d '{", "if-none-match"):
        text = recipe("sh", words).replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
        told.append(await run(tmp_path, "sh", "-ec", text))
    row = {"marketSymbol": "SOL-PERP", "price": "150.25", "size": "2"}
    assert json.loads(told[0]) == {"data": {"trades": {"nodes": [row, row]}}}
    assert told[1] == "304"
    assert (tmp_path / "trades.csv").read_text().count("\n") == 3


async def test_python(servers: Any, rows: None, ledger: Any, tmp_path: Path) -> None:
    server = await servers.start()
    script = tmp_path / "recipe.py"

    async def told(words: str) -> str:
        script.write_text(recipe("python", words).replace("127.0.0.1:8000", f"127.0.0.1:{server.port}"))
        return await run(tmp_path, sys.executable, str(script))

    assert await told("def all_trades") == "10\n"
    async with Trading(ledger):
        (first,) = json.loads((await told("websockets.sync")).replace("'", '"'))
        (second,) = json.loads((await told("websockets.sync")).replace("'", '"'))
    assert int(second) == int(first) + 1


async def test_urql(servers: Any, rows: None, ledger: Any, tmp_path: Path) -> None:
    folder = node_folder(tmp_path, "api-clients", CLIENTS)
    server = await servers.start()
    async with Trading(ledger):
        pages, code, live = await run_js(folder, server, "@urql/core")
    ids = [row["id"] for row in json.loads(pages)]
    assert len(set(ids)) == 4
    assert code == "CURSOR_INVALID"
    assert json.loads(live)[0]["price"] == "150.25"


async def test_apollo(servers: Any, rows: None, ledger: Any, tmp_path: Path) -> None:
    folder = node_folder(tmp_path, "api-clients", CLIENTS)
    server = await servers.start()
    async with Trading(ledger):
        pages, live = await run_js(folder, server, "@apollo/client")
    assert len({row["id"] for row in json.loads(pages)}) == 4
    assert json.loads(live)[0]["__typename"] == "Trade"


async def test_graphql_ws_resumes_without_a_hole(
    servers: Any, rows: None, ledger: Any, database: Database, tmp_path: Path
) -> None:
    folder = node_folder(tmp_path, "api-clients", CLIENTS)
    made = make_key()
    async with database.acquire() as connection:
        await add_key(connection, made, "a test", None, None)
    server = await servers.start(gateway=GatewaySettings(require_key=True))
    async with Trading(ledger):
        (line,) = await run_js(folder, server, "connectionParams", API_KEY=made.text)
    slots = [int(slot) for slot in json.loads(line)]
    assert slots == list(range(slots[0], slots[0] + 3))


async def test_graphql_codegen_and_the_list_that_it_writes(servers: Any, rows: None, tmp_path: Path) -> None:
    folder = node_folder(tmp_path, "api-codegen", CODEGEN)
    server = await servers.start()
    async with httpx2.AsyncClient() as http:
        sdl = (await http.get(f"http://127.0.0.1:{server.port}/schema.graphql")).text
    (folder / "schema.graphql").write_text(sdl)
    (folder / "codegen.ts").write_text(recipe("ts", "CodegenConfig"))
    (folder / "src").mkdir()
    (folder / "src" / "app.ts").write_text(recipe("ts", "query Positions"))
    await run(folder, "node", "node_modules/@graphql-codegen/cli/cjs/bin.js")
    types = (folder / "src" / "gql" / "graphql.ts").read_text()
    assert "entryPrice: string | null" in types and "openedSlot: string" in types
    strict = ["--strict", "--noEmit", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]
    await run(folder, "node", "node_modules/typescript/bin/tsc", *strict, "src/app.ts")
    listed = folder / "src" / "gql" / "persisted-documents.json"
    (name,) = json.loads(listed.read_text())
    limited = await servers.start(gateway=GatewaySettings(allowed_operations=listed))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{limited.port}") as http:
        body = {"documentId": name, "variables": {"wallet": "alice"}}
        (position,) = (await http.post("/graphql", json=body)).json()["data"]["positions"]["nodes"]
        assert position["entryPrice"] == "150"
        assert (await http.post("/graphql", json={"query": "{ __typename }"})).status_code == 403
