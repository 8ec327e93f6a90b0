"""JSON text that jsonb takes: exact integers of any size, bytes as base64, NUL as U+2400. Values in, bytes out."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import msgspec

_NUL_ESCAPE = b"\\u0000"
_NUL, _STANDIN = "\0", "\N{SYMBOL FOR NULL}"
_encode = msgspec.json.Encoder(decimal_format="number").encode


def encode_json(value: Any) -> bytes:
    """UTF-8 text. Floats that are no numbers are the texts nan, inf and -inf. TypeError or ValueError for what JSON cannot say."""
    text = _encode(value)
    # The encoder makes them null, as it makes None.
    if b"null" in text:
        text = _encode(_with_numbers_spelled(msgspec.to_builtins(value, builtin_types=(bytes, Decimal))))
    # jsonb refuses the escape of NUL. The bytes also occur in a text that holds a backslash: then nothing changes.
    if _NUL_ESCAPE in text:
        plain = msgspec.to_builtins(value, builtin_types=(bytes, Decimal))
        text = _encode(_without_nul(_with_numbers_spelled(plain)))
    return text


def json_text(value: Any) -> str:
    """The same, as drivers take it."""
    return encode_json(value).decode()


def _with_numbers_spelled(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _with_numbers_spelled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_numbers_spelled(item) for item in value]
    return value


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_NUL, _STANDIN)
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nul(item) for item in value]
    return value
