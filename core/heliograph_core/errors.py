"""The error tree. Callers decide by `retry` alone; the class says which part failed.

HeliographError
├── RpcError                the cluster or the way to it
│   ├── RpcUnavailable      retry: unreachable, overloaded, behind, not yet
│   └── RpcRefused          the request itself is at fault, or this endpoint can never answer it
├── DatabaseError           PostgreSQL or the way to it
│   ├── DatabaseUnavailable retry: connection lost, starting up, deadlock
│   ├── WriteConflict       retry after rereading coverage: another writer was first
│   ├── LeaseLost           another process leads this stream now
│   └── IdlConflict         an IDL was added meanwhile: decode anew
├── DecodeError             bytes that fit no layout
├── IdlError                an IDL that cannot be read; names the place at fault
├── TransactionError        a transaction record that contradicts itself
├── OracleError             retry: no trustworthy price now
├── CursorError             a cursor that this server did not make, or that expired
└── SettingsError           a setting, file or argument at fault
"""

from __future__ import annotations

from typing import ClassVar


class HeliographError(Exception):
    """Base of every error that Heliograph raises on purpose.

    The message names the thing, its value and what to do about it, in one line.
    """

    retry: ClassVar[bool] = False
    """Whether the same call may succeed later with nothing changed by the caller."""


class RpcError(HeliographError):
    """The cluster, or the way to it, failed.

    `code` is the JSON-RPC error code or the HTTP status, None where there was no answer.
    `retry_after` is the server's own wish in seconds, None where it had none.
    """

    def __init__(self, message: str, *, code: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class RpcUnavailable(RpcError):
    """The endpoint did not answer usefully now; it or another one may, later."""

    retry = True


class RpcRefused(RpcError):
    """The endpoint will not answer this request, however often it is asked."""


class DatabaseError(HeliographError):
    """PostgreSQL refused or failed."""


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached now, or broke off a transaction that may be tried again."""

    retry = True


class WriteConflict(DatabaseError):
    """Another writer covered or claimed a slot of the range first: reread coverage, then try again."""

    retry = True


class LeaseLost(DatabaseError):
    """This process no longer leads the stream; what it still wanted to write is not its to write."""


class IdlConflict(DatabaseError):
    """An IDL was added to the stream since these rows were decoded: read the IDLs anew, and decode anew."""


class DecodeError(HeliographError):
    """Bytes that fit no layout. `path` says where in the value, as in `$.orders[2].price`."""

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class IdlError(HeliographError):
    """An IDL that cannot be read. `path` says where in the document."""

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class TransactionError(HeliographError):
    """A transaction record that contradicts itself or the block it is said to stand in."""


class OracleError(HeliographError):
    """No price can be trusted now."""

    retry = True


class CursorError(HeliographError):
    """A cursor that this server did not make or no longer keeps history for. `code` is stable for clients."""

    def __init__(self, message: str, *, code: str = "CURSOR_INVALID") -> None:
        super().__init__(message)
        self.code = code


class SettingsError(HeliographError):
    """A setting, a file or an argument is at fault."""
