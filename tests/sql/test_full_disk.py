"""A full disk costs time and nothing else: what could not be written whole is not there, and goes in once there is room."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.peers.server import ON_EMBEDDED, Server

from heliograph_core.errors import DatabaseError, DatabaseUnavailable
from heliograph_sql.data_folder import server_account
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.migrate import list_migrations, migrate
from heliograph_sql.streams import add_stream
from heliograph_sql.writer import Writer

SIZE = 96 << 20
ROOM = 64 << 10
"""Bytes that are left on a full disk: room for a few rows, not for a batch or a table."""
ROWS = 20_000


class Disk:
    """A small file system of its own, mounted in a folder, that can be filled up and emptied."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        free = os.statvfs(self.folder)
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - ROOM)

    def empty(self) -> None:
        self._filler.unlink()


@pytest.fixture
def disk() -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    with tempfile.TemporaryDirectory(prefix="heliograph-disk-") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "tmpfs", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode != 0:
            pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
        try:
            yield Disk(Path(folder))
        finally:
            subprocess.run(["umount", folder], check=True)


@pytest.fixture
def small_url(server: Server, disk: Disk) -> Iterator[str]:
    """URL of an empty database whose tables are on that disk."""
    account = server_account()
    assert account.user is not None and account.group is not None
    place = disk.folder / "tables"
    place.mkdir(mode=0o700)
    os.chown(place, account.user, account.group)
    name = sql.Identifier(disk.folder.name.replace("-", "_").lower())
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(name, str(place)))
        connection.execute(sql.SQL("CREATE DATABASE {0} TEMPLATE template0 TABLESPACE {0}").format(name))
        yield server.database_url(name.as_string().strip('"'))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("DROP TABLESPACE {}").format(name))


@ON_EMBEDDED
def test_a_migration_that_finds_no_room_leaves_nothing_of_itself(small_url: str, disk: Disk) -> None:
    every = list_migrations()
    migrate(small_url, every[:1])
    disk.fill()
    with pytest.raises(DatabaseError, match=f"{every[1].name}: .*No space left on device") as caught:
        migrate(small_url)
    assert "\n" not in str(caught.value)
    with psycopg.connect(small_url) as connection:
        assert connection.execute("SELECT to_regnamespace('perps')").fetchone() == (None,)
    disk.empty()
    assert migrate(small_url).applied == tuple(migration.name for migration in every[1:])


@ON_EMBEDDED
async def test_a_commit_that_finds_no_room_covers_nothing_and_succeeds_later(
    small_url: str, disk: Disk, make: Any
) -> None:
    migrate(small_url)
    async with await Database.open(small_url) as database:
        await add_stream(database, "s", protocol="godark", programs=["Program"], first_slot=1)
        epoch = await Lease(database, "s", "holder-1").acquire()
        assert epoch is not None
        writer = Writer(database, "s", "holder-1")
        await writer.commit(make.batch(1, 1, [make.trade(1)]), epoch=epoch)
        disk.fill()
        batch = make.batch(2, 2, [make.trade(2, tx_index=n) for n in range(ROWS)])
        with pytest.raises(DatabaseUnavailable, match="No space left on device") as caught:
            await writer.commit(batch, epoch=epoch)
        assert caught.value.retry and "\n" not in str(caught.value)
        assert await _stored(database) == (1, 1, 1)
        disk.empty()
        assert await writer.commit(batch, epoch=epoch) == 2
        assert await _stored(database) == (2, 2, ROWS + 1)


async def _stored(database: Database) -> tuple[int, ...]:
    """seq, last covered slot, trades."""
    async with database.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT seq, (SELECT upper(slots) - 1 FROM heliograph.coverage), (SELECT count(*) FROM perps.trades) "
            "FROM heliograph.streams"
        )
    return tuple(row)
