"""Errors as clients see them: a message and a stable code, never internals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import structlog
from graphql import GraphQLError
from graphql.error import GraphQLSyntaxError

from heliograph_core.errors import CursorError, DatabaseUnavailable
from heliograph_graphql.node_id import NodeIdError

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
BAD_INPUT = "BAD_USER_INPUT"
TOO_COMPLEX = "QUERY_TOO_COMPLEX"
TIMEOUT = "TIMEOUT"
UNAVAILABLE = "DATABASE_UNAVAILABLE"
INTERNAL = "INTERNAL_SERVER_ERROR"
CURSOR_EXPIRED = "CURSOR_EXPIRED"
SLOW_CONSUMER = "SLOW_CONSUMER"
TOO_MANY = "TOO_MANY_SUBSCRIPTIONS"
TOO_LARGE = "REQUEST_TOO_LARGE"
BAD_REQUEST = "BAD_REQUEST"
STOPPING = "SERVER_STOPPING"
SLOT_NOT_REACHED = "SLOT_NOT_REACHED"
SLOT_NOT_KEPT = "SLOT_NOT_KEPT"

TOO_LONG = "the query took too long: ask for fewer rows or a narrower filter"
_QUERY_CANCELED = "57014"
_REFUSED = "HG001"
_UNDEFINED = frozenset({"42P01", "42703", "3F000"})
"""Table, column, schema."""
_log = structlog.get_logger(__name__)


class RequestError(Exception):
    """A request that is refused before anything runs."""

    def __init__(self, errors: Iterable[dict[str, Any]], status: int = 400) -> None:
        self.errors = list(errors)
        self.status = status
        super().__init__("; ".join(str(error["message"]) for error in self.errors))


def coded(message: str, code: str, **extensions: Any) -> dict[str, Any]:
    """One error object of a response."""
    return {"message": message, "extensions": {"code": code, **extensions}}


def refuse(message: str, code: str, status: int = 400) -> RequestError:
    return RequestError([coded(message, code)], status)


def no_stream(name: str, known: Iterable[str]) -> RequestError:
    return refuse(
        f"there is no stream {name[:60]!r}: there are {', '.join(sorted(known)) or 'none'}", BAD_INPUT
    )


def too_complex(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": TOO_COMPLEX})


def from_graphql(errors: Iterable[GraphQLError], code: str) -> list[dict[str, Any]]:
    """graphql-core's own errors, with `code` where they carry none."""
    return [show(error, code) for error in errors]


def show(error: BaseException, code: str = BAD_INPUT) -> dict[str, Any]:
    """Any error as a response's error object. What is not meant for clients is logged and hidden."""
    if isinstance(error, GraphQLError):
        return _show_graphql(error, code)
    if isinstance(error, CursorError):
        return coded(str(error), error.code)
    if isinstance(error, NodeIdError):
        return coded(str(error), BAD_INPUT)
    if is_timeout(error):
        return coded(TOO_LONG, TIMEOUT)
    refused = _refusal(error)
    if refused is not None:
        return coded(refused, TOO_COMPLEX)
    if isinstance(error, DatabaseUnavailable):
        return coded("the database cannot be reached now: try again", UNAVAILABLE)
    _log.error("request failed", exc_info=error)
    return coded("something went wrong here; the server's log says what", INTERNAL)


def is_timeout(error: BaseException) -> bool:
    """Whether the database broke the statement off for taking too long."""
    return any(getattr(cause, "sqlstate", None) == _QUERY_CANCELED for cause in _causes(error))


def is_outdated(error: BaseException) -> bool:
    """Whether the statement reads what is not there any more, as where a stream was removed."""
    return any(getattr(cause, "sqlstate", None) in _UNDEFINED for cause in _causes(error))


def _refusal(error: BaseException) -> str | None:
    """What heliograph.refuse said, where a statement ended by it."""
    return next(
        (str(cause) for cause in _causes(error) if getattr(cause, "sqlstate", None) == _REFUSED), None
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def http_status(errors: Iterable[dict[str, Any]]) -> int:
    """The status of a response that holds no data at all."""
    codes = {error["extensions"]["code"] for error in errors}
    if codes & {UNAVAILABLE, TIMEOUT}:
        return 503
    return 500 if INTERNAL in codes else 400


def _show_graphql(error: GraphQLError, code: str) -> dict[str, Any]:
    original = error.original_error
    if original is not None and not isinstance(original, GraphQLError) and error.path:
        # A resolver raised it; without a path it is a value that did not parse, whose message is for clients.
        shown = show(original)
    else:
        own = (error.extensions or {}).get("code")
        if own is None and isinstance(error, GraphQLSyntaxError):
            own = PARSE_FAILED
        shown = coded(error.message, own or code)
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        shown["path"] = list(error.path)
    return shown
