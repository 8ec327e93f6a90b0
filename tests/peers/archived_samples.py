"""The samples of ../shared as getTransaction answers, and what is in them by our own decoder of single events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.peers.answers import answer
from tests.peers.samples import IDLS, SHARED, Sample, samples

SLOT = 376_000_000


@dataclass(frozen=True)
class Archive:
    """One sample: idl below the shared folder, the program that speaks, the answer, and its events in order."""

    file: str
    idl: str
    program: str
    answer: dict[str, Any]
    events: tuple[Sample, ...]


def archives() -> Iterator[Archive]:
    """Every sample of a transaction whose layout is known; none where ../shared is absent."""
    if not (SHARED / "samples").is_dir():
        return
    by_file: dict[str, list[Sample]] = {}
    for sample in samples():
        by_file.setdefault(sample.file, []).append(sample)
    for number, file in enumerate(sorted((SHARED / "samples" / "tx").glob("*.json")), 1):
        document = json.loads(file.read_bytes())
        idl = document.get("idl") or IDLS.get(file.stem)
        if idl is None:
            continue
        if "instructions" in document:
            program, made = _of_instructions(document, number)
        else:
            program, made = document["program"], _of_lines(document, number)
        yield Archive(file.stem, idl, program, made, tuple(by_file[file.stem]))


def _of_lines(document: dict[str, Any], number: int) -> dict[str, Any]:
    """Some samples are the lines of one program alone, without the frame around them."""
    program, logs = document["program"], list(document["logs"])
    if " invoke [" not in logs[0]:
        logs.insert(0, f"Program {program} invoke [1]")
    if not logs[-1].endswith(" success"):
        logs.append(f"Program {program} success")
    return answer(program, number=number, slot=SLOT + number, logs=logs)


def _of_instructions(document: dict[str, Any], number: int) -> tuple[str, dict[str, Any]]:
    """[n, 0] is the transaction's instruction n, [n, m] one that it invoked: here each has its own."""
    program: str = document["instructions"][0]["program"]
    inner = [
        (each["program"], each["accounts"], bytes.fromhex(each["data_hex"]))
        for each in document["instructions"]
        if each["ix_index"][1]
    ]
    return program, answer(program, number=number, slot=SLOT + number, inner=inner)
