"""Migrations: numbered files of `migrations/`, applied in order, forward only, each in a transaction of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from urllib.parse import urlsplit

import psycopg

from heliograph_core.errors import DatabaseError, SettingsError
from heliograph_sql.analyst import ensure_group
from heliograph_sql.continuous import place_rollups
from heliograph_sql.failure import driver_errors
from heliograph_sql.hypertables import check_offer, enable_timescale
from heliograph_sql.queries import load
from heliograph_sql.settings import StorageSettings
from heliograph_sql.shape import check_shape
from heliograph_sql.tier import Tier, detect_tier, read_tier

__all__ = ["Migrated", "Migration", "Tier", "describe", "detect_tier", "list_migrations", "migrate"]

CONNECT_TIMEOUT_S = 10


@dataclass(frozen=True)
class Migration:
    """One file. `name` is the file's name without `.sql`; `sha256` is of its text."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Migrated:
    """What `migrate` found and did. applied: names of the migrations that this call ran; warnings: what it could not do."""

    tier: Tier
    applied: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def list_migrations() -> tuple[Migration, ...]:
    """All migrations that this version of heliograph has, in order."""
    folder = resources.files("heliograph_sql") / "migrations"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return tuple(Migration(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files)


def migrate(
    url: str, migrations: Sequence[Migration] | None = None, storage: StorageSettings | None = None
) -> Migrated:
    """Brings the database at `url` to this version; several processes may call it at once.

    Where the server has TimescaleDB, tables keyed by block_time become hypertables and keep their rows. storage:
    policies to put into force; None leaves those that are.

    Raises DatabaseUnavailable where nothing answers, DatabaseError where the server is too old, lacks rights,
    was altered by somebody, or holds a schema that these migrations did not make; SettingsError where `url` is none.
    """
    place = describe(url)
    wanted = list_migrations() if migrations is None else tuple(migrations)
    queries = load("migrate.sql")
    with (
        _rights(place),
        driver_errors(f"database {place}"),
        psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection,
    ):
        read_tier(connection)
        check_offer(connection)
        connection.execute(queries["lock_migrations"])
        pending = _pending(connection, wanted, place)
        for migration in pending:
            _apply(connection, migration, place)
        if migrations is None:
            check_shape(connection, place)
        with driver_errors(f"database {place}: turning tables into hypertables"):
            warnings = enable_timescale(connection, storage)
        tier = read_tier(connection)
        place_rollups(connection, tier.edition)
        warning = ensure_group(connection)
        connection.execute(queries["unlock_migrations"])
    if warning is not None:
        warnings = (*warnings, warning)
    return Migrated(tier, tuple(migration.name for migration in pending), warnings)


@contextmanager
def _rights(place: str) -> Iterator[None]:
    """What the database forbids leaves with what to do about it."""
    try:
        yield
    except DatabaseError as error:
        if not isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
            raise
        raise DatabaseError(
            f"{error}: let that role own the database, or GRANT CREATE ON DATABASE {place.rpartition('/')[2]} to it"
        ) from error.__cause__


def describe(url: str) -> str:
    """The URL without user and password, for messages. Raises SettingsError where it is no PostgreSQL URL."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("postgresql", "postgres")
        port = parts.port
    except ValueError as error:
        raise SettingsError(
            f"database URL is malformed: {error}: write postgresql://user@host:5432/name"
        ) from None
    if not known:
        shown = f"{parts.scheme}://…" if parts.scheme else "no URL"
        raise SettingsError(f"database is {shown}: write a URL as in postgresql://user@host:5432/name")
    host = parts.hostname or "(local)"
    return f"{host}{f':{port}' if port else ''}{parts.path}"


def _pending(
    connection: psycopg.Connection[tuple[object, ...]], wanted: Sequence[Migration], place: str
) -> list[Migration]:
    queries = load("migrate.sql")
    found = connection.execute(queries["find_bookkeeping"]).fetchone()
    if found is None or not found[0]:
        with connection.transaction():
            connection.execute(queries["create_schema"])
            connection.execute(queries["create_bookkeeping"])
    applied = {str(name): str(sha256) for name, sha256 in connection.execute(queries["list_applied"])}
    known = {migration.name: migration for migration in wanted}
    for name, sha256 in applied.items():
        if name not in known:
            raise DatabaseError(
                f"database {place} has migration {name}, which this heliograph does not know: use a newer heliograph"
            )
        if known[name].sha256 != sha256:
            raise DatabaseError(
                f"database {place} was made with another text of migration {name}: "
                "use the heliograph that made it, or index into a new database"
            )
    return [migration for migration in wanted if migration.name not in applied]


def _apply(connection: psycopg.Connection[tuple[object, ...]], migration: Migration, place: str) -> None:
    record = load("migrate.sql")["record_migration"]
    with driver_errors(f"database {place}: migration {migration.name}"), connection.transaction():
        connection.execute(migration.text)
        connection.execute(record, {"name": migration.name, "sha256": migration.sha256})
