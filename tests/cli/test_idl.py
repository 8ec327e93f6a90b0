"""`heliograph idl`: fetched from a cluster, compared, listed and added."""

from __future__ import annotations

import json
import socket
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tests.cli.process import refused, run

IDL = files("heliograph_indexer") / "idls" / "godark_positions.json"
DOCUMENT = IDL.read_bytes()
PROGRAM = json.loads(DOCUMENT)["address"]
STRANGER = "11111111111111111111111111111112"


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """The IDL with another event and one more field."""
    document = json.loads(DOCUMENT)
    document["events"].append({"name": "Born", "discriminator": [1]})
    fields = [{"name": "x", "type": "u8"}]
    document["types"].append({"name": "Born", "type": {"kind": "struct", "fields": fields}})
    opened = next(each for each in document["types"] if each["name"] == "PositionOpened")
    opened["type"]["fields"].append({"name": "venue", "type": "pubkey"})
    file = tmp_path / "grown.json"
    file.write_text(json.dumps(document))
    return file


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_an_idl_is_fetched_from_the_cluster(heliograph: Any, tmp_path: Path) -> None:
    localnet = heliograph("localnet", "--port", str(free_port()), "--slot-ms", "50")
    rpc = localnet.await_output(r"JSON-RPC +(\S+)\n")[1]
    told = run(tmp_path, "idl", "fetch", PROGRAM, "--rpc", rpc)
    assert (told.returncode, told.stderr, told.stdout) == (0, "", DOCUMENT.decode())
    told = run(tmp_path, "idl", "fetch", PROGRAM, "--rpc", rpc, "--output", "idl.json")
    assert told.returncode == 0
    assert (tmp_path / "idl.json").read_bytes() == DOCUMENT
    refused(run(tmp_path, "idl", "fetch", STRANGER, "--rpc", rpc), 2, STRANGER, "has no IDL on chain")
    refused(run(tmp_path, "idl", "fetch", "nobody", "--rpc", rpc), 2, "'nobody' is no address")
    assert localnet.stop() == 0


def test_the_cluster_has_to_be_named(tmp_path: Path) -> None:
    refused(run(tmp_path, "idl", "fetch", PROGRAM), 2, "no cluster is named")


def test_the_difference_is_told_in_terms_of_tables(tmp_path: Path, grown: Path) -> None:
    told = run(tmp_path, "idl", "diff", str(IDL), str(grown))
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines() == [
        "new column: PositionOpened.venue (text)",
        "new table: Born (1 columns)",
    ]
    assert run(tmp_path, "idl", "diff", str(IDL), str(IDL)).stdout == "the tables stay as they are\n"


def test_a_file_that_is_no_idl_is_named(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("{}")
    refused(run(tmp_path, "idl", "diff", str(IDL), "none.json"), 2, "none.json", "neither an Anchor IDL")
    refused(run(tmp_path, "idl", "diff", "absent.json", str(IDL)), 2, "absent.json", "cannot be read")


def test_idls_of_a_stream_are_listed_and_added(tmp_path: Path, grown: Path) -> None:
    database = ("--data-dir", "database")
    assert run(tmp_path, "idl", "list", *database).stdout.startswith("no streams yet")
    assert run(tmp_path, "stream", "add", "godark", "--first-slot", "1", *database).returncode == 0
    told = run(tmp_path, "idl", "add", "godark", str(grown), "--from-slot", "50", *database)
    assert (told.returncode, told.stderr) == (0, "")
    assert "in force from slot 50; 0 events were decoded" in told.stdout
    told = run(tmp_path, "idl", "list", "godark", *database)
    rows = [line.split() for line in told.stdout.splitlines()]
    assert [row[2:4] for row in rows if row[1] == PROGRAM] == [
        ["0", "godark_positions"],
        ["50", "godark_positions"],
    ]
    refused(run(tmp_path, "idl", "list", "nothing", *database), 2, "there is no stream 'nothing'")
    other = run(
        tmp_path, "idl", "add", "godark", str(grown), "--from-slot", "9", "--program", STRANGER, *database
    )
    refused(other, 2, STRANGER, "none of stream 'godark'")
