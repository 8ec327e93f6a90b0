"""`heliograph stream`: any program added by its IDL, indexed without a line of code, listed, and removed whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tests.cli.process import refused, run
from tests.peers.answers import answer

from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database

FOLDER = files("heliograph_indexer") / "idls"
POSITIONS, VAULT = FOLDER / "godark_positions.json", FOLDER / "godark_vault.json"
ADDRESS = json.loads(POSITIONS.read_bytes())["address"]
OTHER = json.loads(VAULT.read_bytes())["address"]
STRANGER = "11111111111111111111111111111112"
PATIENCE_S = 60.0


@pytest.fixture
async def localnet() -> AsyncIterator[Localnet]:
    async with Localnet(LocalnetSettings(seed=3, rate=30)) as localnet:
        await localnet.step(100)
        yield localnet


@pytest.fixture
def file(localnet: Localnet, database_url: str, tmp_path: Path) -> str:
    path = tmp_path / "heliograph.toml"
    path.write_text(
        f"rpc = {{ url = {json.dumps(localnet.rpc_url)}, ws_url = {json.dumps(localnet.ws_url)} }}\n"
        f"database = {json.dumps(database_url)}\n"
    )
    return str(path)


@pytest.fixture
def offline(database_url: str, tmp_path: Path) -> tuple[str, ...]:
    """Options of a command that has a database and no cluster."""
    return ("--first-slot", "1", "--database", database_url)


async def counted(database: Database, *tables: str) -> None:
    """Returns once each of the tables holds rows."""
    exist = " AND ".join(f"EXISTS (SELECT FROM {table})" for table in tables)
    async with asyncio.timeout(PATIENCE_S), database.acquire() as connection:
        while True:
            if await connection.fetchval(f"SELECT {exist}"):
                return
            await asyncio.sleep(0.05)


async def test_a_program_is_indexed_by_the_idl_that_the_chain_has(
    localnet: Localnet, database: Database, file: str, tmp_path: Path, heliograph: Any
) -> None:
    first = str(localnet.settings.first_slot)
    given = ("--protocol", "anchor", "--instructions", "--first-slot", first, "--config", file)
    told = await asyncio.to_thread(run, tmp_path, "stream", "add", "mine", ADDRESS, *given)
    assert (told.returncode, told.stderr) == (0, "")
    assert "stream mine: anchor" in told.stdout and "heliograph stream tables mine" in told.stdout
    assert "restart those that run" in told.stdout
    index = heliograph("index", "--config", file)
    await counted(database, "mine.order_placed", "mine.account_market", "mine.account_history")
    await counted(database, "mine.instruction_place_order")
    assert await asyncio.to_thread(index.stop) == 0
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM heliograph.undecoded") == 0
        assert await connection.fetchval("SELECT count(*) FROM perps.trades") == 0
    assert await asyncio.to_thread(removed, tmp_path, file) == ""
    async with database.acquire() as connection:
        left = "SELECT count(*) FROM pg_namespace WHERE nspname = 'mine'"
        assert await connection.fetchval(left) == 0
        for table in (
            "transactions",
            "signatures",
            "typed_tables",
            "typed_columns",
            "idls",
            "accounts",
            "claims",
        ):
            assert await connection.fetchval(f"SELECT count(*) FROM heliograph.{table}") == 0, table


def removed(tmp_path: Path, file: str) -> str:
    """Asked first, where `n` keeps it; what it wrote to stderr."""
    asked = run(tmp_path, "stream", "remove", "mine", "--config", file, stdin="n\n")
    assert asked.returncode == 1 and "nothing is removed" in asked.stdout
    told = run(tmp_path, "stream", "remove", "mine", "--config", file, stdin="y\n")
    assert told.returncode == 0 and "stream mine is removed" in told.stdout
    return told.stderr


def test_the_tables_of_a_stream_are_listed(tmp_path: Path, offline: tuple[str, ...]) -> None:
    given = ("--protocol", "anchor", "--idl", str(POSITIONS), *offline)
    assert run(tmp_path, "stream", "add", "mine", *given).returncode == 0
    told = run(tmp_path, "stream", "tables", "mine", *offline[2:])
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    assert f"mine.order_placed  event  OrderPlaced of {ADDRESS}" in lines
    assert f"mine.account_market  account  Market of {ADDRESS}" in lines
    assert not any("instruction" in line for line in lines)
    rows = [line.split()[:3] for line in lines if line.startswith("  ")]
    assert ["order_id", "numeric(20,0)", "order_id"] in rows
    refused(run(tmp_path, "stream", "tables", "other", *offline[2:]), 2, "'other'", "stream list")


def test_several_programs_have_their_idls_matched_by_address(
    tmp_path: Path, offline: tuple[str, ...]
) -> None:
    idls = ("--idl", str(VAULT), "--idl", str(POSITIONS))
    told = run(tmp_path, "stream", "add", "both", ADDRESS, OTHER, "--protocol", "anchor", *idls, *offline)
    assert (told.returncode, told.stderr) == (0, "")
    listed = run(tmp_path, "idl", "list", "both", *offline[2:]).stdout
    rows = {line.split()[1]: line.split()[3] for line in listed.splitlines()[1:]}
    assert rows == {ADDRESS: "godark_positions", OTHER: "godark_vault"}


def test_programs_of_a_known_protocol_are_of_that_protocol(tmp_path: Path, offline: tuple[str, ...]) -> None:
    told = run(tmp_path, "stream", "add", "mine", ADDRESS, OTHER, *offline)
    assert told.returncode == 0 and "stream mine: godark" in told.stdout


def test_an_idl_of_a_program_that_is_deployed_elsewhere_is_said_with_its_address(
    tmp_path: Path, offline: tuple[str, ...]
) -> None:
    told = run(tmp_path, "stream", "add", "mine", STRANGER, "--idl", str(POSITIONS), *offline)
    refused(told, 2, ADDRESS, f"none of the programs {STRANGER}", "--idl ADDRESS=")
    told = run(tmp_path, "stream", "add", "mine", STRANGER, "--idl", f"{STRANGER}={POSITIONS}", *offline)
    assert (told.returncode, told.stderr) == (0, "")
    again = run(tmp_path, "stream", "add", "mine", STRANGER, "--idl", f"{STRANGER}={POSITIONS}", *offline)
    assert again.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mine", STRANGER), ("no IDL of", STRANGER, "--idl FILE or --rpc")),
        (("mine",), ("say which programs",)),
        (("mine", "--idl", "absent.json"), ("absent.json", "cannot be read")),
        (("perps", "--idl", str(POSITIONS)), ("'perps'", "cannot be named so")),
        (("pg_x", "--idl", str(POSITIONS)), ("'pg_x'", "cannot be named so")),
        (("taken", "--protocol", "anchor", "--idl", str(POSITIONS)), ("'taken'", "not a stream's", "another name")),
        (("mine", "--idl", str(POSITIONS), "--idl", str(POSITIONS), "--protocol", "anchor"), ("two IDLs", ADDRESS)),
        (("godark", "--log-events"), ("--log-events", "godark says itself")),
    ],
)  # fmt: skip
async def test_what_cannot_be_added_is_told_and_leaves_nothing(
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    tmp_path: Path,
    database: Database,
    offline: tuple[str, ...],
) -> None:
    async with database.acquire() as connection:
        await connection.execute("CREATE SCHEMA taken")
    refused(await asyncio.to_thread(run, tmp_path, "stream", "add", *arguments, *offline), 2, *words)
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM heliograph.streams") == 0


def test_an_archive_is_stored_and_its_bad_lines_are_named(tmp_path: Path, offline: tuple[str, ...]) -> None:
    database = offline[2:]
    assert run(tmp_path, "stream", "add", "godark", *offline).returncode == 0
    logs = [f"Program {ADDRESS} invoke [1]", f"Program {ADDRESS} success"]
    good = [json.dumps(answer(ADDRESS, number=number, slot=9, logs=logs)) for number in (1, 2)]
    (tmp_path / "a.jsonl").write_text("\n".join([good[0], "{", good[1]]))
    (tmp_path / "b.json").write_text(good[0])
    told = run(tmp_path, "backfill", "godark", "--archive", "a.jsonl", "b.json", *database)
    assert told.returncode == 1
    assert [line.split(": ")[1] for line in told.stderr.splitlines()] == ["a.jsonl:2"]
    assert "godark: 2 transactions stored" in told.stdout
    assert "1 stored already" in told.stdout and "1 that cannot be read" in told.stdout
    good_alone = run(tmp_path, "backfill", "godark", "--archive", "b.json", *database)
    assert (good_alone.returncode, good_alone.stderr) == (0, "")
    refused(run(tmp_path, "backfill", "godark", "b.json", *database), 2, "b.json", "without --archive")
    refused(run(tmp_path, "backfill", "godark", "--archive", *database), 2, "name at least one")
    refused(run(tmp_path, "backfill", "godark", "--archive", "b.json", "--from", "1", *database), 2, "--from")
    refused(
        run(tmp_path, "backfill", "godark", "--archive", "none.json", *database),
        2,
        "none.json",
        "cannot be read",
    )
    refused(run(tmp_path, "backfill", "other", "--archive", "b.json", *database), 2, "'other'")
