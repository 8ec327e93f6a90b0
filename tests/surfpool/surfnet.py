"""Surfpool as a child process: a real Solana runtime, offline, with JSON-RPC and WebSocket on this machine.

`missing()` says why this machine cannot run it; `install` fetches the npm package into a cache folder; `start`
deploys programs and yields the endpoints. The child ends when its standard input does, whatever becomes of us.
"""

from __future__ import annotations

import itertools
import json
import platform
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from solders.keypair import Keypair
from tests.peers import npm

PACKAGE = "@solana/surfpool-linux-x64-gnu"
VERSION = "1.5.0"
_SCRIPT = Path(__file__).parent / "surfnet.mjs"
_STOP_TIMEOUT_S = 10


@dataclass(frozen=True)
class Surfnet:
    """Where it is served. payer holds enough SOL for any test; pid is Node's; numbers tell its transactions apart.

    rpc_url: Surfpool as it is. front_url: the same where minContextSlot means what it means on other nodes.
    """

    rpc_url: str
    front_url: str
    ws_url: str
    payer: Keypair
    pid: int
    numbers: Iterator[int] = field(default_factory=itertools.count)


def missing() -> str | None:
    """Why Surfpool cannot run here, None where it can."""
    if (reason := npm.missing()) is not None:
        return f"{reason}: Surfpool comes as an npm package"
    machine = (platform.system(), platform.machine(), platform.libc_ver()[0])
    if machine != ("Linux", "x86_64", "glibc"):
        return f"{PACKAGE} is for Linux on x86_64 with glibc, this machine is {' '.join(machine)}"
    return None


def install(cache: Path) -> Path:
    """The folder below `cache` in which Node finds the package. Raises RuntimeError with npm's own words."""
    return npm.install(cache, "surfpool", PACKAGE, VERSION)


@contextmanager
def start(installed: Path, programs: Mapping[str, Path]) -> Iterator[Surfnet]:
    """programs: address -> ELF file. Raises RuntimeError where Node ends before it serves."""
    deployments = [word for address, path in programs.items() for word in (address, str(path))]
    with tempfile.TemporaryFile() as complaints:
        node = subprocess.Popen(
            ["node", str(_SCRIPT), str(installed), *deployments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        assert node.stdin is not None
        assert node.stdout is not None
        try:
            line = node.stdout.readline()
            if not line:
                code = node.wait(_STOP_TIMEOUT_S)
                complaints.seek(0)
                raise RuntimeError(f"Surfpool ended with status {code}: {complaints.read().decode()}")
            told = json.loads(line)
            payer = Keypair.from_bytes(bytes(told["secretKey"]))
            yield Surfnet(told["rpc"], told["front"], told["ws"], payer, node.pid)
        finally:
            node.stdin.close()
            try:
                node.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait(_STOP_TIMEOUT_S)
                raise
            finally:
                node.stdout.close()
