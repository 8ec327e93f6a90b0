"""Driver errors become heliograph_core errors here, once, for both asyncpg and psycopg."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import psycopg

from heliograph_core.errors import DatabaseError, DatabaseUnavailable

# By SQLSTATE class or code: connection lost, insufficient resources, operator intervention, lock not available,
# serialization failure, deadlock. https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNAVAILABLE_CLASSES = frozenset({"08", "53", "57"})
_UNAVAILABLE_CODES = frozenset({"40001", "40P01", "40003", "55P03", "25P03"})
DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    psycopg.Error,
    OSError,
    TimeoutError,
)
"""What asyncpg and psycopg raise."""


def is_unavailable(sqlstate: str | None) -> bool:
    """Whether the same work may succeed later: the connection or the transaction broke, not the statement."""
    # A statement that was cancelled for taking too long counts too: it may have waited for a lock, or for a server that
    # was stopped.
    return sqlstate is not None and (sqlstate in _UNAVAILABLE_CODES or sqlstate[:2] in _UNAVAILABLE_CLASSES)


@contextmanager
def driver_errors(doing: str) -> Iterator[None]:
    """Inside, errors of asyncpg and psycopg leave as DatabaseError or DatabaseUnavailable: `<doing>: <reason>`."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise wrap(doing, error) from error


def wrap(doing: str, error: BaseException) -> DatabaseError | asyncio.CancelledError:
    """The DatabaseError that says what `error` says, in one line that begins with what was being done.

    CancelledError where the error came of ending what was cancelled, as a transaction on a connection that is gone: whoever
    took it for a failure would try again, and never end.
    """
    if _ends_cancelled(error):
        return asyncio.CancelledError()
    sqlstate = getattr(error, "sqlstate", None)
    message = f"{doing}: {_one_line(error)}"
    if is_unavailable(sqlstate) or (sqlstate is None and _is_connection_trouble(error)):
        return DatabaseUnavailable(message)
    return DatabaseError(message)


def _ends_cancelled(error: BaseException) -> bool:
    before = error.__context__
    # A timeout is told to its task by cancelling it, and was dealt with.
    while isinstance(before, DRIVER_ERRORS) and not isinstance(before, TimeoutError):
        before = before.__context__
    return isinstance(before, asyncio.CancelledError)


def _is_connection_trouble(error: BaseException) -> bool:
    # asyncpg says InternalClientError of a connection that the server broke off while nobody read from it.
    if isinstance(error, (OSError, TimeoutError, psycopg.OperationalError, asyncpg.InternalClientError)):
        return True
    return isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, TimeoutError) and not text:
        text = "no answer in time"
    return text or type(error).__name__
