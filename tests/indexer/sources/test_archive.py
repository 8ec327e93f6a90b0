"""Archives are read in every shape, and what cannot be read is named by file and line while the rest is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from tests.peers.answers import answer, signature_of

from heliograph_core.errors import SettingsError
from heliograph_indexer.sources import archive
from heliograph_indexer.sources.archive import Archived, ArchiveSource, Page, placed
from heliograph_indexer.transaction_json import parse_transaction

PROGRAM = "BifeNpFVFxQy9RnUkgbi1u2daTDbWJ1ZPUeZVSwtf7Qg"
OTHER = "5ioFK9dP4fJ7RujyHpzo95SRwXMTccm4Ehsya6Ta1zcd"
SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "samples" / "tx"


def line(number: int, **more: Any) -> bytes:
    return json.dumps(answer(PROGRAM, number=number, slot=100 + number, **more)).encode()


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(zstandard.compress(content) if name.endswith(".zst") else content)
    return path


async def read(*files: Path, page: int = 500, programs: tuple[str, ...] = (PROGRAM,)) -> list[Page]:
    return [each async for each in ArchiveSource(files, programs, page=page).pages()]


def numbers(pages: list[Page]) -> list[int]:
    known = {signature_of(number): number for number in range(1, 50)}
    return [known[each.transaction.signature] for page in pages for each in page.transactions]


def told(pages: list[Page]) -> list[str]:
    return [str(fault).rpartition("/")[2] for page in pages for fault in page.faults]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.zst", "a.zst", "answers"])
async def test_one_answer_a_line_is_read_in_order(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, name, b"\n".join([line(1), b"", line(2), json.dumps([1]).encode()[:0], line(3)]))
    pages = await read(file)
    assert (numbers(pages), told(pages)) == ([1, 2, 3], [])
    assert pages[-1].read_bytes == ArchiveSource([file], [PROGRAM]).total_bytes


@pytest.mark.parametrize("name", ["a.json", "a.json.zst", "a.zst", "answers"])
async def test_a_document_may_hold_one_answer_or_many(tmp_path: Path, name: str) -> None:
    many = [answer(PROGRAM, number=number, slot=7) for number in (1, 2)]
    results = write(tmp_path, name, json.dumps([each["result"] for each in many], indent=1).encode())
    assert numbers(await read(results)) == [1, 2]
    one = write(tmp_path, name, json.dumps(many[0], indent=2).encode())
    assert numbers(await read(one)) == [1]


async def test_bad_lines_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    null = json.dumps({"jsonrpc": "2.0", "id": 1, "result": None}).encode()
    refused = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32009, "message": "gone"}}).encode()
    mixed = json.dumps([answer(PROGRAM, number=6, slot=7), "x", answer(PROGRAM, number=7, slot=7)]).encode()
    timeless = line(8, block_time=None)
    lines = [line(1), b"{", line(2), null, refused, b'"text"', line(3), mixed, timeless, b"{}", line(4)]
    pages = await read(write(tmp_path, "a.jsonl", b"\n".join(lines)))
    assert numbers(pages) == [1, 2, 3, 6, 7, 4]
    reasons = told(pages)
    assert [reason.split(":")[1] for reason in reasons] == ["2", "4", "5", "6", "8", "9", "10"]
    assert "not JSON" in reasons[0] and "null" in reasons[1] and "gone" in reasons[2]
    assert "blockTime is missing" in reasons[5]


async def test_a_document_that_is_no_json_is_named_by_its_line(tmp_path: Path) -> None:
    pages = await read(write(tmp_path, "a.json", b'{\n"a": 1,\n}'), write(tmp_path, "b.json", line(1)))
    assert numbers(pages) == [1]
    assert told(pages)[0].startswith("a.json:2: not JSON")


async def test_a_packed_file_that_breaks_off_is_named_and_what_came_before_is_kept(tmp_path: Path) -> None:
    packed = zstandard.ZstdCompressor(level=1).compress(b"\n".join([line(1)] * 3000))
    whole, cut = tmp_path / "two.jsonl.zst", tmp_path / "cut.jsonl.zst"
    whole.write_bytes(zstandard.compress(line(1) + b"\n") + zstandard.compress(line(2)))
    cut.write_bytes(packed[:-20])
    garbage = tmp_path / "none.jsonl.zst"
    garbage.write_bytes(b"no zstd at all")
    pages = await read(whole, cut, garbage)
    found = numbers(pages)
    assert found[:2] == [1, 2] and len(found) > 3
    assert len(told(pages)) >= 2
    assert any("cut.jsonl.zst" in each and "middle of a packed frame" in each for each in told(pages))
    assert any("none.jsonl.zst" in each for each in told(pages))


async def test_a_line_that_is_too_long_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_LINE_BYTES", 2_000)
    monkeypatch.setattr(archive, "_CHUNK", 700)
    long = line(2, logs=["x" * 5_000])
    pages = await read(write(tmp_path, "a.jsonl", b"\n".join([line(1), long, line(3)])))
    assert numbers(pages) == [1, 3]
    assert [each.split(":")[1] for each in told(pages)] == ["2"]


async def test_pages_are_bounded_and_foreign_transactions_are_counted(tmp_path: Path) -> None:
    foreign = json.dumps(answer(OTHER, number=9, slot=9)).encode()
    file = write(tmp_path, "a.jsonl", b"\n".join([line(1), foreign, line(2), line(3)]))
    pages = await read(file, page=2)
    assert [len(page.transactions) for page in pages] == [1, 2, 0]
    assert sum(page.foreign for page in pages) == 1
    assert numbers(await read(file, programs=(OTHER,))) == [9]


async def test_a_file_that_cannot_be_opened_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.json cannot be read"):
        ArchiveSource([tmp_path / "absent.json"], [PROGRAM])


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of ../shared are absent")
async def test_real_answers_are_read(tmp_path: Path) -> None:
    files = sorted(SAMPLES.glob("rpc_getTransaction_*.json"))
    keys = [
        json.loads(file.read_bytes())["result"]["transaction"]["message"]["accountKeys"][0] for file in files
    ]
    pages = await read(*files, programs=tuple(keys))
    assert [each.slot for page in pages for each in page.transactions] == [376411673, 376243586]
    assert all(not each.placed for page in pages for each in page.transactions)


def archived(number: int, slot: int, index: int | None) -> Archived:
    result = answer(PROGRAM, number=number, slot=slot, index=index)["result"]
    return Archived(slot, 1, parse_transaction(result), index is not None)


def test_what_has_no_place_in_its_block_stands_behind_the_others() -> None:
    page = [
        archived(1, 5, None),
        archived(2, 5, 3),
        archived(3, 4, None),
        archived(1, 5, None),
        archived(4, 5, 0),
    ]
    slots = placed(page, {5: {signature_of(9): 1_007, signature_of(4): 0}}, 1_000)
    shown = {
        slot: [(each.transaction.tx_index, each.transaction.signature) for each in rows]
        for slot, rows in slots.items()
    }
    assert shown == {
        4: [(1_000, signature_of(3))],
        5: [(3, signature_of(2)), (1_008, signature_of(1))],
    }
