"""The walk: against a small model of the runtime, against liars, against noise."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heliograph_core.event import Channel, RawEvent
from heliograph_core.transaction import InnerInstruction, Instruction, Transaction
from heliograph_indexer.idl.encoder import EVENT_TAG, event_authority
from heliograph_indexer.walk import complete_frames, needs_record, walk

OURS = "BifeNpFVFxQy9RnUkgbi1u2daTDbWJ1ZPUeZVSwtf7Qg"
VAULT = "5ioFK9dP4fJ7RujyHpzo95SRwXMTccm4Ehsya6Ta1zcd"
FOREIGN = "Fore1gn111111111111111111111111111111111111"
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
ED25519 = "Ed25519SigVerify111111111111111111111111111"
BUDGET = "ComputeBudget111111111111111111111111111111"

ALL = frozenset(Channel)
CHANNELS = {OURS: ALL, VAULT: frozenset({Channel.DATA, Channel.CPI})}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def transaction(
    logs: list[str] | None, instructions: tuple[Instruction, ...] | None = None, err: object | None = None
) -> Transaction:
    return Transaction("sig", 0, err, None if logs is None else tuple(logs), instructions)


def invoke(program: str, depth: int = 1) -> str:
    return f"Program {program} invoke [{depth}]"


def success(program: str) -> str:
    return f"Program {program} success"


def events(
    logs: list[str] | None, instructions: tuple[Instruction, ...] | None = None
) -> tuple[RawEvent, ...]:
    return walk(transaction(logs, instructions), CHANNELS).events


def self_call(
    program: str, data: bytes, depth: int = 2, accounts: tuple[str, ...] | None = None
) -> InnerInstruction:
    return InnerInstruction(program, accounts or (event_authority(program),), EVENT_TAG + data, depth)


# The lines


def test_each_payload_of_a_data_line_is_an_event() -> None:
    logs = [invoke(OURS), f"Program data: {b64(b'one')} {b64(b'')} {b64(b'three')}", success(OURS)]
    assert [(event.ordinal, event.data) for event in events(logs)] == [(0, b"one"), (1, b""), (2, b"three")]


def test_base64_behind_program_log_counts_only_where_it_is_declared() -> None:
    logs = [
        *(invoke(OURS), f"Program log: {b64(b'eight by')}", success(OURS)),
        *(invoke(VAULT), f"Program log: {b64(b'eight by')}", success(VAULT)),
    ]
    assert events(logs) == (RawEvent(OURS, None, 1, Channel.LOG, 0, b"eight by"),)


def test_what_a_foreign_program_says_at_any_depth_is_not_ours() -> None:
    said = f"Program data: {b64(b'lie')}"
    logs = [
        *(said, invoke(FOREIGN), said, invoke(OURS, 2), invoke(FOREIGN, 3), said, success(FOREIGN)),
        *(f"Program data: {b64(b'truth')}", success(OURS), said, success(FOREIGN), said),
    ]
    assert events(logs) == (RawEvent(OURS, FOREIGN, 2, Channel.DATA, 3, b"truth"),)


@pytest.mark.parametrize(
    "text",
    [
        invoke(OURS),
        f"x\n{invoke(OURS, 2)}\nProgram data: {b64(b'lie')}",
        success(FOREIGN),
        f"{b64(b'lie')}\n{success(FOREIGN)}",
        "Log truncated",
        f"Program data: {b64(b'lie')}",
    ],
)
def test_text_that_imitates_lines_fools_nobody(text: str) -> None:
    logs = [
        *(invoke(FOREIGN), f"Program log: {text}", f"Program data: {b64(b'foreign')}", success(FOREIGN)),
        *(invoke(OURS), f"Program data: {b64(b'truth')}", success(OURS)),
    ]
    walked = walk(transaction(logs), CHANNELS)
    assert walked.events == (RawEvent(OURS, None, 1, Channel.DATA, 2, b"truth"),)
    assert not walked.truncated


def test_base64_with_anything_around_it_is_text() -> None:
    logs = [
        invoke(OURS),
        *(f"Program log: {text}" for text in (" QUFB", "QUFB\n", "QUF", "QU=FB", "é", "")),
        success(OURS),
    ]
    assert events(logs) == ()


def test_ordinals_count_what_nobody_declared() -> None:
    logs = [
        *(invoke(FOREIGN), f"Program data: {b64(b'a')} {b64(b'b')}", "Program log: hello", success(FOREIGN)),
        *(
            invoke(OURS),
            "Program log: Instruction: Open",
            "Program return: x AQ==",
            f"Program data: {b64(b'c')}",
        ),
        success(OURS),
    ]
    assert [event.ordinal for event in events(logs)] == [4]


def test_a_failed_transaction_has_no_events() -> None:
    logs = [invoke(OURS), f"Program data: {b64(b'lie')}", f"Program {OURS} failed: custom program error: 0x1"]
    assert walk(transaction(logs, err={"InstructionError": [0, {"Custom": 1}]}), CHANNELS).events == ()
    # A notification may say that it succeeded.
    assert walk(transaction(logs), CHANNELS).events == ()


def test_a_failed_transaction_says_whether_its_lines_were_cut() -> None:
    cut = [invoke(OURS), "Log truncated", f"Program {OURS} failed: custom program error: 0x1"]
    for err in (None, {"InstructionError": [0, {"Custom": 1}]}):
        assert walk(transaction(cut, err=err), CHANNELS).truncated
        assert not walk(transaction([cut[0], cut[2]], err=err), CHANNELS).truncated


# Truncation


def test_truncation_keeps_what_came_before_and_nothing_after() -> None:
    logs = [
        *(invoke(OURS), f"Program data: {b64(b'before')}", "Log truncated"),
        # Whose line is this? The line that opened another program's frame may be what is missing.
        *(
            f"Program data: {b64(b'after')}",
            success(OURS),
            invoke(OURS),
            f"Program data: {b64(b'later')}",
            success(OURS),
        ),
    ]
    walked = walk(transaction(logs), CHANNELS)
    assert [event.data for event in walked.events] == [b"before"]
    assert walked.truncated


@pytest.mark.parametrize(
    "logs",
    [
        [invoke(OURS), "Log truncated", success(OURS)],
        [invoke(OURS)],
        [invoke(OURS, 2), success(OURS)],
        [success(OURS)],
        [invoke(OURS), success(VAULT)],
    ],
)
def test_lines_that_do_not_close_what_they_open_are_marked(logs: list[str]) -> None:
    assert walk(transaction(logs), CHANNELS).truncated


@pytest.mark.parametrize("odd", [success(VAULT), invoke(VAULT, 3), "Log truncated"])
def test_who_spoke_before_frames_broke_speaks_no_more(odd: str) -> None:
    said = [f"Program {word}: {b64(b'before')}" for word in ("data", "log")]
    lies = [f"Program {word}: {b64(b'after.')}" for word in ("data", "log")]
    walked = walk(transaction([invoke(OURS), *said, odd, *lies, success(OURS), *lies]), CHANNELS)
    assert [event.data for event in walked.events] == [b"before", b"before"]
    assert walked.truncated


def test_inner_instructions_count_when_lines_are_missing() -> None:
    instructions = (Instruction(OURS, (), b"", (self_call(OURS, b"kept"),)),)
    logs = [invoke(OURS), "Program log: a", f"Program data: {b64(b'before')}", "Log truncated", success(OURS)]
    walked = walk(transaction(logs, instructions), CHANNELS)
    assert [(event.ordinal, event.channel, event.data) for event in walked.events] == [
        (1, Channel.DATA, b"before"),
        (2, Channel.CPI, b"kept"),
    ]
    assert walked.truncated
    walked = walk(transaction(None, instructions), CHANNELS)
    assert [(event.ordinal, event.data) for event in walked.events] == [(0, b"kept")]
    assert walked.truncated


def test_instructions_by_themselves_tell_who_invoked_whom() -> None:
    inner = (
        *(self_call(OURS, b"a"), InnerInstruction(VAULT, (), b"", 2), self_call(VAULT, b"b", 3)),
        *(InnerInstruction(FOREIGN, (), b"", 2), self_call(VAULT, b"forged", 3), self_call(OURS, b"c")),
    )
    assert events(None, (Instruction(OURS, (), b"", inner),)) == (
        RawEvent(OURS, None, 1, Channel.CPI, 0, b"a"),
        RawEvent(VAULT, OURS, 2, Channel.CPI, 1, b"b"),
        RawEvent(OURS, None, 1, Channel.CPI, 3, b"c"),
    )


# Events by CPI


def test_an_event_by_cpi_stands_where_its_invoke_line_stands() -> None:
    logs = [
        *(invoke(BUDGET), success(BUDGET), invoke(OURS), f"Program data: {b64(b'first')}"),
        *(invoke(OURS, 2), success(OURS), f"Program data: {b64(b'third')}"),
        *(
            invoke(VAULT, 2),
            invoke(VAULT, 3),
            success(VAULT),
            "Program log: fifth",
            success(VAULT),
            success(OURS),
        ),
    ]
    instructions = (
        Instruction(BUDGET, (), b"\x03"),
        # Precompiles print no line, so the n-th line is not the n-th instruction's.
        Instruction(ED25519, (), b"\x00"),
        Instruction(
            OURS,
            (),
            b"",
            (
                self_call(OURS, b"second"),
                InnerInstruction(VAULT, (), b"lock", 2),
                self_call(VAULT, b"fourth", 3),
            ),
        ),
    )
    assert events(logs, instructions) == (
        RawEvent(OURS, None, 1, Channel.DATA, 0, b"first"),
        RawEvent(OURS, None, 1, Channel.CPI, 1, b"second"),
        RawEvent(OURS, None, 1, Channel.DATA, 2, b"third"),
        RawEvent(VAULT, OURS, 2, Channel.CPI, 3, b"fourth"),
    )


@pytest.mark.parametrize(
    "logs",
    [
        # Another program's line stands where the instruction's should, and one is missing.
        [
            invoke(OURS),
            "Program log: a",
            invoke(VAULT, 2),
            success(VAULT),
            success(OURS),
            invoke(OURS),
            success(OURS),
        ],
        [invoke(OURS), "Program log: a", success(OURS), invoke(OURS), success(OURS)],
        [invoke(OURS), invoke(OURS, 2), success(OURS), "Program log: a", success(OURS)],
        # All the lines are there, but what stood in the hole nobody knows.
        [
            *(invoke(OURS), invoke(OURS, 2), success(OURS), "Program log: a", success(OURS)),
            *(invoke(OURS), "Log truncated", success(OURS)),
        ],
    ],
)
def test_lines_and_instructions_that_do_not_match_are_counted_apart(logs: list[str]) -> None:
    instructions = (Instruction(OURS, (), b"", (self_call(OURS, b"said"),)), Instruction(OURS, (), b""))
    assert events(logs, instructions) == (RawEvent(OURS, None, 1, Channel.CPI, 1, b"said"),)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (FOREIGN, InnerInstruction(OURS, (event_authority(OURS),), EVENT_TAG + b"lie", 2)),
        (OURS, InnerInstruction(OURS, (OURS,), EVENT_TAG + b"lie", 2)),
        (OURS, InnerInstruction(OURS, (), EVENT_TAG + b"lie", 2)),
        (OURS, InnerInstruction(OURS, (event_authority(OURS), OURS), EVENT_TAG + b"lie", 2)),
        (OURS, InnerInstruction(OURS, (event_authority(OURS),), b"lielielielie", 2)),
        (OURS, InnerInstruction(OURS, (event_authority(OURS),), EVENT_TAG + b"lie", 3)),
        (OURS, InnerInstruction(OURS, (event_authority(OURS),), EVENT_TAG + b"lie", 0)),
        (FOREIGN, InnerInstruction(FOREIGN, (event_authority(FOREIGN),), EVENT_TAG + b"not ours", 2)),
    ],
)
def test_only_a_program_with_its_own_authority_speaks_by_cpi(outer: str, inner: InnerInstruction) -> None:
    logs = [invoke(outer), invoke(inner.program, 2), success(inner.program), success(outer)]
    assert events(logs, (Instruction(outer, (), b"", (inner,)),)) == ()


def test_a_top_level_instruction_with_the_event_tag_is_no_event() -> None:
    instruction = Instruction(OURS, (event_authority(OURS),), EVENT_TAG + b"lie")
    assert events([invoke(OURS), success(OURS)], (instruction,)) == ()


def test_cpi_counts_only_where_it_is_declared() -> None:
    instructions = (Instruction(OURS, (), b"", (self_call(OURS, b"said"),)),)
    logs = [invoke(OURS), invoke(OURS, 2), success(OURS), f"Program data: {b64(b'next')}", success(OURS)]
    walked = walk(transaction(logs, instructions), {OURS: frozenset({Channel.DATA})})
    assert [(event.ordinal, event.data) for event in walked.events] == [(1, b"next")]


# Cached lines


@pytest.mark.parametrize(
    ("logs", "needed"),
    [
        ([invoke(OURS), "Program log: x", success(OURS)], False),
        ([invoke(OURS), invoke(VAULT, 2), success(VAULT), success(OURS)], False),
        (
            [
                invoke(FOREIGN),
                invoke(OURS, 2),
                invoke(TOKEN, 3),
                success(TOKEN),
                success(OURS),
                success(FOREIGN),
            ],
            False,
        ),
        ([invoke(OURS), invoke(OURS, 2), success(OURS), success(OURS)], True),
        ([invoke(FOREIGN), invoke(FOREIGN, 2), success(FOREIGN), success(FOREIGN)], True),
        ([invoke(OURS), invoke(FOREIGN, 2), success(FOREIGN), success(OURS)], True),
        ([invoke(OURS), f"Program {OURS} failed: no"], True),
        ([invoke(OURS), "Log truncated", success(OURS)], True),
        ([invoke(OURS)], True),
        ([success(OURS)], True),
        ([invoke(OURS), success(VAULT)], True),
        ([invoke(OURS, 2), success(OURS)], True),
        ([invoke(OURS), f"Program log: {invoke(OURS, 2)}", success(OURS)], False),
    ],
)
def test_cached_lines_serve_only_when_they_are_whole_and_hide_no_event(logs: list[str], needed: bool) -> None:
    assert needs_record(logs, {OURS, VAULT}) is needed


def test_a_cutting_from_a_log_gets_the_frames_it_lacks() -> None:
    said = f"Program data: {b64(b'said')}"
    assert complete_frames([said], OURS) == (invoke(OURS), said, success(OURS))
    assert complete_frames([said], None) == (said,)
    cut = [said, success(VAULT), said, success(OURS), invoke(FOREIGN), said]
    completed = complete_frames(cut, None)
    assert completed == (invoke(OURS), invoke(VAULT, 2), *cut, success(FOREIGN))
    walked = walk(transaction(list(completed)), CHANNELS)
    assert [event.program for event in walked.events] == [VAULT, OURS]
    assert not walked.truncated


# A model of the runtime


@dataclass
class Frame:
    """A program's run: what it does, in order."""

    program: str
    steps: list[tuple[str, Any]] = field(default_factory=list)


@dataclass
class Recorded:
    logs: list[str] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    truth: list[RawEvent] = field(default_factory=list)
    candidates: int = 0


def run(frames: list[Frame]) -> Recorded:
    """What the cluster records of a transaction of those instructions, and what they really said."""
    recorded = Recorded()
    for frame in frames:
        inner: list[InnerInstruction] = []
        if frame.program == ED25519:
            recorded.instructions.append(Instruction(ED25519, (), b"\x00"))
            continue
        run_frame(recorded, frame, None, 1, inner)
        recorded.instructions.append(Instruction(frame.program, (), b"outer", tuple(inner)))
    return recorded


def run_frame(
    recorded: Recorded, frame: Frame, caller: str | None, depth: int, inner: list[InnerInstruction]
) -> None:
    declared = CHANNELS.get(frame.program, frozenset())
    recorded.logs.append(invoke(frame.program, depth))

    def say(channel: Channel, data: bytes) -> None:
        if channel in declared:
            recorded.truth.append(RawEvent(frame.program, caller, depth, channel, recorded.candidates, data))
        recorded.candidates += 1

    for kind, what in frame.steps:
        if kind == "data":
            recorded.logs.append("Program data: " + " ".join(b64(payload) for payload in what))
            for payload in what:
                say(Channel.DATA, payload)
        elif kind == "log":
            recorded.logs.append("Program log: " + b64(what))
            say(Channel.LOG, what)
        elif kind == "text":
            recorded.logs.append("Program log: " + what)
            recorded.candidates += 1
        elif kind == "emit":
            inner.append(self_call(frame.program, what, depth + 1))
            recorded.logs += [invoke(frame.program, depth + 1)]
            say(Channel.CPI, what)
            recorded.logs += [success(frame.program)]
        elif kind == "forge":
            # Another program is invoked as if it had been by itself.
            inner.append(self_call(what, b"forged", depth + 1))
            recorded.logs += [invoke(what, depth + 1), success(what)]
            recorded.candidates += 1
        elif depth < 4:
            inner.append(InnerInstruction(what.program, (), b"call", depth + 1))
            run_frame(recorded, what, frame.program, depth + 1, inner)
    recorded.logs += [f"Program {frame.program} consumed 5 of 10 compute units", success(frame.program)]


PROGRAMS = [OURS, VAULT, FOREIGN, TOKEN]
forgeries = st.sampled_from(
    [
        *(invoke(program, depth) for program in PROGRAMS for depth in (1, 2)),
        *(success(program) for program in PROGRAMS),
        *("Log truncated", "Program data: AAAA", f"a\n{invoke(OURS)}\nProgram data: AAAA", "hello world", ""),
    ]
)
payloads = st.binary(max_size=12)


def steps(program: str, inner: st.SearchStrategy[Frame] | None) -> st.SearchStrategy[tuple[str, Any]]:
    others = [other for other in (OURS, VAULT, FOREIGN) if other != program]
    kinds: list[st.SearchStrategy[tuple[str, Any]]] = [
        st.tuples(st.just("data"), st.lists(payloads, min_size=1, max_size=3)),
        st.tuples(st.just("log"), st.binary(min_size=1, max_size=12)),
        st.tuples(st.just("text"), forgeries),
        st.tuples(st.just("emit"), payloads),
        st.tuples(st.just("forge"), st.sampled_from(others)),
    ]
    if inner is not None:
        kinds.append(st.tuples(st.just("call"), inner))
    return st.one_of(kinds)


def frames(inner: st.SearchStrategy[Frame] | None) -> st.SearchStrategy[Frame]:
    return st.sampled_from(PROGRAMS).flatmap(
        lambda program: st.lists(steps(program, inner), max_size=4).map(lambda found: Frame(program, found))
    )


scripts = st.lists(
    st.recursive(frames(None), frames, max_leaves=5) | st.just(Frame(ED25519)), min_size=1, max_size=4
)

FUZZ = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)


@FUZZ
@given(scripts)
def test_the_walk_finds_exactly_what_was_said(script: list[Frame]) -> None:
    recorded = run(script)
    walked = walk(transaction(recorded.logs, tuple(recorded.instructions)), CHANNELS)
    assert list(walked.events) == recorded.truth
    assert not walked.truncated


@FUZZ
@given(scripts)
def test_cached_lines_that_serve_give_what_the_record_gives(script: list[Frame]) -> None:
    recorded = run(script)
    # Programs of a stream are Anchor programs, which fail on the tag unless they sent it themselves.
    forged = any(
        inner.data == EVENT_TAG + b"forged" and inner.program in CHANNELS
        for instruction in recorded.instructions
        for inner in instruction.inner
    )
    if not forged and not needs_record(recorded.logs, CHANNELS):
        assert list(walk(transaction(recorded.logs), CHANNELS).events) == recorded.truth


@FUZZ
@given(scripts, st.integers(0, 3000))
def test_truncation_never_invents_moves_or_hides_an_event_by_cpi(script: list[Frame], limit: int) -> None:
    recorded = run(script)
    kept: list[str] = []
    written, warned = 0, False
    for line in recorded.logs:
        # As the runtime's log collector does it.
        if written + len(line) >= limit:
            if not warned:
                kept.append("Log truncated")
            warned = True
        else:
            written += len(line)
            kept.append(line)
    walked = walk(transaction(kept, tuple(recorded.instructions)), CHANNELS)
    assert walked.truncated is warned

    def said(found: list[RawEvent], by_cpi: bool) -> list[tuple[str, str | None, int, bytes]]:
        return [
            (event.program, event.caller, event.depth, event.data)
            for event in found
            if (event.channel is Channel.CPI) is by_cpi
        ]

    assert said(list(walked.events), True) == said(recorded.truth, True)
    lines = said(list(walked.events), False)
    assert lines == said(recorded.truth, False)[: len(lines)]
    ordinals = [event.ordinal for event in walked.events]
    assert ordinals == sorted(set(ordinals))


noise_lines = st.one_of(
    forgeries,
    forgeries.map(lambda text: f"Program log: {text}"),
    payloads.map(lambda data: f"Program data: {b64(data)}"),
    st.sampled_from(PROGRAMS).map(lambda program: f"Program {program} failed: x\ny"),
    st.text(max_size=30),
    st.text(max_size=10).map(lambda text: f"Program data: {text}"),
    st.text(max_size=10).map(lambda text: f"Program {OURS} {text}"),
)
noise_inner = st.builds(
    InnerInstruction,
    st.sampled_from(PROGRAMS),
    st.just((event_authority(OURS),)) | st.just(()),
    st.binary(max_size=4).map(lambda data: EVENT_TAG + data) | st.binary(max_size=12),
    st.integers(-2, 6),
)
noise_instructions = st.lists(
    st.builds(
        Instruction,
        st.sampled_from([*PROGRAMS, ED25519]),
        st.just(()),
        st.just(b""),
        st.lists(noise_inner, max_size=4).map(tuple),
    ),
    max_size=3,
).map(tuple)


@FUZZ
@given(
    st.none() | st.lists(noise_lines, max_size=20),
    st.none() | noise_instructions,
    st.none() | st.just({"err": 1}),
)
def test_noise_never_raises_and_never_speaks_for_an_undeclared_program(
    logs: list[str] | None, instructions: tuple[Instruction, ...] | None, err: object | None
) -> None:
    walked = walk(transaction(logs, instructions, err), CHANNELS)
    needs_record(logs or [], CHANNELS)
    complete_frames(logs or [], OURS)
    assert err is None or not walked.events
    opened = {line.split()[1] for line in logs or [] if line.startswith("Program ") and " invoke [" in line}
    for event in walked.events:
        assert event.channel in CHANNELS[event.program]
        if event.channel is Channel.CPI:
            assert any(inner.program == event.program for each in instructions or () for inner in each.inner)
        else:
            assert event.program in opened
    ordinals = [event.ordinal for event in walked.events]
    assert ordinals == sorted(set(ordinals))
