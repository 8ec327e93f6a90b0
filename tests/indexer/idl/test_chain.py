"""IDLs are read from the accounts of Program Metadata and of older Anchor, and nothing else is believed."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable

import pytest
from solders.pubkey import Pubkey

from heliograph_core.errors import IdlError
from heliograph_indexer.idl import chain
from heliograph_indexer.idl.chain import (
    METADATA_PROGRAM,
    legacy_address,
    metadata_address,
    read_legacy,
    read_metadata,
)

PROGRAM = "dRiftyHA39MWEi3m9aunc5MzRF1JYuBsbn6VPcn33UH"
DOCUMENT = b'{"instructions": []}' * 50


def metadata(
    packed: bytes,
    compression: int,
    *,
    program: str = PROGRAM,
    kind: int = 2,
    canonical: int = 1,
    seed: bytes = b"idl",
    encoding: int = 1,
    format_: int = 1,
    source: int = 0,
    length: int | None = None,
) -> bytes:
    head = bytes([kind]) + bytes(Pubkey.from_string(program)) + bytes(32) + bytes([1, canonical])
    head += seed.ljust(16, b"\0") + bytes([encoding, compression, format_, source])
    head += struct.pack("<I", len(packed) if length is None else length) + bytes(5)
    assert len(head) == 96
    return head + packed


def legacy(packed: bytes, length: int | None = None) -> bytes:
    return bytes(8 + 32) + struct.pack("<I", len(packed) if length is None else length) + packed


@pytest.mark.parametrize(
    ("pack", "compression"),
    [(bytes, 0), (gzip.compress, 1), (zlib.compress, 2)],
    ids=["none", "gzip", "zlib"],
)
def test_canonical_metadata_is_read_however_it_is_compressed(
    pack: Callable[[bytes], bytes], compression: int
) -> None:
    data = metadata(pack(DOCUMENT), compression)
    assert read_metadata(PROGRAM, METADATA_PROGRAM, data) == DOCUMENT
    # An account may be longer than what it holds.
    assert read_metadata(PROGRAM, METADATA_PROGRAM, data + bytes(100)) == DOCUMENT


def test_the_account_of_older_anchor_is_read() -> None:
    data = legacy(zlib.compress(DOCUMENT))
    assert read_legacy(PROGRAM, PROGRAM, data + bytes(100)) == DOCUMENT


def test_the_addresses_are_those_of_the_program() -> None:
    assert metadata_address(PROGRAM) != legacy_address(PROGRAM)
    key, of = Pubkey.from_string(PROGRAM), Pubkey.from_string(METADATA_PROGRAM)
    found, _ = Pubkey.find_program_address([bytes(key), b"idl" + bytes(13)], of)
    assert metadata_address(PROGRAM) == str(found)
    with pytest.raises(ValueError, match="Base58"):
        legacy_address("no address")


@pytest.mark.parametrize(
    ("owner", "data", "words"),
    [
        (PROGRAM, metadata(DOCUMENT, 0), "owned by"),
        (METADATA_PROGRAM, b"\2" * 95, "95 bytes"),
        (METADATA_PROGRAM, metadata(DOCUMENT, 0, kind=1), "kind 1"),
        (METADATA_PROGRAM, metadata(DOCUMENT, 0, program=METADATA_PROGRAM), "another program"),
        (METADATA_PROGRAM, metadata(DOCUMENT, 0, seed=b"security"), "no IDL"),
        (METADATA_PROGRAM, metadata(DOCUMENT, 0, canonical=0), "not canonical"),
        (METADATA_PROGRAM, metadata(DOCUMENT, 0, source=1), "url"),
        (METADATA_PROGRAM, metadata(DOCUMENT, 0, format_=2), "yaml"),
        (METADATA_PROGRAM, metadata(DOCUMENT, 0, encoding=3), "base64"),
        (METADATA_PROGRAM, metadata(DOCUMENT, 7), "number 7"),
        (METADATA_PROGRAM, metadata(DOCUMENT, 2), "cannot be unpacked"),
        (METADATA_PROGRAM, metadata(zlib.compress(DOCUMENT)[:-6], 2), "too early"),
        (METADATA_PROGRAM, metadata(DOCUMENT, 0, length=1 << 31), "2147483648 bytes"),
    ],
)
def test_metadata_that_is_not_what_it_should_be_is_refused(owner: str, data: bytes, words: str) -> None:
    with pytest.raises(IdlError, match=words):
        read_metadata(PROGRAM, owner, data)


@pytest.mark.parametrize(
    ("owner", "data", "words"),
    [
        (METADATA_PROGRAM, legacy(zlib.compress(DOCUMENT)), "owned by"),
        (PROGRAM, bytes(43), "43 bytes"),
        (PROGRAM, legacy(zlib.compress(DOCUMENT), 1 << 20), "1048576 bytes"),
        (PROGRAM, legacy(b"no zlib"), "cannot be unpacked"),
    ],
)
def test_an_older_account_that_is_not_what_it_should_be_is_refused(
    owner: str, data: bytes, words: str
) -> None:
    with pytest.raises(IdlError, match=words):
        read_legacy(PROGRAM, owner, data)


def test_a_small_account_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "MOST_DOCUMENT_BYTES", 1000)
    assert read_legacy(PROGRAM, PROGRAM, legacy(zlib.compress(bytes(1000)))) == bytes(1000)
    with pytest.raises(IdlError, match="larger than 1000"):
        read_legacy(PROGRAM, PROGRAM, legacy(zlib.compress(bytes(1001))))
