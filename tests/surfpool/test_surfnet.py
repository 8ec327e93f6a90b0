"""The harness: the runtime comes up, attributes frames to each program, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import httpx2
import pytest
from tests.surfpool import surfnet
from tests.surfpool.conftest import Surfpool
from tests.surfpool.godark import POSITIONS, VAULT, positions, vault
from tests.surfpool.sender import Sender
from tests.surfpool.surfnet import Surfnet
from tests.surfpool.trading import deposit_of_alice, opening


async def test_frames_belong_to_the_program_that_runs_in_them(runtime: Surfnet) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        sender = Sender(runtime.rpc_url, runtime.payer, client, runtime.numbers)
        first = await sender.send(*opening(positions()).instructions)
        second = await sender.send(*deposit_of_alice(vault()).instructions)
        await sender.confirm(first, second)
        config = {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0}
        logs = [
            (await sender.call("getTransaction", signature, config))["meta"]["logMessages"]
            for signature in (first, second)
        ]
    assert [line for line in logs[0] if "invoke" in line and POSITIONS in line] == [
        f"Program {POSITIONS} invoke [1]",
        f"Program {POSITIONS} invoke [1]",
    ]
    assert [line for line in logs[1] if "invoke" in line and VAULT in line] == [f"Program {VAULT} invoke [1]"]


async def test_the_front_reads_the_lowest_context_slot_as_other_nodes_do(runtime: Surfnet) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        surfpool = Sender(runtime.rpc_url, runtime.payer, client, runtime.numbers)
        front = Sender(runtime.front_url, runtime.payer, client, runtime.numbers)
        older = await surfpool.send(*opening(positions()).instructions)
        (slot,) = await surfpool.confirm(older)
        await surfpool.reach(slot + 1)

        def config(lowest: int) -> dict[str, object]:
            return {"commitment": "confirmed", "limit": 1, "minContextSlot": lowest}

        page = await front.call("getSignaturesForAddress", POSITIONS, config(slot + 1))
        early = await front.ask("getSignaturesForAddress", POSITIONS, config(slot + 1_000_000))
        assert await surfpool.call("getSignaturesForAddress", POSITIONS, config(slot + 1)) == []
    assert [row["signature"] for row in page] == [older]
    assert early["error"]["code"] == -32016


def test_stopping_leaves_no_process(surfpool: Surfpool) -> None:
    with surfnet.start(surfpool.installed, surfpool.programs) as running:
        os.kill(running.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)


def test_a_node_that_fails_says_why(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    with pytest.raises(RuntimeError, match="Cannot find module"), surfnet.start(tmp_path, {}):
        pass


def test_an_install_that_fails_is_an_error_in_npms_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f"#!{sys.executable}\nraise SystemExit('the registry is on holiday')\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="the registry is on holiday"):
        surfnet.install(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["npm"]


def test_a_machine_without_node_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert surfnet.missing() == "node is not installed: Surfpool comes as an npm package"
