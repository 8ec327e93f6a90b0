"""What a request for history asks for, and what of it is left to do. Pure.

How what is left is cut to claims, and in which order, stands in heliograph_indexer/pieces.py: the healer does the same.
"""

from __future__ import annotations

import re

import msgspec

from heliograph_core.errors import SettingsError
from heliograph_core.intervals import SlotSet

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]+)\s*([smhdw])")


class Plan(msgspec.Struct, frozen=True):
    """A range of slots, both ends inclusive, and what of it is not covered."""

    first: int
    last: int
    left: SlotSet

    @property
    def slots(self) -> int:
        """Slots asked for."""
        return self.last - self.first + 1

    @property
    def done(self) -> int:
        """Slots of them that are covered."""
        return self.slots - len(self.left)


def make_plan(first: int, last: int, coverage: SlotSet) -> Plan:
    """Raises SettingsError for a range that is none."""
    if first < 0 or last < first:
        raise SettingsError(f"slots {first}..{last} are no range: give --from at or below --to")
    return Plan(first, last, coverage.gaps(first, last))


def seconds_of(duration: str) -> int:
    """Seconds of a text such as 90s, 30m, 12h, 7d, 2w. Raises SettingsError."""
    match = _DURATION.fullmatch(duration.strip())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not seconds:
        raise SettingsError(f"{duration!r} is no duration: give a number and s, m, h, d or w, as in 7d")
    return seconds
