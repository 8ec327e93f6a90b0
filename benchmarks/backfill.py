"""End to end: archived getTransaction answers of a Drift-like trading day to committed rows, by two processes at once.

Each process runs what `heliograph backfill STREAM --archive FILE` runs, on a file of its own (.jsonl.zst), into the same tables:
typed tables of every event, transactions and the lookup of signatures, with all their indexes. The other side is the server's own
COPY of exactly these rows from files that lie on it, one transaction, text or binary, whichever is faster. Rounds alternate;
medians are compared. What a process does is timed by stage; the shares are of both processes' time, and `server` is what they
wait for it (asking what is stored, COPY, the commit), the sending included. benchmarks/peers/database.py says which server.

HELIOGRAPH_BENCH_ROWS is the number of events, HELIOGRAPH_BENCH_ROUNDS that of rounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import base58
import orjson
import zstandard

from heliograph_backfill import archive_job
from heliograph_backfill.archive_job import ArchiveJob
from heliograph_indexer import decode
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.new_stream import add_new_stream
from heliograph_indexer.protocols import ANCHOR, protocol_of
from heliograph_indexer.sources.archive import ArchiveSource, Fault
from heliograph_sql.database import Database
from heliograph_sql.migrate import migrate
from heliograph_sql.rows import SIGNATURES, TRANSACTIONS
from heliograph_sql.streams import get_stream
from heliograph_sql.writer import Writer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.decode import DRIFT, IDL_FILE, Corpus
from benchmarks.peers.database import database, server
from benchmarks.peers.server_copy import FORMS, ServerCopy

STREAM = "drift"
PROCESSES = 2
FIRST_SLOT = 400_000_000
GENESIS = 1_790_000_000
TRANSACTIONS_A_SLOT = 25
SLOTS_A_SECOND = 4
EVENTS = int(os.environ.get("HELIOGRAPH_BENCH_ROWS", "60000"))
ROUNDS = int(os.environ.get("HELIOGRAPH_BENCH_ROUNDS", "5"))
STAGES = ("read", "walk", "decode", "project", "encode", "server", "other")


def main() -> int:
    if not IDL_FILE.is_file():
        print(
            f"backfill: no layout without {IDL_FILE.name} in ../shared/idl, beside the checkout",
            file=sys.stderr,
        )
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="heliograph-bench-") as folder,
        server() as server_url,
        database(server_url, f"heliograph_bench_{os.getpid()}") as url,
    ):
        files = [Path(folder) / f"{number}.jsonl.zst" for number in range(PROCESSES)]
        write_archives(files)
        return compare(url, files)


# The archives


def write_archives(files: list[Path]) -> None:
    """One after another in time; together EVENTS events."""
    corpus = Corpus(read_idl(IDL_FILE.read_bytes()))
    packer = zstandard.ZstdCompressor()
    number = made = 0
    for count, file in enumerate(files, 1):
        with file.open("wb") as opened, packer.stream_writer(opened) as packed:
            while made < EVENTS * count // len(files):
                payloads = [corpus.payload() for _ in range(corpus.random.choice((1, 2, 2, 3, 4)))]
                packed.write(orjson.dumps(_answer(corpus, number, payloads)) + b"\n")
                number += 1
                made += len(payloads)
        # The next file begins with a slot of its own.
        number += -number % TRANSACTIONS_A_SLOT


def _answer(corpus: Corpus, number: int, payloads: list[tuple[str, bytes]]) -> dict[str, Any]:
    """A getTransaction answer."""
    slot = FIRST_SLOT + number // TRANSACTIONS_A_SLOT
    budget = {"programIdIndex": 3, "accounts": [], "data": "3DVGviTXKAPH", "stackHeight": None}
    order = {"programIdIndex": 2, "accounts": [0, 1], "data": "3Bxs4", "stackHeight": None}
    result = {
        "slot": slot,
        "blockTime": GENESIS + (slot - FIRST_SLOT) // SLOTS_A_SECOND,
        "transactionIndex": number % TRANSACTIONS_A_SLOT,
        "version": 0,
        "transaction": {
            "signatures": [base58.b58encode(corpus.random.randbytes(64)).decode()],
            "message": {
                "accountKeys": [
                    *corpus.random.sample(corpus.wallets, 2),
                    DRIFT,
                    "ComputeBudget111111111111111111111111111111",
                ],
                "instructions": [budget, order],
            },
        },
        "meta": {
            "err": None,
            "fee": 5000,
            "computeUnitsConsumed": 120_239,
            "logMessages": corpus.lines(payloads),
            "innerInstructions": [],
            "loadedAddresses": {"writable": [], "readonly": []},
        },
    }
    return {"jsonrpc": "2.0", "id": number, "result": result}


# Both sides


def compare(url: str, files: list[Path]) -> int:
    tier = migrate(url).tier
    print(f"backfill: on {tier.label}", file=sys.stderr)
    plans = [*asyncio.run(_add_stream(url)), TRANSACTIONS, SIGNATURES]
    ours: list[float] = []
    theirs: dict[str, list[float]] = {form: [] for form in FORMS}
    shares: dict[str, list[float]] = {stage: [] for stage in STAGES}
    rows = 0
    with ServerCopy(url, plans) as peer:
        for number in range(ROUNDS):
            peer.empty()
            taken, stages = run_processes(url, files)
            ours.append(taken)
            for stage in STAGES:
                shares[stage].append(stages[stage] / sum(stages.values()))
            if number == 0:
                rows = peer.dump()
            for form in FORMS:
                peer.empty()
                theirs[form].append(peer.copy(form))
            told = ", ".join(f"copy_{form} {rows / times[-1]:,.0f}" for form, times in theirs.items())
            print(f"round {number + 1}: ours {rows / taken:,.0f}, {told} rows/s", file=sys.stderr)
    rates = {"ours": rows / statistics.median(ours)}
    rates |= {f"copy_{form}": rows / statistics.median(times) for form, times in theirs.items()}
    ratio = round(rates["ours"] / max(rates[f"copy_{form}"] for form in FORMS), 2)
    figures = {"events_per_s": round(EVENTS / statistics.median(ours))}
    figures |= {f"{name}_rows_per_s": round(rate) for name, rate in rates.items()}
    figures |= {f"{stage}_percent": round(100 * statistics.median(shares[stage])) for stage in STAGES}
    print(
        f"{PROCESSES} processes: {figures['events_per_s']:,} events/s, {ratio} of the server's own COPY of the "
        f"{rows:,} rows, on {tier.label}"
    )
    print(json.dumps({"bench": "backfill", "ratios": {"copy": ratio}, "figures": figures}))
    return 0


async def _add_stream(url: str) -> list[Any]:
    async with await Database.open(url) as opened:
        _, tables = await add_new_stream(
            opened,
            STREAM,
            protocol=ANCHOR,
            programs=(DRIFT,),
            documents={DRIFT: IDL_FILE.read_bytes()},
            first_slot=FIRST_SLOT,
            log_events=True,
        )
    return [table.plan for table in tables.values()]


def run_processes(url: str, files: list[Path]) -> tuple[float, dict[str, float]]:
    """Seconds from the start of all to the end of the last, and of all together by stage."""
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, url, file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for file in files
    ]
    stages = dict.fromkeys(STAGES, 0.0)
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("a process did not begin: what it says stands above")
    start = time.perf_counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    found = []
    for process in processes:
        assert process.stdout is not None
        found.append(json.loads(process.stdout.readline()))
    taken = time.perf_counter() - start
    for process, told in zip(processes, found, strict=True):
        process.communicate()
        if process.returncode:
            raise RuntimeError(f"a process ended with status {process.returncode}")
        for stage in STAGES:
            stages[stage] += told[stage]
    return taken, stages


# One process


class Clock:
    """Seconds by stage: a stage that runs inside another one stops the other's clock."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._stage = "other"
        self._since = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        before = self.enter(name)
        try:
            yield
        finally:
            self.enter(before)

    def enter(self, name: str) -> str:
        """Goes over to the stage; the one before."""
        now = time.perf_counter()
        self.seconds[self._stage] += now - self._since
        before, self._stage, self._since = self._stage, name, now
        return before

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return function(*args, **kwargs)

        return call

    def awaited(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return await function(*args, **kwargs)

        return call


def put_clocks(clock: Clock) -> None:
    """Around what the job calls, one after another: it does one thing at a time."""
    patched: list[tuple[Any, str, str, bool]] = [
        (ArchiveSource, "_pages", "read", False),
        (decode, "walk", "walk", False),
        (archive_job, "decode_slot", "decode", False),
        (archive_job, "project_slots", "project", False),
        (archive_job, "read_stored", "server", True),
        (Writer, "add_archived", "server", True),
        (Writer, "prepare", "encode", True),
    ]
    for place, name, stage, waits in patched:
        function = getattr(place, name)
        if name == "_pages":
            setattr(place, name, _reading(clock, function))
        else:
            setattr(place, name, (clock.awaited if waits else clock.timed)(stage, function))


def _reading(clock: Clock, pages: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def timed(source: ArchiveSource) -> Iterator[Any]:
        made = pages(source)
        while True:
            with clock.stage("read"):
                page = next(made, None)
            if page is None:
                return
            yield page

    return timed


async def work(url: str, file: Path) -> None:
    clock = Clock()
    put_clocks(clock)
    async with await Database.open(url) as opened:
        stream = await get_stream(opened, STREAM)
        assert stream is not None
        job = ArchiveJob(
            opened, stream, protocol_of(stream), [file], holder=f"bench:{os.getpid()}", on_fault=_fail
        )
        print("ready", flush=True)
        sys.stdin.readline()
        # What went before is no part of it.
        clock.enter("other")
        clock.seconds = dict.fromkeys(STAGES, 0.0)
        await job.run()
        clock.enter("other")
        print(json.dumps(clock.seconds), flush=True)


def _fail(fault: Fault) -> None:
    raise RuntimeError(str(fault))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        asyncio.run(work(sys.argv[1], Path(sys.argv[2])))
    else:
        sys.exit(main())
