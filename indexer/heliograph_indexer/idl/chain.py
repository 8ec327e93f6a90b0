"""Where programs keep their IDL on chain, and how to read it from there. Pure.

In: a program's address; the owner and bytes of the account found at one of its two places. Out: the document's bytes.
Raises IdlError for an account that is not what the place promises; nothing is unpacked beyond MOST_DOCUMENT_BYTES.

* Program Metadata (Anchor 1.0 and newer): an account of that program at the address made of (program, no authority,
  "idl"). Only this canonical one counts: it can be written by who may upgrade the program, any other by anybody.
* The account of Anchor before 1.0: at an address derived from the program, owned by it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from solders.pubkey import Pubkey

from heliograph_core.errors import IdlError

METADATA_PROGRAM = "ProgM6JCCvbYkfKqJYHePx4xxSUSqJp7rh8Lyv7nk7S"

MOST_DOCUMENT_BYTES = 16 << 20
"""The largest IDL that is unpacked; an account holds 10 MB at most, and zlib can blow that up a thousandfold."""

_SEED = b"idl".ljust(16, b"\0")

# Discriminator, program, authority, mutable, canonical, seed, encoding, compression, format, source, length.
_METADATA = struct.Struct("<B32s32s??16sBBBBI5x")
_IS_METADATA = 2
_ENCODINGS: Mapping[int, str] = {0: "none", 1: "utf8", 2: "base58", 3: "base64"}
_COMPRESSIONS: Mapping[int, str] = {0: "none", 1: "gzip", 2: "zlib"}
_FORMATS: Mapping[int, str] = {0: "none", 1: "json", 2: "yaml", 3: "toml"}
_SOURCES: Mapping[int, str] = {0: "direct", 1: "url", 2: "external"}

# Discriminator, authority, length.
_LEGACY = struct.Struct("<8s32sI")


def metadata_address(program: str) -> str:
    """Where Program Metadata keeps the canonical IDL. Raises ValueError for what is no address."""
    seeds = [bytes(Pubkey.from_string(program)), b"", _SEED]
    return str(Pubkey.find_program_address(seeds, Pubkey.from_string(METADATA_PROGRAM))[0])


def legacy_address(program: str) -> str:
    """Where Anchor before 1.0 keeps it. Raises ValueError for what is no address."""
    key = Pubkey.from_string(program)
    base, _ = Pubkey.find_program_address([], key)
    return str(Pubkey.create_with_seed(base, "anchor:idl", key))


def read_metadata(program: str, owner: str, data: bytes) -> bytes:
    """The document of the account at metadata_address(program)."""
    if owner != METADATA_PROGRAM:
        raise IdlError(f"the metadata account of {program} is owned by {owner}, not by Program Metadata")
    if len(data) < _METADATA.size:
        raise IdlError(
            f"the metadata account of {program} has {len(data)} bytes, its header takes {_METADATA.size}"
        )
    kind, of, _, _, canonical, seed, encoding, compression, format_, source, length = _METADATA.unpack_from(
        data
    )
    if kind != _IS_METADATA:
        raise IdlError(f"the metadata account of {program} is of kind {kind}, metadata is {_IS_METADATA}")
    if of != bytes(Pubkey.from_string(program)) or seed != _SEED:
        raise IdlError(f"the metadata account of {program} belongs to another program or is no IDL")
    if not canonical:
        raise IdlError(f"the metadata of {program} is not canonical: anybody may have written it")
    if _SOURCES.get(source) != "direct":
        raise IdlError(
            f"the metadata of {program} only points to its IDL ({_named(_SOURCES, source)}): fetch that file"
        )
    if _FORMATS.get(format_) not in ("none", "json"):
        raise IdlError(
            f"the IDL of {program} is written in {_named(_FORMATS, format_)}, and only JSON is read"
        )
    if _ENCODINGS.get(encoding) not in ("none", "utf8"):
        raise IdlError(
            f"the IDL of {program} is encoded in {_named(_ENCODINGS, encoding)}, and only UTF-8 is read"
        )
    packed = _cut(program, data, _METADATA.size, length)
    if _COMPRESSIONS.get(compression) == "none":
        return packed
    if compression not in _COMPRESSIONS:
        raise IdlError(f"the IDL of {program} is compressed by {_named(_COMPRESSIONS, compression)}")
    return _unpacked(program, packed)


def read_legacy(program: str, owner: str, data: bytes) -> bytes:
    """The document of the account at legacy_address(program)."""
    if owner != program:
        raise IdlError(f"the IDL account of {program} is owned by {owner}, not by the program")
    if len(data) < _LEGACY.size:
        raise IdlError(f"the IDL account of {program} has {len(data)} bytes, its header takes {_LEGACY.size}")
    return _unpacked(program, _cut(program, data, _LEGACY.size, _LEGACY.unpack_from(data)[2]))


def _cut(program: str, data: bytes, start: int, length: int) -> bytes:
    if length > len(data) - start:
        raise IdlError(f"the IDL of {program} is said to take {length} bytes, {len(data) - start} are there")
    return data[start : start + length]


def _unpacked(program: str, packed: bytes) -> bytes:
    """zlib or gzip, which say themselves what they are."""
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        document = unpacking.decompress(packed, MOST_DOCUMENT_BYTES)
    except zlib.error as error:
        raise IdlError(f"the IDL of {program} cannot be unpacked: {error}") from error
    if unpacking.unconsumed_tail:
        raise IdlError(f"the IDL of {program} is larger than {MOST_DOCUMENT_BYTES} bytes")
    if not unpacking.eof:
        raise IdlError(f"the IDL of {program} cannot be unpacked: it ends too early")
    return document


def _named(names: Mapping[int, str], number: int) -> str:
    return names.get(number, f"number {number}")
