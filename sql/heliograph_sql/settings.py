"""Settings of the database: where it is and how much of it one process may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from heliograph_core.errors import SettingsError
from heliograph_sql.tier import Edition

CHUNK_INTERVAL_HOURS = 168


@dataclass(frozen=True)
class StorageSettings:
    """How tables are stored, and for how long. What a tier lacks does nothing there, and a warning says so."""

    chunk_interval_hours: int = CHUNK_INTERVAL_HOURS
    """Time that one chunk of a hypertable spans (TimescaleDB). The chunks being written, with indexes, should fit into a quarter of memory."""
    columnstore_after_days: int | None = None
    """Age at which chunks are compressed into the columnstore, by market in order of slots (TimescaleDB Community); nothing: never."""
    retention: tuple[str, ...] = ()
    """How many days rows are kept, as TABLE=DAYS, on every tier: ["*=365", "perps.oracle_prices=30", "perps.trades=0"]. * stands for any letters, the last that fits counts, 0 keeps all; tables that none fits keep all. Completeness starts where the shortest ends."""
    retention_check_s: float = 3600.0
    """Seconds between looks for rows that are past their retention."""

    def __post_init__(self) -> None:
        if not 0 < self.chunk_interval_hours <= 24 * 366:
            raise SettingsError(
                f"chunk_interval_hours is {self.chunk_interval_hours}: set 1 to {24 * 366} hours"
            )
        if self.columnstore_after_days is not None and self.columnstore_after_days < 1:
            raise SettingsError(
                f"columnstore_after_days is {self.columnstore_after_days}: set 1 or more days, or leave it out"
            )
        if self.retention_check_s <= 0:
            raise SettingsError(
                f"retention_check_s is {self.retention_check_s}: set a number of seconds above 0"
            )
        for rule in self.retention:
            _rule(rule)

    @property
    def policies(self) -> Mapping[str, int | None]:
        """What is stored in heliograph.storage."""
        return {
            "chunk_interval_hours": self.chunk_interval_hours,
            "columnstore_after_days": self.columnstore_after_days,
        }

    def days_kept(self, table: str) -> int | None:
        """Of a table, `schema.name`; None where its rows are kept for good."""
        fitting = [days for pattern, days in map(_rule, self.retention) if fnmatchcase(table, pattern)]
        return fitting[-1] or None if fitting else None

    def lacking(self, edition: Edition) -> str:
        """Settings, as given, that this edition can do nothing about; empty where all is in force."""
        idle = []
        if edition is Edition.PLAIN and self.chunk_interval_hours != CHUNK_INTERVAL_HOURS:
            idle.append(f"chunk_interval_hours = {self.chunk_interval_hours}")
        if edition is not Edition.COMMUNITY and self.columnstore_after_days is not None:
            idle.append(f"columnstore_after_days = {self.columnstore_after_days}")
        return ", ".join(idle)


def _rule(text: str) -> tuple[str, int]:
    pattern, found, days = text.partition("=")
    if not found or not pattern.strip() or not days.strip().isdecimal():
        raise SettingsError(
            f"retention has {text!r}: write TABLE=DAYS with whole days, as in perps.trades=365"
        )
    return pattern.strip(), int(days)


@dataclass(frozen=True)
class DatabaseSettings:
    """Where the database is and how much of it one process may use. Durations are in seconds."""

    url: str | None = None
    """PostgreSQL connection URL; None starts the embedded server."""
    data_dir: Path | None = None
    """Folder of the embedded server's data; None is `heliograph` in the user's data directory."""
    pool_min: int = 1
    """Connections kept open."""
    pool_max: int = 10
    """Connections opened at most; whoever needs one more waits."""
    acquire_timeout_s: float = 10.0
    """How long to wait for a free connection before failing with DatabaseUnavailable."""
    statement_timeout_s: float = 60.0
    """How long one statement may run; 0 sets no limit."""
    idle_in_transaction_timeout_s: float = 10.0
    """How long a process may pause inside a transaction before the server ends it, which frees what it locked."""

    def __post_init__(self) -> None:
        if not 0 < self.pool_max or not 0 <= self.pool_min <= self.pool_max:
            raise SettingsError(
                f"pool_min is {self.pool_min} and pool_max is {self.pool_max}: "
                "set 0 <= pool_min <= pool_max and pool_max >= 1"
            )
        for name in ("acquire_timeout_s", "idle_in_transaction_timeout_s"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} is {getattr(self, name)}: set a number of seconds above 0")
        if self.statement_timeout_s < 0:
            raise SettingsError(
                f"statement_timeout_s is {self.statement_timeout_s}: set 0 (no limit) or more"
            )


@dataclass(frozen=True)
class RollupSettings:
    """How aggregates (candles, funding, volume, open interest) are rolled up. Answers are the same either way."""

    interval_s: float = 5.0
    """Seconds between looks at what is to be rolled up."""

    def __post_init__(self) -> None:
        if self.interval_s <= 0:
            raise SettingsError(f"interval_s is {self.interval_s}: set a number of seconds above 0")
