"""The lease of a stream's head: one process leads, by the database's clock; taking over raises the epoch."""

from __future__ import annotations

from heliograph_core.errors import LeaseLost
from heliograph_sql.database import Database
from heliograph_sql.queries import load
from heliograph_sql.sessions import end_sessions


class Lease:
    """Leadership of one stream, to be renewed well within `ttl_s` seconds (each second is usual).

    holder names this process and must be unique among all processes. Whoever holds the lease writes with `epoch`;
    a writer with an older epoch is refused, so that a leader which slept through its lease cannot write.
    """

    def __init__(self, database: Database, stream: str, holder: str, ttl_s: float = 5.0) -> None:
        self._database = database
        self._queries = load("lease.sql")
        self.stream = stream
        self.holder = holder
        self.ttl_s = ttl_s
        self.epoch: int | None = None
        """The epoch that was acquired, None while this process does not lead."""

    async def acquire(self) -> int | None:
        """The new epoch, or None while another process's lease is alive.

        Whoever led until now can write no more; what it has begun to write is broken off, so that nobody waits for it.
        """
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(
                self._queries["acquire_lease"], self.stream, self.holder, self.ttl_s
            )
            self.epoch = None if row is None else row["epoch"]
            former = None if row is None else row["former"]
            if former is not None and former != self.holder:
                await end_sessions(connection, [former])
        return self.epoch

    async def renew(self) -> None:
        """Prolongs the lease from now. Raises LeaseLost where another process took over; then stop writing."""
        async with self._database.acquire() as connection:
            renewed = await connection.fetchval(
                self._queries["renew_lease"], self.stream, self.holder, self.epoch, self.ttl_s
            )
        if renewed is None:
            held, self.epoch = self.epoch, None
            raise LeaseLost(f"stream {self.stream}: another process leads now, epoch {held} is over")

    async def release(self) -> None:
        """Gives the lease up at once, so that another process need not wait; nothing where it is lost already."""
        if self.epoch is None:
            return
        async with self._database.acquire() as connection:
            await connection.execute(self._queries["release_lease"], self.stream, self.holder, self.epoch)
        self.epoch = None
