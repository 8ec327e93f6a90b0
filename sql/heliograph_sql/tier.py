"""Which kind of server this is: plain PostgreSQL, TimescaleDB Apache or TimescaleDB Community."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import psycopg

from heliograph_core.errors import DatabaseError
from heliograph_sql.failure import driver_errors
from heliograph_sql.queries import load

POSTGRES_FLOOR = 15
TIMESCALE_FLOOR = (2, 18)


class Edition(enum.StrEnum):
    """What the server offers beyond PostgreSQL."""

    PLAIN = "PostgreSQL"
    APACHE = "TimescaleDB Apache"
    COMMUNITY = "TimescaleDB Community"


@dataclass(frozen=True)
class Tier:
    """Edition and versions; timescale is None where the extension is not in use."""

    edition: Edition
    postgres: str
    timescale: str | None = None

    @property
    def label(self) -> str:
        """For people: `PostgreSQL 18.6`, `TimescaleDB Community 2.20.1 on PostgreSQL 17.5`."""
        if self.timescale is None:
            return f"{self.edition} {self.postgres}"
        return f"{self.edition} {self.timescale} on PostgreSQL {self.postgres}"


def read_tier(connection: psycopg.Connection[tuple[object, ...]]) -> Tier:
    """The tier of the connected database. Raises DatabaseError below the floor versions."""
    row = connection.execute(load("migrate.sql")["read_server"]).fetchone()
    assert row is not None
    number, postgres, timescale, license_ = (str(value) if value is not None else None for value in row)
    assert number is not None and postgres is not None
    if int(number) // 10_000 < POSTGRES_FLOOR:
        raise DatabaseError(
            f"the server is PostgreSQL {postgres}: heliograph needs {POSTGRES_FLOOR} or newer, upgrade it"
        )
    if timescale is None:
        return Tier(Edition.PLAIN, postgres)
    if not _above_floor(timescale):
        raise DatabaseError(
            f"the database has TimescaleDB {timescale}: heliograph needs {_FLOOR} or newer, run ALTER EXTENSION timescaledb UPDATE"
        )
    edition = Edition.COMMUNITY if license_ == "timescale" else Edition.APACHE
    return Tier(edition, postgres, timescale)


def check_timescale(version: str) -> None:
    """Raises DatabaseError where the version that a server offers is below the floor."""
    if not _above_floor(version):
        raise DatabaseError(
            f"the server offers TimescaleDB {version}: heliograph needs {_FLOOR} or newer, upgrade the server's package, "
            "or take timescaledb out of shared_preload_libraries to index into plain tables"
        )


_FLOOR = ".".join(map(str, TIMESCALE_FLOOR))


def _above_floor(version: str) -> bool:
    return tuple(int(part) for part in version.split("-")[0].split(".")[:2]) >= TIMESCALE_FLOOR


def detect_tier(url: str) -> Tier:
    """The tier of the database at `url`. Raises DatabaseError (DatabaseUnavailable where nothing answers)."""
    with driver_errors("database"), psycopg.connect(url, autocommit=True) as connection:
        return read_tier(connection)
