"""Which layout bytes begin with: Anchor's hashes, and matching by the longest prefix.

Legacy IDLs do not say discriminators; they are the first 8 bytes of sha256 of `event:Name`, `account:Name`
and `global:name`. Since Anchor 0.31 an IDL says them itself, and they may have any length of at least 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Generic, TypeVar

HASH_BYTES = 8

T = TypeVar("T")


def event_discriminator(name: str) -> bytes:
    return sha256(f"event:{pascal_case(name)}".encode()).digest()[:HASH_BYTES]


def account_discriminator(name: str) -> bytes:
    """The hash takes the Rust name, also where the IDL writes `priceUpdateV2`."""
    return sha256(f"account:{pascal_case(name)}".encode()).digest()[:HASH_BYTES]


def instruction_discriminator(name: str) -> bytes:
    return sha256(f"global:{snake_case(name)}".encode()).digest()[:HASH_BYTES]


def pascal_case(name: str) -> str:
    """A name that begins with a small letter as Rust would write the type; others stay as they are."""
    if not name[:1].islower():
        return name
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def snake_case(name: str) -> str:
    """`placePerpOrder` as `place_perp_order`; a name in snake case stays as it is."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


class Matcher(Generic[T]):
    """Finds the entry whose discriminator is the longest prefix of some bytes."""

    def __init__(self, entries: Iterable[tuple[bytes, T]]) -> None:
        self.by_prefix = dict(entries)
        lengths = sorted({len(prefix) for prefix in self.by_prefix}, reverse=True)
        self.longest = lengths[0] if lengths else 0
        self._shorter = lengths[1:]

    @property
    def entries(self) -> Iterable[T]:
        return self.by_prefix.values()

    def find(self, data: bytes) -> T | None:
        """The entry, or None where nothing matches."""
        found = self.by_prefix.get(data[: self.longest])
        if found is None:
            for length in self._shorter:
                found = self.by_prefix.get(data[:length])
                if found is not None:
                    break
        return found
