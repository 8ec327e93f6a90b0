"""Global ids: what names one row of one entity, opaque to clients and checked when it comes back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from heliograph_core.errors import HeliographError

IdValue = str | int
PREFIX = "n"
_MOST = 2048
_PREFIX = PREFIX.encode()
_STANDARD = bytes.maketrans(b"-_", b"+/")
_values = msgspec.json.Decoder(list[str | int]).decode


class NodeIdError(HeliographError):
    """An id that this server did not make, or of another type."""


def encode_id(entity: str, values: Sequence[IdValue]) -> str:
    payload = PREFIX.encode() + msgspec.json.encode((entity, *values))
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode()


def decode_id(text: str, entity: str, count: int) -> tuple[IdValue, ...]:
    """The `count` identity values of a row of `entity`. Raises NodeIdError for any other id."""
    made_for, values = _read(text)
    if made_for != entity or len(values) != count:
        raise NodeIdError(f"id {text[:40]!r} is not of type {entity}: pass an id of that type")
    return values


def entity_of_id(text: str) -> str:
    """The entity that the id says it is of. Raises NodeIdError for what is no id."""
    return _read(text)[0]


def _read(text: str) -> tuple[str, tuple[IdValue, ...]]:
    try:
        if len(text) > _MOST:
            raise ValueError
        raw = binascii.a2b_base64(
            text.encode("ascii").translate(_STANDARD) + b"=" * (-len(text) % 4), strict_mode=True
        )
        made_for, *values = _values(raw[1:])
        if raw[:1] != _PREFIX or not isinstance(made_for, str):
            raise ValueError
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise NodeIdError(
            f"id {text[:40]!r} is not one of this server's: pass an id exactly as it was received"
        ) from None
    return made_for, tuple(values)
