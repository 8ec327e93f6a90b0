"""From what an endpoint answered to the error a caller sees. Pure: codes and texts in, RpcError out.

`retry` of the error is all that a caller needs; `code` is for the few that know more: NOT_YET and MISSING blocks, an
UNKNOWN_CURSOR. `remedy(error)` says what a pool of endpoints does about it.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from heliograph_core.errors import RpcError, RpcRefused, RpcUnavailable

BLOCK_CLEANED_UP = -32001
BLOCK_NOT_AVAILABLE = -32004
SLOT_SKIPPED = -32007
LONG_TERM_SLOT_SKIPPED = -32009
BLOCK_STATUS_NOT_AVAILABLE = -32014
TRANSACTION_VERSION = -32015
BEHIND_CONTEXT = -32016
UNKNOWN_CURSOR = -32020
METHOD_NOT_FOUND = -32601

NOT_YET = frozenset({BLOCK_NOT_AVAILABLE, BLOCK_STATUS_NOT_AVAILABLE})
MISSING = frozenset({SLOT_SKIPPED, LONG_TERM_SLOT_SKIPPED})


class Remedy(Enum):
    """What to do about an error, where there may be other endpoints."""

    WAIT = "ask the same endpoint again after a pause, then another"
    MOVE = "ask another endpoint at once and leave this one alone for a while"
    TELL = "hand it to the caller, who knows what it proves; another endpoint may know more"
    NEVER = "ask another endpoint, and this one never again for the like"
    STOP = "nobody can answer this: say so"


class _Rule(NamedTuple):
    retry: bool
    advice: str
    remedy: Remedy


_BY_CODE: dict[int, _Rule] = {
    -32001: _Rule(
        False, "this node no longer keeps that block: use an endpoint with longer history", Remedy.NEVER
    ),
    -32002: _Rule(False, "the transaction fails when simulated: correct it", Remedy.STOP),
    -32003: _Rule(False, "a signature is wrong: sign the transaction anew", Remedy.STOP),
    -32004: _Rule(True, "the block is not available yet; it is asked for again", Remedy.WAIT),
    -32005: _Rule(
        True,
        "the node is behind or unhealthy: it is asked again; if this lasts, use another endpoint",
        Remedy.MOVE,
    ),
    -32006: _Rule(False, "a precompile rejects the transaction: correct it", Remedy.STOP),
    -32007: _Rule(
        False,
        "the slot was skipped or its block is missing here: another endpoint may tell which",
        Remedy.TELL,
    ),
    -32008: _Rule(False, "this node has no snapshot: use another endpoint", Remedy.NEVER),
    -32009: _Rule(
        False,
        "the slot was skipped or is missing in long-term storage: another endpoint may tell which",
        Remedy.TELL,
    ),
    -32010: _Rule(
        False,
        "this node does not index that key: use an endpoint whose account indexes hold it",
        Remedy.NEVER,
    ),
    -32011: _Rule(False, "this node keeps no transaction history: use an endpoint that does", Remedy.NEVER),
    -32012: _Rule(
        True, "the account scan failed: it is asked again; narrow the filters if this lasts", Remedy.MOVE
    ),
    -32013: _Rule(
        True, "the node holds bad data: it is asked again; if this lasts, use another endpoint", Remedy.MOVE
    ),
    -32014: _Rule(True, "the block's status is not known yet; it is asked for again", Remedy.WAIT),
    -32015: _Rule(
        False,
        "the cluster has a newer transaction version than Heliograph asks for: update Heliograph, this is a bug",
        Remedy.STOP,
    ),
    -32016: _Rule(
        True, "the node has not reached the slot that was asked for; it is asked again", Remedy.WAIT
    ),
    -32017: _Rule(True, "epoch rewards are being paid out; it is asked again", Remedy.WAIT),
    -32018: _Rule(False, "the slot is not the first of an epoch: ask for another", Remedy.STOP),
    -32019: _Rule(True, "long-term storage cannot be reached; it is asked again", Remedy.WAIT),
    -32020: _Rule(
        False, "the node does not know the signature to page from: an older one is tried", Remedy.TELL
    ),
    -32600: _Rule(
        False,
        "the endpoint calls the request invalid: check that it is a Solana JSON-RPC endpoint",
        Remedy.NEVER,
    ),
    -32601: _Rule(False, "the endpoint does not know this method: use one that serves it", Remedy.NEVER),
    -32602: _Rule(False, "the endpoint refuses the parameters: check its version", Remedy.NEVER),
    -32603: _Rule(True, "the node failed inside; it is asked again", Remedy.MOVE),
    -32700: _Rule(
        False,
        "the endpoint cannot read the request: check that it is a Solana JSON-RPC endpoint",
        Remedy.NEVER,
    ),
}
_UNKNOWN = _Rule(True, "the code is not one this client knows; it is asked again", Remedy.WAIT)

_BY_STATUS: dict[int, _Rule] = {
    401: _Rule(False, "the endpoint wants credentials: check the address or its key", Remedy.NEVER),
    403: _Rule(False, "the endpoint forbids this: check the key, or use another endpoint", Remedy.NEVER),
    404: _Rule(False, "nothing is served at this address: check it", Remedy.NEVER),
    408: _Rule(True, "the endpoint waited too long; it is asked again", Remedy.MOVE),
    413: _Rule(False, "the request is too large for this endpoint: lower rpc.request_bytes", Remedy.TELL),
    425: _Rule(True, "the endpoint was not ready; it is asked again", Remedy.WAIT),
    429: _Rule(
        True,
        "too many requests: lower rpc.requests_per_second, or use an endpoint that allows more",
        Remedy.MOVE,
    ),
}
_SERVER_FAULT = _Rule(True, "the endpoint failed; it is asked again", Remedy.WAIT)
_CLIENT_FAULT = _Rule(
    False,
    "the endpoint refuses the request: check that the address is a Solana JSON-RPC endpoint",
    Remedy.NEVER,
)

MOVING: frozenset[int | None] = frozenset(
    {None, *(code for code, rule in (_BY_CODE | _BY_STATUS).items() if rule.remedy is Remedy.MOVE)}
)
"""Codes whose remedy is to move; None is no usable answer."""


def remedy(error: RpcError) -> Remedy:
    """What a pool does about the error. Without a code there was no usable answer."""
    if error.code is None:
        return Remedy.MOVE if error.retry else Remedy.NEVER
    return _rule(error.code).remedy


def label(code: int) -> str:
    """The code as figures show it: itself where it is known, so that a node cannot make up labels without end."""
    return str(code) if code in _BY_CODE or 100 <= code <= 599 else "other"


def _rule(code: int) -> _Rule:
    if 100 <= code <= 599:
        return _BY_STATUS.get(code, _SERVER_FAULT if code >= 500 else _CLIENT_FAULT)
    return _BY_CODE.get(code, _UNKNOWN)


def from_code(
    endpoint: str, method: str, code: int, message: str, retry_after: float | None = None
) -> RpcError:
    """The error for a JSON-RPC error object. endpoint: as it may be shown, without credentials."""
    if 400 <= code <= 599:
        # Some gateways put their HTTP status into the error object of a 200.
        return from_status(endpoint, method, code, message, retry_after)
    rule = _rule(code)
    return _error(
        rule, f"{method} at {endpoint} gave {code} ({_short(message)}): {rule.advice}", code, retry_after
    )


def from_status(
    endpoint: str, method: str, status: int, text: str = "", retry_after: float | None = None
) -> RpcError:
    """The error for an HTTP status that is not 200."""
    rule = _rule(status)
    said = f" ({_short(text)})" if text.strip() else ""
    return _error(
        rule, f"{method} at {endpoint} gave HTTP {status}{said}: {rule.advice}", status, retry_after
    )


def unreachable(endpoint: str, method: str, why: str) -> RpcUnavailable:
    """No answer at all: refused, reset, timed out or garbled."""
    return RpcUnavailable(
        f"{method} at {endpoint}: {_short(why)}: check that the endpoint runs and can be reached from here"
    )


def _error(rule: _Rule, message: str, code: int, retry_after: float | None) -> RpcError:
    kind = RpcUnavailable if rule.retry else RpcRefused
    return kind(message, code=code, retry_after=retry_after)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:157] + "..."
