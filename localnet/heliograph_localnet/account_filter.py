"""The filters of getProgramAccounts and programSubscribe. JSON in, a predicate out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from heliograph_localnet import base58
from heliograph_localnet.rpc_error import RpcFault, invalid_params

MAX_FILTERS = 4
MAX_MEMCMP = 128
"""Bytes that one memcmp filter may compare."""

Filter = Callable[[bytes], bool]


class _Memcmp(msgspec.Struct, frozen=True):
    offset: int
    bytes: str | tuple[int, ...]
    encoding: Literal["base58", "base64", "binary", "bytes"] | None = None


class _DataSize(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    data_size: int


class _MemcmpFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    memcmp: _Memcmp


def read_filters(raw: Sequence[Any]) -> Filter:
    """One predicate over account data for all of them. Raises RpcFault -32602 for what a node refuses."""
    if len(raw) > MAX_FILTERS:
        raise invalid_params(f"Too many filters provided; max {MAX_FILTERS}")
    filters = [_read(each) for each in raw]
    return lambda data: all(allows(data) for allows in filters)


def _read(raw: Any) -> Filter:
    try:
        if isinstance(raw, dict) and "memcmp" in raw:
            return _memcmp(msgspec.convert(raw, _MemcmpFilter).memcmp)
        size = msgspec.convert(raw, _DataSize).data_size
    except msgspec.ValidationError as problem:
        raise invalid_params(f"Invalid params: {problem}.") from None
    return lambda data: len(data) == size


def _memcmp(wanted: _Memcmp) -> Filter:
    expected = _memcmp_bytes(wanted)
    if len(expected) > MAX_MEMCMP:
        raise invalid_params("Invalid param: encoded binary data should be less than 128 bytes")
    start = wanted.offset
    return lambda data: data[start : start + len(expected)] == expected


def _memcmp_bytes(wanted: _Memcmp) -> bytes:
    try:
        if not isinstance(wanted.bytes, str):
            return bytes(wanted.bytes)
        if wanted.encoding == "base64":
            return base64.b64decode(wanted.bytes, validate=True)
        return base58.decode(wanted.bytes)
    except (ValueError, binascii.Error) as problem:
        raise _undecodable(problem) from None


def _undecodable(problem: Exception) -> RpcFault:
    return invalid_params(f"Invalid param: unable to decode memcmp bytes: {problem}")
