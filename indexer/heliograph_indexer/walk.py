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
from binascii import a2b_base64
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter

import msgspec
from msgspec.structs import replace

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

    events: with ordinals that count the candidates of the lines alone.
    places: for each of these candidates, how many invoke lines stand before it; invokes: program and depth of each
    invoke line. Both are empty where they were not asked for.
    missing: there is a hole, or frames do not close. truncated: the runtime said that there is a hole.
    """

    events: list[RawEvent]
    places: list[int]
    invokes: list[tuple[str, int]]
    missing: bool
    truncated: bool
    failed: bool


_Tagged = tuple[int, InnerInstruction, bool, str | None]
"""An inner instruction with the event tag: which invoke line is its own; it; whether the program invoked itself; who

invoked that program before."""

_Frame = tuple[tuple[str, int], str, int, bool]
"""A line that opens or closes a frame: program and depth, and each by itself (depth 0 where it closes); success."""


_NOBODY: tuple[str, str | None, bool, bool] = ("", None, False, False)
_DATA, _LOG, _CPI = Channel.DATA, Channel.LOG, Channel.CPI
_SILENT: frozenset[Channel] = frozenset()
_NO_ACCOUNTS: tuple[str, ...] | None = None
_TAG = len(EVENT_TAG)
_MOST_FRAME_LINE = 70
"""Characters of the frame lines that are remembered: those that a program does not write a text of its own into."""
_ordinal = attrgetter("ordinal")


def walk(transaction: Transaction, channels: Mapping[str, frozenset[Channel]]) -> Walk:
    """The events of the programs in `channels`, only on the channels that each declares."""
    instructions = transaction.instructions or ()
    tagged = _has_tag(instructions)
    lines = _read_lines(transaction.logs or (), channels, placing=tagged)
    if lines.failed or transaction.failed:
        return Walk((), lines.truncated)
    truncated = lines.missing or transaction.logs is None
    if not tagged:
        return Walk(tuple(lines.events), truncated)
    return Walk(tuple(_with_instructions(lines, instructions, channels)), truncated)


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


def _read_lines(logs: Sequence[str], channels: Mapping[str, frozenset[Channel]], *, placing: bool) -> _Lines:
    """placing: `places` and `invokes` are wanted."""
    events: list[RawEvent] = []
    places: list[int] = []
    invokes: list[tuple[str, int]] = []
    missing = truncated = failed = False
    # The frame on top: program, caller, and whether it speaks by data and by log; and what it was at each outer depth.
    program, caller, by_data, by_log = _NOBODY
    outer: list[tuple[str, str | None, bool, bool]] = []
    ordinal = 0
    known_frames = _KNOWN_FRAMES
    latest, speaks_data, speaks_log = _SILENT, False, False
    for line in logs:
        if len(line) > _MOST_FRAME_LINE or (frame := known_frames.get(line)) is None:
            if line.startswith("Program log: "):
                # Most text has a space, which base64 has not.
                if by_log and " " not in (text := line[13:]):
                    data = _base64(text)
                    if data:
                        events.append(RawEvent(program, caller, len(outer), _LOG, ordinal, data))
                ordinal += 1
                if placing:
                    places.append(len(invokes))
                continue
            if line.startswith("Program data: "):
                for text in line[14:].split(" "):
                    if by_data and (data := _base64(text)) is not None:
                        events.append(RawEvent(program, caller, len(outer), _DATA, ordinal, data))
                    ordinal += 1
                    if placing:
                        places.append(len(invokes))
                continue
            if line == TRUNCATED_LINE:
                missing = truncated = True
                by_data = by_log = False
                continue
            if line[-8:] != " success" and line[-1:] != "]" and " failed" not in line:
                continue
            frame = known_frames.read(line)
            if frame is None:
                continue
        opened, named, depth, success = frame
        if depth:
            outer.append((program, caller, by_data, by_log))
            if depth != len(outer):
                missing = True
            caller, program, declared = program or None, named, channels.get(named, _SILENT)
            if declared is not latest:
                latest, (speaks_data, speaks_log) = declared, _declares(declared)
            by_data, by_log = speaks_data, speaks_log
            if placing:
                invokes.append(opened)
        else:
            if not success:
                failed = True
            if named != program:
                missing = True
            if outer:
                program, caller, by_data, by_log = outer.pop()
        if missing:
            # From here on nobody knows whose frame is open.
            by_data = by_log = False
    return _Lines(events, places, invokes, missing or bool(outer), truncated, failed)


def _with_instructions(
    lines: _Lines, instructions: Sequence[Instruction], channels: Mapping[str, frozenset[Channel]]
) -> list[RawEvent]:
    """The events of the lines and of the inner instructions, in execution order, counted together."""
    invoked, tagged = _inner_instructions(instructions)
    places = lines.places
    aligned = not lines.missing and lines.invokes == invoked
    # A line with n invoke lines before it stands after the instructions 0..n-1.
    starts = [each[0] for each in tagged] if aligned else [len(lines.invokes)] * len(tagged)
    events = []
    for event in lines.events:
        before = bisect_left(starts, places[event.ordinal])
        events.append(replace(event, ordinal=event.ordinal + before) if before else event)
    spoken, accounts, line = "", _NO_ACCOUNTS, 0
    for number, (_, inner, own, caller) in enumerate(tagged):
        # Lines that stand before this instruction's own invoke line.
        while line < len(places) and places[line] <= starts[number]:
            line += 1
        program = inner.program
        if program != spoken:
            spoken, accounts = program, _event_accounts(program, channels.get(program, _SILENT))
        if own and inner.accounts == accounts:
            events.append(RawEvent(program, caller, inner.depth - 1, _CPI, number + line, inner.data[_TAG:]))
    if lines.events:
        events.sort(key=_ordinal)
    return events


def _inner_instructions(instructions: Sequence[Instruction]) -> tuple[list[tuple[str, int]], list[_Tagged]]:
    """Program and depth of all that printed an invoke line, in execution order; and what carries the event tag."""
    invoked: list[tuple[str, int]] = []
    tagged: list[_Tagged] = []
    for instruction in instructions:
        if instruction.program in PRECOMPILES:
            continue
        invoked.append((instruction.program, 1))
        # Whose frames are open: the first `height` of `path`.
        path, height = [instruction.program], 1
        for inner in instruction.inner:
            program, depth = inner.program, inner.depth
            # A record whose depths leap says nothing about who invoked whom.
            known = 1 < depth <= height + 1
            if inner.data.startswith(EVENT_TAG):
                own = known and path[depth - 2] == program
                tagged.append((len(invoked), inner, own, path[depth - 3] if own and depth > 2 else None))
            if known:
                if depth > len(path):
                    path.append(program)
                else:
                    path[depth - 1] = program
                height = depth
            elif depth <= height:
                height = max(depth - 1, 0)
            invoked.append((program, depth))
    return invoked, tagged


def _has_tag(instructions: Sequence[Instruction]) -> bool:
    for instruction in instructions:
        for inner in instruction.inner:
            if inner.data.startswith(EVENT_TAG):
                return True
    return False


def _base64(text: str) -> bytes | None:
    """The bytes, or None where the text is not exactly base64."""
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError:
        return None


# Frame lines, channels and authorities repeat endlessly; these three remember some of them.


class _Frames(dict[str, _Frame]):
    """Frame lines as read. Looked up for every line, so a dictionary and no lru_cache, which takes twice as long."""

    def read(self, line: str) -> _Frame | None:
        match = _FRAME.fullmatch(line)
        if match is None:
            return None
        program, depth = match[1], int(match[2] or 0)
        frame = (program, depth), program, depth, match[3] is not None
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
