"""Cursors: opaque to clients, checked when they come back. Values in, values out.

A keyset cursor (queries) names the last row of a page by its sort values. A stream cursor (subscriptions)
says, a stream each, the last commit that was delivered and, inside an unfinished commit, the last row.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

import msgspec

from heliograph_core.errors import CursorError

CursorValue = str | int | bool | None


class StreamPosition(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """How far a subscriber has read one stream.

    Everything of commits up to seq - 1 was delivered, and of commit `seq` every row up to and including
    (slot, tx_index, ordinal, part). A slot of -1 means: nothing of it yet; END means: all of it.
    """

    seq: int
    slot: int
    tx_index: int
    ordinal: int
    part: int

    @classmethod
    def after(cls, seq: int) -> StreamPosition:
        """Commit `seq` was delivered whole."""
        return cls(seq, END, 0, 0, 0)


END = 2**63 - 1
_MOST = 64 * 1024
_INT32, _INT64 = 2**31, 2**63


def encode_keyset(order: str, values: Sequence[CursorValue]) -> str:
    """order: names the sort the cursor belongs to, so that it is refused under another one."""
    return _encode(b"k", msgspec.json.encode((order, tuple(values))))


def decode_keyset(text: str, order: str) -> tuple[CursorValue, ...]:
    """The sort values. Raises CursorError for a forged cursor or one of another sort."""
    raw = _decode(b"k", text)
    try:
        made_for, values = msgspec.json.decode(raw, type=tuple[str, tuple[CursorValue, ...]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _invalid(text) from None
    if made_for != order:
        raise CursorError(
            f"cursor {text[:40]!r} belongs to another order of rows: use it with the orderBy it came from"
        )
    return values


def encode_stream(positions: Mapping[str, StreamPosition]) -> str:
    return _encode(b"s", msgspec.json.encode({name: positions[name] for name in sorted(positions)}))


def decode_stream(text: str) -> dict[str, StreamPosition]:
    """Raises CursorError for a forged cursor."""
    try:
        positions = msgspec.json.decode(_decode(b"s", text), type=dict[str, StreamPosition])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _invalid(text) from None
    for seq, slot, *indices in map(msgspec.structs.astuple, positions.values()):
        if (
            not -_INT64 <= seq < _INT64
            or not -1 <= slot < _INT64
            or not all(0 <= at < _INT32 for at in indices)
        ):
            raise _invalid(text)
    return positions


def _encode(kind: bytes, payload: bytes) -> str:
    return base64.urlsafe_b64encode(kind + payload).rstrip(b"=").decode()


def _decode(kind: bytes, text: str) -> bytes:
    if len(text) > _MOST:
        raise _invalid(text)
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise _invalid(text) from None
    if raw[:1] != kind:
        raise _invalid(text)
    return raw[1:]


def _invalid(text: str) -> CursorError:
    return CursorError(
        f"cursor {text[:40]!r} is not one of this server's: pass a cursor exactly as it was received"
    )
