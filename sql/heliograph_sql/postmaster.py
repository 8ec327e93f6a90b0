"""The server process of a data folder: starts it, finds the one that runs, ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from heliograph_core.errors import DatabaseError

PORT = 5432
"""Part of the socket's name only: the server listens on no network address."""
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.02
_STALE_AFTER_S = 2.0
_UNREAPED_S = 1.0


class Account(NamedTuple):
    """Who the server runs as, in the terms of subprocess; None each for our own account."""

    user: int | None = None
    group: int | None = None
    extra_groups: list[int] | None = None


def environment() -> dict[str, str]:
    """Nothing of the user's: PGPORT, PGDATA or an unknown LC_ALL would change what the server does."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def start(
    folder: Path,
    binaries: Path,
    account: Account,
    sockets: Path,
    options: Mapping[str, str],
    started: list[int],
) -> None:
    """Starts the server and waits until it takes connections.

    started: receives its process id at once, so that a caller who is broken off can end it. Raises DatabaseError.
    """
    give_up = time.monotonic() + START_TIMEOUT_S
    while True:
        pid = _launch(folder, binaries, account, sockets, options)
        started[:] = [pid]
        if _comes_up(folder, pid):
            return
        why = log_tail(folder)
        # The children of a server that was killed take a moment to notice it and to let go of its memory.
        if "shared memory" not in why or time.monotonic() > give_up:
            raise DatabaseError(f"the embedded server did not start on {folder}: {why}")
        time.sleep(_POLL_S)


def _comes_up(folder: Path, pid: int) -> bool:
    """Waits until the server takes connections, or has ended."""
    await_condition(lambda: gone(pid) or is_ready(folder, pid), START_TIMEOUT_S)
    return not gone(pid) and is_ready(folder, pid)


def _launch(folder: Path, binaries: Path, account: Account, sockets: Path, options: Mapping[str, str]) -> int:
    """The process id of the server. It is a child of ours, but another process may be the one to end it."""
    command = [
        str(binaries / "postgres"),
        "-D",
        str(folder / "postgres"),
        "-k",
        str(sockets),
        "-p",
        str(PORT),
    ]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "server.log").open("wb") as log:
        # A session of its own: Ctrl-C in the terminal must reach us first, so that we can finish writing.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
            cwd="/",
            start_new_session=True,
            user=account.user,
            group=account.group,
            extra_groups=account.extra_groups,
        )
    # Waited for by its id when it ends; without a code Popen would warn that the server outlives it.
    process.returncode = 0
    return process.pid


def pid_file(folder: Path) -> list[str]:
    try:
        return (folder / "postgres" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def running_server(folder: Path) -> int | None:
    """The server's process id, None where none runs; a stale file of a killed one counts as none."""
    lines = pid_file(folder)
    if not lines:
        return None
    pid = int(lines[0])
    try:
        # Also waits for it, where it was a child of ours that somebody killed: its id would bar the next one.
        if gone(pid):
            return None
    except PermissionError:
        raise DatabaseError(
            f"data folder {folder} is used by a server of another user (process {pid}): choose another --data-dir"
        ) from None
    # The number may belong to another program by now. A server that runs, starts or stops has its socket open,
    # but for moments: whoever is alive and does not open it is not the server.
    end = time.monotonic() + _STALE_AFTER_S
    while time.monotonic() < end:
        if _answers(folder):
            return pid
        if gone(pid) or not pid_file(folder):
            return None
        time.sleep(_POLL_S)
    return None


def is_ready(folder: Path, pid: int | None = None) -> bool:
    """Whether the server takes connections: line 8 of its file is its state, line 1 its process."""
    lines = pid_file(folder)
    return len(lines) > 7 and lines[7].strip() == "ready" and (pid is None or int(lines[0]) == pid)


def socket_folder(folder: Path) -> Path | None:
    # Line 5 of postmaster.pid: https://www.postgresql.org/docs/current/storage-file-layout.html
    lines = pid_file(folder)
    return Path(lines[4]) if len(lines) > 4 and lines[4] else None


def _answers(folder: Path) -> bool:
    sockets = socket_folder(folder)
    if sockets is None:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(sockets / f".s.PGSQL.{PORT}"))
        except OSError:
            return False
    return True


def await_ready(folder: Path) -> Path:
    """The folder of the socket, once the server takes connections. Raises DatabaseError where that takes too long."""
    sockets = socket_folder(folder) if await_condition(lambda: is_ready(folder), START_TIMEOUT_S) else None
    if sockets is None:
        raise DatabaseError(
            f"the embedded server on {folder} was not ready within {START_TIMEOUT_S:.0f} s: {log_tail(folder)}"
        )
    return sockets


def end(folder: Path, pid: int) -> None:
    """Stops the server: first asking for a fast shutdown, then an immediate one, then without asking."""
    for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        try:
            os.kill(pid, request)
        except ProcessLookupError:
            return
        if await_condition(lambda: gone(pid) or not pid_file(folder), STOP_TIMEOUT_S):
            # Its file goes last. The id stays taken where the process that started it lives and does not wait for it.
            await_condition(lambda: gone(pid), _UNREAPED_S)
            return


def await_condition(condition: Callable[[], bool], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(_POLL_S)
    return False


def gone(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def log_tail(folder: Path) -> str:
    try:
        return last_line((folder / "server.log").read_text(errors="replace"))
    except FileNotFoundError:
        return "it wrote no log"


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line.lower()]
    return (telling or lines or ["no output"])[-1]
