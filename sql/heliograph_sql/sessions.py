"""The database sessions of writers: named after who writes, so that whoever takes over can end them.

A process that is stopped in the middle of a transaction keeps what it has locked. Idle between two statements the server ends it
after `STOPPED_WRITER_S`; inside a COPY it waits for more data without end, and only this helps.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import asyncpg
import structlog

from heliograph_sql.queries import load

STOPPED_WRITER_S = 3.0
"""How long a writer may pause between two statements of a transaction before the server breaks it off."""
_GONE_WITHIN_MS = 2_000

_log = structlog.get_logger(__name__)


async def begin_writing(connection: Any, holder: str) -> None:
    """To be called before the transaction, with what names the writer in leases and claims."""
    timeout = str(round(STOPPED_WRITER_S * 1000))
    await connection.fetchrow(load("sessions.sql")["begin_writing"], holder, timeout)


async def end_sessions(connection: Any, holders: Collection[str]) -> None:
    """Breaks off what these writers are writing. Without the right to do so theirs ends when it ends."""
    try:
        await connection.fetch(load("sessions.sql")["end_sessions"], list(holders), _GONE_WITHIN_MS)
    except asyncpg.InsufficientPrivilegeError as error:
        _log.warning("writer_not_ended", holders=sorted(holders), why=str(error))
