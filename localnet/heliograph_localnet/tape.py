"""A transaction being executed: what the runtime prints and records, and at which ordinal each fact was said.

The tape counts candidates as the indexer must (every `Program data` payload, every `Program log` line, every inner
instruction with the event tag, of any program, in execution order), but while speaking, not by reading back.
"""

from __future__ import annotations

from base64 import b64encode

import msgspec

from heliograph_indexer.idl.encoder import EVENT_TAG
from heliograph_localnet.draft import COMPUTE_BUDGET_PROGRAM, SYSTEM_PROGRAM, DraftInner, DraftInstruction
from heliograph_localnet.exchange.facts import Fact

_SILENT = frozenset({COMPUTE_BUDGET_PROGRAM, SYSTEM_PROGRAM})
"""Built into the runtime: they print no `consumed` line."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """One fact and where it was said. line: index of its log line, None where an inner instruction carries it."""

    fact: Fact
    program: str
    ordinal: int
    line: int | None


class _Frame:
    __slots__ = ("accounts", "budget", "data", "inner", "program")

    def __init__(self, program: str, accounts: tuple[str, ...], data: bytes, budget: int) -> None:
        self.program = program
        self.accounts = accounts
        self.data = data
        self.budget = budget
        self.inner: list[DraftInner] = []


class Tape:
    """budget: compute units the transaction asked for. keys: what it may touch, None for whatever it needs.

    logs, instructions: as a Draft takes them. said: the facts, in order. candidates: for each ordinal the index of
    its log line, None for an inner instruction.
    """

    def __init__(self, budget: int, keys: frozenset[str] | None = None) -> None:
        self.logs: list[str] = []
        self.instructions: list[DraftInstruction] = []
        self.said: list[Said] = []
        self.candidates: list[int | None] = []
        self.consumed = 0
        self._budget = budget
        self._frames: list[_Frame] = []
        self._keys = keys

    def knows(self, address: str) -> bool:
        """Whether the transaction may touch `address`."""
        return self._keys is None or address in self._keys

    def enter(self, program: str, accounts: tuple[str, ...], data: bytes) -> None:
        """An instruction begins: a top-level one, or one that the running instruction invokes."""
        if self._frames:
            if self._keys is not None:
                accounts = tuple(address for address in accounts if address in self._keys)
            if data.startswith(EVENT_TAG):
                self.candidates.append(None)
            self._frames[0].inner.append(DraftInner(program, accounts, data, len(self._frames) + 1))
        self._frames.append(_Frame(program, accounts, data, self._budget - self.consumed))
        self.logs.append(f"Program {program} invoke [{len(self._frames)}]")
        self.consumed += 150 if program in _SILENT else 900 + 6 * len(data)

    def log(self, text: str) -> None:
        self.candidates.append(len(self.logs))
        self.logs.append(f"Program log: {text}")
        self.consumed += 105

    def data(self, *payloads: bytes) -> None:
        """One line of sol_log_data."""
        self.candidates.extend([len(self.logs)] * len(payloads))
        self.logs.append("Program data: " + " ".join(b64encode(payload).decode() for payload in payloads))
        self.consumed += 105 + sum(map(len, payloads))

    def emit(self, fact: Fact, payload: bytes) -> None:
        """The running program says a fact by emit!."""
        self.said.append(Said(fact, self._frames[-1].program, len(self.candidates), len(self.logs)))
        self.data(payload)

    def emit_cpi(self, fact: Fact, payload: bytes, authority: str) -> None:
        """The running program says a fact by emit_cpi!: it invokes itself, its authority account signs."""
        program = self._frames[-1].program
        self.said.append(Said(fact, program, len(self.candidates), None))
        self.enter(program, (authority,), EVENT_TAG + payload)
        self.leave()

    def leave(self) -> None:
        """The running instruction succeeds."""
        frame = self._close()
        self.logs.append(f"Program {frame.program} success")

    def fail(self, code: int) -> None:
        """The running instruction returns a custom error, and everything above it with it."""
        while self._frames:
            frame = self._close()
            self.logs.append(f"Program {frame.program} failed: custom program error: {code:#x}")

    def _close(self) -> _Frame:
        frame = self._frames.pop()
        if frame.program not in _SILENT:
            spent = frame.budget - (self._budget - self.consumed)
            self.logs.append(f"Program {frame.program} consumed {spent} of {frame.budget} compute units")
        if not self._frames:
            self.instructions.append(
                DraftInstruction(frame.program, frame.accounts, frame.data, tuple(frame.inner))
            )
        return frame
