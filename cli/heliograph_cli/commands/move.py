"""`heliograph move`: the rows of a plain PostgreSQL, embedded or named, into a server with TimescaleDB, all or nothing."""

from __future__ import annotations

import os
import subprocess
from typing import IO

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from heliograph_cli.parts import in_thread
from heliograph_cli.settings import Settings
from heliograph_cli.store import migrated, reachable, shown
from heliograph_core.errors import DatabaseError, SettingsError
from heliograph_sql.embedded import program
from heliograph_sql.failure import driver_errors
from heliograph_sql.migrate import CONNECT_TIMEOUT_S, describe
from heliograph_sql.queries import load
from heliograph_sql.tier import Edition, read_tier

# Of a server newer than the target's, or for its owner alone; neither says anything of the rows.
_UNWANTED = (b"SET transaction_timeout", b"COMMENT ON EXTENSION")
_BLOCK_BYTES = 1 << 20


async def move(settings: Settings, target: str) -> int:
    """Copies the database, in one transaction, into the empty one at `target`, and migrates that to its tier.

    The old one stays as it is. Raises SettingsError where target holds a schema of ours, DatabaseError.
    """
    place = describe(target)
    async with reachable(settings.database) as (source, _):
        found = await migrated(source)
        if found.tier.edition is not Edition.PLAIN:
            raise SettingsError(
                f"{shown(source)} is {found.tier.label}: move takes the rows of a plain PostgreSQL; "
                "between TimescaleDB servers use pg_dump as TimescaleDB documents it"
            )
        await in_thread(lambda: _check_empty(target, place), name="look at the target")
        await in_thread(lambda: _copy(source, target, place), name="copy the database")
    there = await migrated(target, settings.storage)
    print(f"moved {shown(source)} ({found.tier.label}) to {shown(target)} ({there.tier.label})")
    print("use it with --database or DATABASE_URL; the old database is as it was")
    return 0


def _check_empty(target: str, place: str) -> None:
    with (
        driver_errors(f"database {place}"),
        psycopg.connect(target, connect_timeout=CONNECT_TIMEOUT_S) as connection,
    ):
        read_tier(connection)
        row = connection.execute(load("migrate.sql")["find_bookkeeping"]).fetchone()
    if row is not None and row[0]:
        raise SettingsError(
            f"database {place} is one of heliograph already: name an empty one, made with createdb"
        )


def _copy(source: str, target: str, place: str) -> None:
    # The end of the transaction is written here, by whoever knows that the dump is whole: at the end of its input
    # psql's own --single-transaction would commit what it has, also when we were killed.
    with (
        _started("pg_dump", source, "--no-owner", "--no-privileges", stdout=subprocess.PIPE) as reading,
        _started(
            "psql", target, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", stdin=subprocess.PIPE
        ) as writing,
    ):
        assert reading.stdout is not None and writing.stdin is not None
        taken = _pour(reading.stdout, writing.stdin)
        reading.stdout.close()
        read_error = _last_error(reading)
        if taken and read_error is None:
            taken = _write(writing.stdin, b"COMMIT;\n")
        writing.stdin.close()
        write_error = _last_error(writing)
    # Where the reader of a pipe has gone, its writer fails too: the reader's reason is the one that tells.
    if write_error is not None or not taken:
        raise DatabaseError(f"database {place} did not take the rows, and is as it was: {write_error}")
    if read_error is not None:
        raise DatabaseError(
            f"reading {shown(source)} failed, and database {place} is as it was: {read_error}"
        )


def _started(
    name: str, url: str, *arguments: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    # Not in the arguments, which every user of the machine can read.
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password is not None else {})}
    return subprocess.Popen(
        [str(program(name)), f"--dbname={make_conninfo('', **parts)}", *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment,
        # What is written is not kept back: it would have to be written again when the pipe is closed.
        bufsize=0 if stdin == subprocess.PIPE else -1,
    )


def _pour(dump: IO[bytes], into: IO[bytes]) -> bool:
    """Copies the dump without what another server may not understand. False where the reader has gone."""
    if not _write(into, b"BEGIN;\n"):
        return False
    # Rows come after all that is left out, and are never looked at.
    for line in dump:
        if not line.startswith(_UNWANTED) and not _write(into, line):
            return False
        if line.startswith(b"COPY "):
            break
    while block := dump.read(_BLOCK_BYTES):
        if not _write(into, block):
            return False
    return True


def _write(into: IO[bytes], data: bytes) -> bool:
    left = memoryview(data)
    try:
        while left:
            left = left[into.write(left) :]
    except BrokenPipeError:
        return False
    return True


def _last_error(process: subprocess.Popen[bytes]) -> str | None:
    """Why it failed, None where it did not."""
    assert process.stderr is not None
    said = [line.strip() for line in process.stderr.read().decode(errors="replace").splitlines()]
    if process.wait() == 0:
        return None
    telling = [line for line in said if "error" in line.lower() or "FATAL" in line]
    return (telling or [line for line in said if line] or ["it gave no reason"])[0]
