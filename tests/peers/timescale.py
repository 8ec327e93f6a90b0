"""A TimescaleDB server for tests: on a free port of 127.0.0.1, as an account without rights, on a folder thrown away."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from tests.peers.debian_timescale import ACCOUNT, Programs

_DATA_PREFIX = "heliograph-timescale-"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0
_POLL_S = 0.05
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    # The Apache edition has no jobs of its own worth running, and each of its workers holds a database open.
    "timescaledb.max_background_workers": "0",
    "unix_socket_directories": "",
    # Not in /dev/shm, which a chroot lacks and a killed server leaves its files in.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "lc_messages": "C",
}


@contextmanager
def running(programs: Programs, options: Mapping[str, str]) -> Iterator[str]:
    """The URL of a fresh server for the time of the block. RuntimeError with its log where it does not start."""
    base = (programs.root or Path("/")) / "tmp"
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_DATA_PREFIX, dir=base))
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield from _run(programs, folder, options)
        finally:
            shutil.rmtree(folder)


def _run(programs: Programs, folder: Path, options: Mapping[str, str]) -> Iterator[str]:
    data = folder / "data"
    data.mkdir(mode=0o700)
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(data, ACCOUNT, ACCOUNT)
    inside = str(data if programs.root is None else Path("/") / data.relative_to(programs.root))
    made = subprocess.run(
        _command(
            programs, "initdb", "-D", inside, "-U", "postgres", "--auth=trust", "--locale=C.UTF-8", "-N"
        ),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd="/",
        env=_environment(),
    )
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
    port = _free_port()
    settings = [f"-c{name}={value}" for name, value in {**_OPTIONS, **options}.items()]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            _command(programs, "postgres", "-D", inside, "-p", str(port), *settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_environment(),
            start_new_session=True,
        )
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    try:
        _await_ready(process, url, folder / "server.log")
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(programs: Programs, name: str, *arguments: str) -> list[str]:
    """As an account without rights, and ended when the test run dies, however it dies."""
    prefix = ["chroot", str(programs.root)] if programs.root is not None else []
    account = []
    if os.geteuid() == 0:
        account = [f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups"]
    return [*prefix, "setpriv", *account, "--pdeathsig=INT", f"{programs.bin}/{name}", *arguments]


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < end:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            time.sleep(_POLL_S)
        else:
            return
    raise RuntimeError(f"TimescaleDB did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _sweep(base: Path) -> None:
    """Removes what runs that were killed have left: folders whose lock nobody holds, of our own account."""
    for folder in base.glob(f"{_DATA_PREFIX}*"):
        lock = folder / "lock"
        if not lock.exists() or lock.stat().st_uid != os.geteuid():
            continue
        with lock.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(folder / "data", ignore_errors=True)
            # A server that has not quite ended yet may still write; then another run does the rest.
            if not (folder / "data").exists():
                shutil.rmtree(folder)
