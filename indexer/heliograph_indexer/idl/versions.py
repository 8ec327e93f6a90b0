"""The IDLs that one program had, each from its first slot, and which of them reads some bytes.

In: bytes and the slot where they stood. Out: name, fields, and a Choice where another IDL had a say in it. Raises
DecodeError where none fits, and where several that are not in force fit and say different things (it names them).

The IDL in force at a slot is the one with the highest first slot not above it; before all of them, the first. It reads
what fits it. Where another fits too and says something else, that is told; where it does not fit, the one other that
does is taken, and told: a layout may be in force earlier or later than somebody said.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from heliograph_core.errors import DecodeError
from heliograph_indexer.idl.decoder import Decoded, Decoder


@dataclass(frozen=True, slots=True)
class Version:
    """first_slot: from which it is in force. sha256: of the document, in hexadecimal."""

    first_slot: int
    sha256: str
    decoder: Decoder

    @property
    def label(self) -> str:
        return f"the IDL from slot {self.first_slot} ({self.sha256[:8]})"


@dataclass(frozen=True, slots=True)
class Choice:
    """Several IDLs had a say. taken: who read the bytes; other: who is in force, or else who would also have read them."""

    name: str
    taken: Version
    other: Version

    @property
    def reason(self) -> str:
        return f"{self.name} was read by {self.taken.label}, though {self.other.label} had a say too"


class Versions:
    """All IDLs of one program, at least one."""

    def __init__(self, versions: Sequence[Version]) -> None:
        """Raises ValueError where two have the same first slot."""
        self.versions = tuple(sorted(versions, key=lambda version: version.first_slot))
        self._starts = [version.first_slot for version in self.versions]
        if len(set(self._starts)) != len(self._starts) or not self.versions:
            raise ValueError(f"IDLs of one program from slots {self._starts}: each needs a slot of its own")

    @property
    def latest(self) -> Version:
        return self.versions[-1]

    def at(self, slot: int) -> Version:
        """The one in force."""
        return self.versions[max(bisect_right(self._starts, slot) - 1, 0)]

    def event(self, data: bytes, slot: int) -> tuple[str, dict[str, Any], Choice | None]:
        return self._read(data, slot, lambda decoder: decoder.event(data))

    def account(self, data: bytes, slot: int) -> tuple[str, dict[str, Any], Choice | None]:
        return self._read(data, slot, lambda decoder: decoder.account(data))

    def knows_event(self, data: bytes) -> bool:
        """Whether the bytes begin as an event of any of them."""
        return any(version.decoder.knows_event(data) for version in self.versions)

    def _read(
        self, data: bytes, slot: int, read: Callable[[Decoder], Decoded]
    ) -> tuple[str, dict[str, Any], Choice | None]:
        force = self.at(slot)
        if len(self.versions) == 1:
            return *read(force.decoder), None
        fits: list[tuple[Version, Decoded]] = []
        refusal: DecodeError | None = None
        for version in self.versions:
            try:
                fits.append((version, read(version.decoder)))
            except DecodeError as error:
                if version is force:
                    refusal = error
        taken = next(((version, found) for version, found in fits if version is force), None)
        if taken is None:
            if not fits:
                assert refusal is not None
                raise refusal
            # The one in force refuses: who is left must agree.
            first, found = fits[0]
            for version, other in fits[1:]:
                if other != found:
                    raise DecodeError(
                        f"{first.label} and {version.label} both read these bytes, differently, "
                        f"and {force.label}, which is in force, does not"
                    )
            return *found, Choice(found[0], first, force)
        for version, other in fits:
            if other != taken[1]:
                return *taken[1], Choice(taken[1][0], force, version)
        return *taken[1], None
