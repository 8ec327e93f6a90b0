"""Settings of the database: where it is and how much of it one process may use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from heliograph_core.errors import SettingsError


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
