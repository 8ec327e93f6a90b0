"""Archives: files of getTransaction answers (encoding json), a document or one answer a line, packed by zstd or not.

In: files. Out: pages of transactions, each with its slot and block time, in the order of the files, and what could not be
read, by file and line. An archive proves nothing about its slots: it may lack any of their transactions.

Contract: a line or an entry that is no answer, an answer without slot or block time and a packed file that breaks
off are named and left out; all others are kept. Reading never holds more than a page and one line (a document that is
one answer or a list of them is held whole).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson
import zstandard

from heliograph_core.errors import SettingsError, TransactionError
from heliograph_core.transaction import Transaction
from heliograph_indexer.transaction_json import find_results, parse_transaction

PAGE_TRANSACTIONS = 2_000
"""Transactions that are read, and stored, at once."""
MOST_LINE_BYTES = 64 << 20
"""Of one line; a longer one is named and left out."""
MOST_DOCUMENT_BYTES = 512 << 20
"""Of a file that is one document."""
_CHUNK = 1 << 20
_PACKED_CHUNK = 1 << 10
"""Of packed bytes: 4 of them may stand for 128 KiB, and no more than 32 MiB shall come out at once."""
_LINES, _DOCUMENT = (".jsonl", ".ndjson"), (".json",)


class Archived(NamedTuple):
    """placed: the record says where in its block it stands; else its tx_index is 0 and means nothing."""

    slot: int
    block_time: int
    transaction: Transaction
    placed: bool


class Fault(NamedTuple):
    """What could not be read. line: from 1; None for the whole file."""

    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}: {self.reason}"
            if self.line is not None
            else f"{self.file}: {self.reason}"
        )


class Page(NamedTuple):
    """read_bytes: of the files, as they lie on disk, up to here. foreign: transactions of other programs, left out."""

    transactions: list[Archived]
    faults: list[Fault]
    foreign: int
    read_bytes: int


class ArchiveSource:
    """The transactions of some files that mention one of `programs`."""

    def __init__(
        self, files: Sequence[Path], programs: Iterable[str], *, page: int = PAGE_TRANSACTIONS
    ) -> None:
        """Raises SettingsError for a file that is not there or may not be read."""
        self._files = tuple(files)
        self._programs = frozenset(programs)
        self._page = page
        self._read = 0
        try:
            self.total_bytes = sum(file.stat().st_size for file in self._files)
            for file in self._files:
                with file.open("rb"):
                    pass
        except OSError as error:
            raise SettingsError(
                f"{error.filename} cannot be read ({error.strerror}): name another file"
            ) from None

    async def pages(self) -> AsyncIterator[Page]:
        """All of them. Files are read in a thread, so that others get their turn."""
        pages = self._pages()
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            yield page

    def _pages(self) -> Iterator[Page]:
        found: list[Archived] = []
        faults: list[Fault] = []
        foreign = 0
        for each in self._all():
            if isinstance(each, Fault):
                faults.append(each)
            elif each is None:
                foreign += 1
            else:
                found.append(each)
            if len(found) + len(faults) + foreign >= self._page:
                yield Page(found, faults, foreign, self._read)
                found, faults, foreign = [], [], 0
        yield Page(found, faults, foreign, self._read)

    def _all(self) -> Iterator[Archived | Fault | None]:
        for file in self._files:
            try:
                for line, item in self._items(file):
                    if isinstance(item, str):
                        yield Fault(str(file), line, item)
                    else:
                        yield from self._archived(file, line, item)
            except (OSError, zstandard.ZstdError) as error:
                yield Fault(str(file), None, f"the rest of it cannot be read: {error}")

    def _items(self, file: Path) -> Iterator[tuple[int, Any]]:
        """(line, parsed JSON), or (line, what is wrong with it)."""
        lines = _lines(self._chunks(file))
        name = file.name.removesuffix(".zst")
        if name.endswith(_DOCUMENT):
            yield from _document(lines)
            return
        first = next(lines, None)
        if first is None:
            return
        number, line = first
        if not name.endswith(_LINES) and isinstance(_parsed(line), str):
            # Nothing in its name says what it is, and its first line is no answer by itself.
            yield from _document(_before(first, lines))
            return
        yield number, _parsed(line)
        for number, line in lines:
            if line != b"":
                yield number, _parsed(line)

    def _archived(self, file: Path, line: int, item: Any) -> Iterator[Archived | Fault | None]:
        for entry in item if isinstance(item, list) else [item]:
            try:
                for result in find_results(entry):
                    yield self._record(result)
            except TransactionError as error:
                yield Fault(str(file), line, str(error))

    def _record(self, result: Mapping[str, Any]) -> Archived | None:
        transaction = parse_transaction(result)
        slot, time, index = result.get("slot"), result.get("blockTime"), result.get("transactionIndex")
        for name, value in (("slot", slot), ("blockTime", time)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise TransactionError(
                    f"transaction {transaction.signature}: its {name} is missing: {value!r}"
                )
        assert isinstance(slot, int) and isinstance(time, int)
        if not self._programs.intersection(_keys(result)):
            return None
        return Archived(slot, time, transaction, isinstance(index, int))

    def _chunks(self, file: Path) -> Iterator[bytes]:
        packed = file.suffix == ".zst"
        with file.open("rb") as opened:
            unpacking, begun = zstandard.ZstdDecompressor().decompressobj(), False
            while chunk := opened.read(_PACKED_CHUNK if packed else _CHUNK):
                self._read += len(chunk)
                if not packed:
                    yield chunk
                    continue
                while chunk:
                    begun = True
                    yield unpacking.decompress(chunk)
                    if not unpacking.eof:
                        break
                    # One file may hold several frames.
                    chunk = unpacking.unused_data
                    unpacking, begun = zstandard.ZstdDecompressor().decompressobj(), False
        if begun:
            raise zstandard.ZstdError("it ends in the middle of a packed frame")


def _keys(result: Mapping[str, Any]) -> Iterator[str]:
    """Every address that the transaction loads."""
    for key in result["transaction"]["message"]["accountKeys"]:
        yield key["pubkey"] if isinstance(key, dict) else key
    loaded = result["meta"].get("loadedAddresses") or {}
    yield from loaded.get("writable", ())
    yield from loaded.get("readonly", ())


def _lines(chunks: Iterator[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, the line without its end); None for one that is too long."""
    held: list[bytes] = []
    number, size, long = 1, 0, False

    def line() -> bytes | None:
        return None if long else b"".join(held).strip()

    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            held.append(part)
            long |= size + len(part) > MOST_LINE_BYTES
            yield number, line()
            number, held, size, long = number + 1, [], 0, False
        held.append(rest)
        size += len(rest)
        if size > MOST_LINE_BYTES:
            held, long = [], True
    if held and (long or b"".join(held).strip()):
        yield number, line()


def _parsed(line: bytes | None) -> Any:
    """The JSON value; a text that says what is wrong where it is none, or none but a text."""
    if line is None:
        return f"the line is longer than {MOST_LINE_BYTES} bytes"
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    return "no transaction record but text" if isinstance(value, str) else value


def _before(
    first: tuple[int, bytes | None], rest: Iterator[tuple[int, bytes | None]]
) -> Iterator[tuple[int, bytes | None]]:
    yield first
    yield from rest


def _document(lines: Iterator[tuple[int, bytes | None]]) -> Iterator[tuple[int, Any]]:
    """One value, with the line of what is wrong with it; the line of a good one is 1."""
    held: list[bytes] = []
    size = 0
    for number, line in lines:
        size += len(line) if line is not None else MOST_DOCUMENT_BYTES
        if size > MOST_DOCUMENT_BYTES:
            yield (
                number,
                f"the document is larger than {MOST_DOCUMENT_BYTES} bytes: write one answer a line (.jsonl)",
            )
            return
        held.append(line or b"")
    try:
        value = orjson.loads(b"\n".join(held))
    except orjson.JSONDecodeError as error:
        yield error.lineno, f"not JSON: {error.msg}"
        return
    yield 1, "no transaction record but text" if isinstance(value, str) else value


def placed(
    page: Sequence[Archived], stored: Mapping[int, Mapping[str, int]], first_unplaced: int
) -> dict[int, list[Archived]]:
    """By slot, those that are not stored yet, in block order. Pure.

    stored: slot to signature to tx_index. A transaction whose record does not say where in its block it stands comes
    behind all others of its slot, in the order of the archive: from `first_unplaced` on, beyond any real index.
    """
    found: dict[int, dict[str, Archived]] = {}
    for each in page:
        signature = each.transaction.signature
        if signature not in stored.get(each.slot, {}):
            found.setdefault(each.slot, {}).setdefault(signature, each)
    slots = {}
    for slot in sorted(found):
        behind = max([first_unplaced - 1, *stored.get(slot, {}).values()])
        rows = []
        for each in found[slot].values():
            if not each.placed:
                behind += 1
                each = each._replace(transaction=msgspec.structs.replace(each.transaction, tx_index=behind))
            rows.append(each)
        slots[slot] = sorted(rows, key=lambda each: each.transaction.tx_index)
    return slots
