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
    places: for each of these candidates, how many invoke lines stand before it.
    invokes: program and depth of each invoke line.
    missing: there is a hole, or frames do not close. truncated: the runtime said that there is a hole.
    """

    events: list[RawEvent]
    places: list[int]
    invokes: list[tuple[str, int]]
    missing: bool
    truncated: bool
    failed: bool


class _Tagged(msgspec.Struct, frozen=True, gc=False):
    """An inner instruction with the event tag.

    index: which invoke line is its own. own: the program invoked itself. caller: who invoked that program before.
    """

    index: int
    instruction: InnerInstruction
    own: bool
    caller: str | None


_NOBODY: tuple[str, str | None, bool, bool] = ("", None, False, False)
_DATA, _LOG, _CPI = Channel.DATA, Channel.LOG, Channel.CPI


def walk(transaction: Transaction, channels: Mapping[str, frozenset[Channel]]) -> Walk:
    """The events of the programs in `channels`, only on the channels that each declares."""
    lines = _read_lines(transaction.logs or (), channels)
    if transaction.failed or lines.failed:
        return Walk((), lines.truncated)
    truncated = lines.missing or transaction.logs is None
    instructions = transaction.instructions or ()
    if not _has_tag(instructions):
        return Walk(tuple(lines.events), truncated)
    invoked, tagged = _inner_instructions(instructions)
    aligned = not lines.missing and lines.invokes == invoked
    # A line with n invoke lines before it stands after the instructions 0..n-1.
    starts = [each.index if aligned else len(lines.invokes) for each in tagged]
    events = []
    for event in lines.events:
        before = bisect_left(starts, lines.places[event.ordinal])
        events.append(replace(event, ordinal=event.ordinal + before) if before else event)
    for number, each in enumerate(tagged):
        inner = each.instruction
        program = inner.program
        by_cpi = program in channels and _declares(channels[program])[2]
        if each.own and by_cpi and inner.accounts == (_authority(program),):
            ordinal = number + bisect_left(lines.places, starts[number] + 1)
            data = inner.data[len(EVENT_TAG) :]
            events.append(RawEvent(program, each.caller, inner.depth - 1, _CPI, ordinal, data))
    if lines.events:
        events.sort(key=lambda event: event.ordinal)
    return Walk(tuple(events), truncated)


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


def _read_lines(logs: Sequence[str], channels: Mapping[str, frozenset[Channel]]) -> _Lines:
    events: list[RawEvent] = []
    places: list[int] = []
    invokes: list[tuple[str, int]] = []
    missing = truncated = failed = False
    # The frames that are open: program, caller, and whether it speaks by data and by log; the last one by itself too.
    frames: list[tuple[str, str | None, bool, bool]] = []
    program, caller, by_data, by_log = _NOBODY
    for line in logs:
        if line.startswith("Program log: "):
            # Most text has a space, which base64 has not.
            if by_log and " " not in (text := line[13:]):
                data = _base64(text)
                if data:
                    events.append(RawEvent(program, caller, len(frames), _LOG, len(places), data))
            places.append(len(invokes))
        elif line.startswith("Program data: "):
            for text in line[14:].split(" "):
                data = _base64(text) if by_data else None
                if data is not None:
                    events.append(RawEvent(program, caller, len(frames), _DATA, len(places), data))
                places.append(len(invokes))
        elif line == TRUNCATED_LINE:
            missing = truncated = True
            by_data = by_log = False
        elif line[-8:] == " success" or line[-1:] == "]" or " failed" in line:
            frame = _frame_line(line)
            if frame is None:
                continue
            named, depth, success = frame
            if depth:
                missing = missing or depth != len(frames) + 1
                caller = program if frames else None
                program, by_data, by_log = named, False, False
                if named in channels:
                    by_data, by_log, _ = _declares(channels[named])
                frames.append((program, caller, by_data, by_log))
                invokes.append((named, depth))
            else:
                failed = failed or not success
                missing = missing or program != named or not frames
                if frames:
                    frames.pop()
                program, caller, by_data, by_log = frames[-1] if frames else _NOBODY
            if missing:
                # From here on nobody knows whose frame is open.
                by_data = by_log = False
    return _Lines(events, places, invokes, missing or bool(frames), truncated, failed)


def _inner_instructions(instructions: Sequence[Instruction]) -> tuple[list[tuple[str, int]], list[_Tagged]]:
    """Program and depth of all that printed an invoke line, in execution order; and what carries the event tag."""
    invoked: list[tuple[str, int]] = []
    tagged: list[_Tagged] = []
    for instruction in instructions:
        if instruction.program in PRECOMPILES:
            continue
        invoked.append((instruction.program, 1))
        stack = [instruction.program]
        for inner in instruction.inner:
            program, depth = inner.program, inner.depth
            del stack[max(depth - 1, 0) :]
            # A record whose depths leap says nothing about who invoked whom.
            known = len(stack) == depth - 1 > 0
            if inner.data.startswith(EVENT_TAG):
                own = known and stack[-1] == program
                caller = stack[-2] if own and depth > 2 else None
                tagged.append(_Tagged(len(invoked), inner, own, caller))
            if known:
                stack.append(program)
            invoked.append((program, depth))
    return invoked, tagged


def _has_tag(instructions: Sequence[Instruction]) -> bool:
    return any(
        inner.data.startswith(EVENT_TAG) for instruction in instructions for inner in instruction.inner
    )


def _base64(text: str) -> bytes | None:
    """The bytes, or None where the text is not exactly base64."""
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError:
        return None


# Frame lines, channels and authorities repeat endlessly; these three remember the latest of them.


@lru_cache(maxsize=_REMEMBERED)
def _frame_line(line: str) -> tuple[str, int, bool] | None:
    """Program, depth (0 where the frame closes) and success of a line that opens or closes a frame."""
    match = _FRAME.fullmatch(line)
    return (match[1], int(match[2] or 0), match[3] is not None) if match is not None else None


@lru_cache(maxsize=_REMEMBERED)
def _declares(declared: frozenset[Channel]) -> tuple[bool, bool, bool]:
    """Whether DATA, LOG and CPI are among the channels; hashing an enum's member is slow."""
    return Channel.DATA in declared, Channel.LOG in declared, Channel.CPI in declared


@lru_cache(maxsize=_REMEMBERED)
def _authority(program: str) -> str:
    return event_authority(program)
