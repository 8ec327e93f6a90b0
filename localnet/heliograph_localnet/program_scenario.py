"""What a scenario of a real protocol is: one file in `scenarios/`, and one line in its registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from heliograph_localnet.act import Clock, Step


class ProgramScenario(Protocol):
    """Built from the program's IDL. It keeps books of its own; what must come of each step is stated with it, by
    arithmetic that shares nothing with the indexer's projection.

    Steps are made as they are asked for, so that `clock()` is the slot in which the step will land.
    """

    def script(self, clock: Clock) -> Iterator[Step]:
        """The fixed story that tests tell: the same steps each time, ended by a Wait."""
        ...

    def traffic(self, clock: Clock) -> Iterator[Step]:
        """A story that goes on by itself, drawn from a seed; acts between Waits of one slot. Endless."""
        ...


class ScenarioType(Protocol):
    """The class of a scenario. document: an IDL of the program, which need not name its address."""

    idl_file: str
    """Name of an IDL that fits it, as ../shared/idl calls it."""
    program_address: str
    """Where the program is deployed."""

    def __call__(self, document: bytes, /, *, seed: int = 0) -> ProgramScenario: ...
