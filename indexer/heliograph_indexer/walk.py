"""Walks one transaction and hands out the events of declared programs, in execution order. Pure.

In: a Transaction as recorded. Out: a Walk. Never raises for any log lines or instructions.

What is believed, and why:

* A line counts for the program whose frame is open on top: `Program <id> invoke [depth]` opens a frame,
  `Program <id> success` or `failed: …` closes it, and both must fit the frames that are open. Text that a
  program prints always stands behind `Program log: `, so it can imitate no other line.
* A line is one item of the list, whatever newlines it holds.
* An emit_cpi! event is an inner instruction by which a program invokes itself, with the event tag and with its
  own event authority as the only account. Others can invoke the program with the same bytes; that is no event.
* After `Log truncated` lines are missing, frame lines too, and anyone can force that: from there on no line is
  attributed to anybody. Inner instructions are recorded elsewhere and still count.
* A failed transaction has no events. A frame that says `failed:` fails its transaction, whatever `err` says.

Ordinals count candidates of any program: each payload of a `Program data:` line, each `Program log:` line, each
inner instruction with the event tag, the latter where its invoke line stands. Where the lines and the
instructions do not match (truncated or absent), lines are counted first, then instructions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from sys import intern

import msgspec
from pybase64 import b64decode

from heliograph_core.event import Channel, RawEvent
from heliograph_core.transaction import InnerInstruction, Instruction, Transaction
from heliograph_indexer.idl.encoder import EVENT_TAG, event_authority

TRUNCATED_LINE = "Log truncated"

PRECOMPILES = frozenset(
    {
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
    }
)
"""Top-level programs that the runtime runs by itself, without an invoke line."""

REFUSE_EVENT_TAG = frozenset(
    {
        "11111111111111111111111111111111",
        "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
        "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
    }
)
"""Programs that fail on data which begins with the event tag: invoking them is never a candidate."""

_REMEMBERED = 1024

_FRAME = re.compile(
    r"Program ([1-9A-HJ-NP-Za-km-z]{32,44}) (?:invoke \[([1-9][0-9]{0,2})\]|(success)|failed(?:: [\s\S]*)?)"
)


class Walk(msgspec.Struct, frozen=True, gc=False):
    """A transaction's events. truncated: lines are missing, so events of the log channels may be."""

    events: tuple[RawEvent, ...]
    truncated: bool


class _Lines(msgspec.Struct, frozen=True, gc=False):
    """What the lines said.

    events: those of the instructions too, where these were given and matched. candidates: how many were counted.
    missing: there is a hole, or frames do not close. failed: a frame failed.
    """

    events: list[RawEvent]
    candidates: int
    missing: bool
    failed: bool


_Frame = tuple[str, int, bool]
"""A line that opens or closes a frame: program, depth (0 where it closes), success."""


_DATA, _LOG, _CPI = Channel.DATA, Channel.LOG, Channel.CPI
_SILENT: frozenset[Channel] = frozenset()
_NO_ACCOUNTS: tuple[str, ...] | None = None
_NOBODY = ""
"""Stands for who invoked the top-level programs."""
_UNKNOWN = "unknown"
"""Stands for the speaker once nobody knows whose frame is open: no program, so that the next one is looked up."""
_TAG = len(EVENT_TAG)
_MOST_FRAME_LINE = 70
"""Characters of the frame lines that are remembered: those that a program does not write a text of its own into."""


def walk(transaction: Transaction, channels: Mapping[str, frozenset[Channel]]) -> Walk:
    """The events of the programs in `channels`, only on the channels that each declares."""
    logs, instructions = transaction.logs or (), transaction.instructions or ()
    if transaction.failed:
        return Walk((), TRUNCATED_LINE in logs)
    lines, apart = None, False
    if _has_tag(instructions):
        lines = _read(logs, channels, instructions)
        apart = lines is None
    if lines is None:
        lines = _read(logs, channels, None)
    assert lines is not None
    if lines.failed:
        return Walk((), TRUNCATED_LINE in logs)
    events = lines.events
    if apart:
        events += _inner_events(instructions, channels, lines.candidates)
    return Walk(tuple(events), lines.missing or transaction.logs is None)


def needs_record(logs: Sequence[str], program_ids: Iterable[str]) -> bool:
    """Whether cached lines are not enough, so that the transaction's record has to be fetched.

    They are not when lines are missing, when a frame failed (whether the transaction did is for the record to
    say), and when an inner instruction may carry the event tag: when a program invokes itself, or when one is
    invoked that neither refuses the tag nor is of `program_ids` (Anchor programs refuse it from others).
    """
    refusing = REFUSE_EVENT_TAG.union(program_ids)
    stack: list[str] = []
    for line in logs:
        if line == TRUNCATED_LINE:
            return True
        frame = _FRAME.fullmatch(line)
        if frame is None:
            continue
        program, depth, success = frame.groups()
        if depth is None:
            if not success or not stack or stack.pop() != program:
                return True
            continue
        tagged = stack and (program == stack[-1] or program not in refusing)
        if tagged or int(depth) != len(stack) + 1:
            return True
        stack.append(program)
    return bool(stack)


def invoke_lines(logs: Iterable[str]) -> list[tuple[str, int]]:
    """Program and depth of every invoke line."""
    matches = (_FRAME.fullmatch(line) for line in logs)
    return [(match[1], int(match[2])) for match in matches if match and match[2]]


def complete_frames(logs: Sequence[str], program: str | None) -> tuple[str, ...]:
    """The lines of a cutting from a log, with the frames that it leaves open at either end.

    Closing lines that nothing opened tell which frames were open where it begins; a cutting without any frame
    line is taken for `program`'s. For cuttings that a person gives only: what the cluster records is whole.
    """
    stack: list[str] = []
    unopened: list[str] = []
    any_frame = False
    for line in logs:
        match = _FRAME.fullmatch(line)
        if match is None:
            continue
        any_frame = True
        if match[2]:
            stack.append(match[1])
        elif stack:
            stack.pop()
        else:
            unopened.append(match[1])
    if not any_frame and program is not None:
        unopened = [program]
        stack = []
        logs = [*logs, f"Program {program} success"]
    opening = [f"Program {each} invoke [{depth}]" for depth, each in enumerate(reversed(unopened), 1)]
    closing = [f"Program {each} success" for each in reversed(stack)]
    return (*opening, *logs, *closing)


def _read(
    logs: Sequence[str],
    channels: Mapping[str, frozenset[Channel]],
    instructions: Sequence[Instruction] | None,
) -> _Lines | None:
    """Reads the lines, and beside them the instructions where given: each of these stands at its own invoke line.

    None where not every invoke line is that of the next instruction, so that the two have to be read apart.
    """
    events: list[RawEvent] = []
    ordinal = 0
    missing = failed = False
    # The programs whose frames are open, below them nobody. Few of them speak, so who may is asked when one does.
    stack = [_NOBODY]
    speaker, by_data, by_log = _NOBODY, False, False
    invoking, accounts = "", _NO_ACCOUNTS
    # What is left of the instructions, and of those that the top-level one invoked.
    outers = iter([each for each in instructions or () if each.program not in PRECOMPILES])
    inners: Iterator[InnerInstruction] = iter(())
    known_frames = _KNOWN_FRAMES
    for line in logs:
        if len(line) > _MOST_FRAME_LINE or (frame := known_frames.get(line)) is None:
            if (is_log := line.startswith("Program log: ")) or line.startswith("Program data: "):
                if stack[-1] != speaker:
                    speaker = stack[-1]
                    by_data, by_log = _declares(channels.get(speaker, _SILENT))
                if is_log:
                    # Most text has a space, which base64 has not.
                    if by_log and " " not in (text := line[13:]) and (data := _base64(text)):
                        events.append(
                            RawEvent(speaker, stack[-2] or None, len(stack) - 1, _LOG, ordinal, data)
                        )
                    ordinal += 1
                    continue
                for text in line[14:].split(" "):
                    if by_data and (data := _base64(text)) is not None:
                        events.append(
                            RawEvent(speaker, stack[-2] or None, len(stack) - 1, _DATA, ordinal, data)
                        )
                    ordinal += 1
                continue
            if line == TRUNCATED_LINE:
                missing, channels, speaker = True, {}, _UNKNOWN
                continue
            if line[-8:] != " success" and line[-1:] != "]" and " failed" not in line:
                continue
            frame = known_frames.read(line)
            if frame is None:
                continue
        program, depth, success = frame
        if not depth:
            failed = failed or not success
            if stack[-1] == program:
                stack.pop()
            else:
                missing, channels, speaker = True, {}, _UNKNOWN
            continue
        stack.append(program)
        if depth != len(stack) - 1:
            missing, channels, speaker = True, {}, _UNKNOWN
        if instructions is None:
            continue
        if depth == 1:
            outer = next(outers, None)
            if outer is None or outer.program != program or next(inners, None) is not None:
                return None
            inners = iter(outer.inner)
            continue
        inner = next(inners, None)
        if inner is None or inner.program != program or inner.depth != depth or missing:
            return None
        if (data := inner.data).startswith(EVENT_TAG):
            if stack[-2] == program:
                if program != invoking:
                    invoking, accounts = program, _event_accounts(program, channels.get(program, _SILENT))
                if inner.accounts == accounts:
                    events.append(RawEvent(program, stack[-3] or None, depth - 1, _CPI, ordinal, data[_TAG:]))
            ordinal += 1
    missing = missing or len(stack) > 1
    if instructions is not None and (missing or next(inners, None) or next(outers, None)):
        return None
    return _Lines(events, ordinal, missing, failed)


def _inner_events(
    instructions: Sequence[Instruction], channels: Mapping[str, frozenset[Channel]], ordinal: int
) -> Iterator[RawEvent]:
    """The events of the inner instructions by themselves, counted from `ordinal` on."""
    for instruction in instructions:
        # Whose frames are open.
        path = [instruction.program]
        for inner in instruction.inner:
            program, depth, data = inner.program, inner.depth, inner.data
            # A record whose depths leap says nothing about who invoked whom.
            known = 1 < depth <= len(path) + 1
            if data.startswith(EVENT_TAG):
                if (
                    known
                    and path[depth - 2] == program
                    and inner.accounts == _event_accounts(program, channels.get(program, _SILENT))
                ):
                    caller = path[depth - 3] if depth > 2 else None
                    yield RawEvent(program, caller, depth - 1, _CPI, ordinal, data[_TAG:])
                ordinal += 1
            del path[max(depth - 1, 0) :]
            if known:
                path.append(program)


def _has_tag(instructions: Sequence[Instruction]) -> bool:
    for instruction in instructions:
        for inner in instruction.inner:
            if inner.data.startswith(EVENT_TAG):
                return True
    return False


def _base64(text: str) -> bytes | None:
    """The bytes, or None where the text is not exactly base64."""
    try:
        return b64decode(text, None, True)
    except ValueError:
        return None


# Frame lines, channels and authorities repeat endlessly; these three remember some of them.


class _Frames(dict[str, _Frame]):
    """Frame lines as read. Looked up for every line, so a dictionary and no lru_cache, which takes twice as long."""

    def read(self, line: str) -> _Frame | None:
        match = _FRAME.fullmatch(line)
        if match is None:
            return None
        # Interned, since programs are compared with each other at every line.
        frame = intern(match[1]), int(match[2] or 0), match[3] is not None
        if len(line) <= _MOST_FRAME_LINE:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[line] = frame
        return frame


_KNOWN_FRAMES = _Frames()


@lru_cache(maxsize=_REMEMBERED)
def _declares(declared: frozenset[Channel]) -> tuple[bool, bool]:
    """Whether DATA and LOG are among the channels; hashing an enum's member is slow."""
    return _DATA in declared, _LOG in declared


@lru_cache(maxsize=_REMEMBERED)
def _event_accounts(program: str, declared: frozenset[Channel]) -> tuple[str, ...] | None:
    """The accounts of a self-invocation that is an event; None where the program does not speak by CPI."""
    return (event_authority(program),) if _CPI in declared else None
