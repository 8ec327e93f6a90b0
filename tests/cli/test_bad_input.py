"""Bad input to the installed command: one line on stderr that names the thing, a status, and no traceback."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.process import refused, run

NOWHERE = "http://127.0.0.1:1"
"""Port 1 (tcpmux) answers on no machine that runs these tests."""


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.parametrize("command", ["up", "index"])
def test_an_unreachable_cluster_is_named(command: str, tmp_path: Path) -> None:
    refused(run(tmp_path, command, "--rpc", NOWHERE), 1, NOWHERE, "reached")


@pytest.mark.parametrize("command", ["up", "index"])
def test_without_a_cluster_it_says_how_to_name_one(command: str, tmp_path: Path) -> None:
    refused(run(tmp_path, command), 2, "no cluster is named", "heliograph.toml", "--rpc")


@pytest.mark.parametrize("url", ["127.0.0.1:8899", "ftp://127.0.0.1", "http://"])
def test_a_wrong_cluster_address_is_named(url: str, tmp_path: Path) -> None:
    refused(run(tmp_path, "up", "--rpc", url), 2, "no address", "http")


@pytest.mark.parametrize("command", ["serve", "status", "migrate", "demo"])
def test_an_unreachable_database_is_named(command: str, tmp_path: Path) -> None:
    told = run(tmp_path, command, "--database", "postgresql://127.0.0.1:1/nowhere")
    refused(told, 1, "127.0.0.1:1/nowhere", "--database")


def test_the_database_of_the_environment_is_used(tmp_path: Path) -> None:
    told = run(tmp_path, "status", DATABASE_URL="postgresql://127.0.0.1:1/nowhere")
    refused(told, 1, "127.0.0.1:1/nowhere")


@pytest.mark.parametrize("url", ["mysql://127.0.0.1/x", "nowhere", "postgresql://h:port/x"])
def test_a_wrong_database_address_is_named(url: str, tmp_path: Path) -> None:
    refused(run(tmp_path, "status", "--database", url), 2, "database", "postgresql://")


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    told = run(tmp_path, "status", "--database", "postgresql://user:secret@127.0.0.1:1/x")
    refused(told, 1)
    assert "secret" not in told.stderr


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_in_use_is_named_before_anything_starts(command: str, taken_port: int, tmp_path: Path) -> None:
    told = run(tmp_path, command, "--port", str(taken_port))
    refused(told, 2, f"port {taken_port}", "in use", "--port")
    assert not (tmp_path / "data").exists()


def test_a_localnet_port_in_use_is_named(taken_port: int, tmp_path: Path) -> None:
    refused(run(tmp_path, "localnet", "--port", str(taken_port)), 2, f"port {taken_port}", "in use")


def test_malformed_toml_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "heliograph.toml").write_text('[api]\nport = "x\n')
    refused(run(tmp_path, "up"), 2, "heliograph.toml", "not valid TOML", "line 2")


def test_an_unknown_key_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "heliograph.toml").write_text("[api]\nprot = 9000\n")
    refused(run(tmp_path, "up"), 2, "'prot'", "'port'", "heliograph.toml")


def test_a_value_of_another_type_is_named(tmp_path: Path) -> None:
    (tmp_path / "heliograph.toml").write_text('[api]\nport = "nine"\n')
    refused(run(tmp_path, "up"), 2, "api.port", "whole number", "'nine'")


def test_a_settings_file_that_is_absent_is_named(tmp_path: Path) -> None:
    refused(run(tmp_path, "up", "--config", "absent.toml"), 2, "absent.toml", "--config")


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    # A file in its way, because the tests may run as root, whom no permission stops.
    (tmp_path / "file").write_text("")
    told = run(tmp_path, "migrate", "--data-dir", str(tmp_path / "file" / "data"))
    refused(told, 1, str(tmp_path / "file" / "data"), "--data-dir")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_data_folder_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    told = run(tmp_path, "migrate", "--data-dir", str(tmp_path / "closed" / "data"))
    refused(told, 1, "Permission denied", "--data-dir")


def test_a_log_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    told = run(tmp_path, "demo", "--log-file", str(tmp_path / "absent" / "log"))
    refused(told, 1, str(tmp_path / "absent" / "log"))


def test_an_unknown_protocol_is_named_with_the_nearest(tmp_path: Path) -> None:
    told = run(tmp_path, "stream", "add", "mine", "--protocol", "godrak", "--first-slot", "1")
    refused(told, 2, "'godrak'", "'godark'")


def test_a_program_that_is_no_address_is_named(tmp_path: Path) -> None:
    told = run(tmp_path, "stream", "add", "mine", "0OIl", "--protocol", "godark", "--first-slot", "1")
    refused(told, 2, "'0OIl'", "base58")


def test_a_stream_that_is_not_there_is_named(tmp_path: Path) -> None:
    refused(run(tmp_path, "stream", "remove", "absent", "--yes"), 2, "'absent'", "stream list")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--prot", "1"], ["--prot"]),
        (["demo", "--port", "many"], ["--port"]),
        (["demo", "--port", "70000"], ["port 70000 does not exist"]),
        (["stauts"], ["'stauts'", "'status'"]),
    ],
)
def test_a_wrong_command_line_is_named(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    refused(run(tmp_path, *arguments), 2, *words)
