"""What archives hold is stored as from any other source, gives way to who vouches for it, and is never stored twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard
from tests.endtoend.comparison import differences, read_tables
from tests.endtoend.indexing import caught_up, indexing
from tests.peers.archived_samples import archives
from tests.peers.server import ON_BOTH
from tests.peers.stored_rows import as_stored, stored, tables_by_item

from heliograph_backfill import archive_job
from heliograph_backfill.archive_job import ArchiveJob
from heliograph_backfill.job import BackfillJob
from heliograph_indexer.new_stream import add_new_stream
from heliograph_indexer.protocols import ANCHOR, PROTOCOLS, protocol_of
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import HealSettings, IndexerSettings, RpcSettings
from heliograph_indexer.sources.archive import Fault
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.archived import StoredSlots, read_stored
from heliograph_sql.database import Database
from heliograph_sql.idls import add_idl
from heliograph_sql.streams import StreamRow, add_stream, read_coverage

GODARK = PROTOCOLS["godark"]
SLOTS = 120
SAMPLES = list(archives())


@pytest.fixture
async def net() -> AsyncIterator[Localnet]:
    async with Localnet(LocalnetSettings(seed=5, rate=40, traders=30, finalized_lag=4)) as net:
        await net.step(SLOTS)
        yield net


@pytest.fixture
async def stream(database: Database, net: Localnet) -> StreamRow:
    return await add_stream(
        database,
        "godark",
        protocol="godark",
        programs=list(net.programs),
        first_slot=net.settings.first_slot,
    )


async def answers(net: Localnet, *, placed: bool = True) -> list[dict[str, Any]]:
    """Of every transaction that is confirmed, as the node gives it."""
    through = net.chain.slot_at(Commitment.CONFIRMED)
    rows = net.truth(through)["heliograph.transactions"]
    signatures = [row["signature"] for row in sorted(rows, key=lambda row: (row["slot"], row["tx_index"]))]
    async with RpcClient(net.rpc_url, RpcSettings()) as client:
        results = await Cluster(client).transactions(signatures)
    found = []
    for result in results:
        assert isinstance(result, dict)
        if not placed:
            result.pop("transactionIndex")
        found.append({"jsonrpc": "2.0", "id": 1, "result": result})
    return found


def lines(folder: Path, name: str, given: Sequence[Any]) -> Path:
    path = folder / name
    content = b"\n".join(json.dumps(each).encode() for each in given)
    path.write_bytes(zstandard.compress(content) if name.endswith(".zst") else content)
    return path


async def run(
    database: Database, stream: StreamRow, *files: Path, page: int = 50
) -> tuple[ArchiveJob, list[Fault]]:
    faults: list[Fault] = []
    job = ArchiveJob(
        database, stream, protocol_of(stream), files, holder="archive", on_fault=faults.append, page=page
    )
    await job.run()
    return job, faults


async def tables(database: Database) -> dict[str, list[dict[str, Any]]]:
    async with database.acquire() as connection:
        found = await read_tables(connection, "godark")
    return {
        name: rows
        for name, rows in found.items()
        if name not in ("perps.positions", "perps.balances", "perps.markets")
    }


def expected(net: Localnet) -> dict[str, Any]:
    truth = net.truth(net.chain.slot_at(Commitment.CONFIRMED))
    return {
        name: rows
        for name, rows in truth.items()
        if name not in ("perps.positions", "perps.balances", "perps.markets")
    }


async def test_an_archive_holds_what_the_chain_does_and_covers_nothing(
    database: Database, net: Localnet, stream: StreamRow, tmp_path: Path
) -> None:
    given = await answers(net)
    job, faults = await run(
        database,
        stream,
        lines(tmp_path, "a.jsonl", given[: len(given) // 2]),
        lines(tmp_path, "b.jsonl.zst", given[len(given) // 2 :]),
    )
    assert faults == []
    told = differences(expected(net), await tables(database))
    assert not told, told
    progress = job.progress
    assert (progress.stored, progress.known, progress.faults) == (len(given), 0, 0)
    assert progress.read_bytes == progress.total_bytes
    assert not await read_coverage(database, "godark")


async def test_giving_it_again_and_in_parts_stores_nothing_twice(
    database: Database, net: Localnet, stream: StreamRow, tmp_path: Path
) -> None:
    given = await answers(net)
    odd, whole = lines(tmp_path, "odd.jsonl", given[1::2]), lines(tmp_path, "all.jsonl", given)
    await run(database, stream, odd)
    job, _ = await run(database, stream, whole, odd)
    assert job.progress.known == 2 * len(given[1::2])
    assert job.progress.stored == len(given) - len(given[1::2])
    told = differences(expected(net), await tables(database))
    assert not told, told


async def test_a_backfill_after_an_archive_leaves_what_the_chain_says(
    database: Database, net: Localnet, stream: StreamRow, tmp_path: Path
) -> None:
    # Without their place in the block the rows are wrong in it, and one transaction never happened.
    given = await answers(net, placed=False)
    forged = json.loads(json.dumps(given[3]))
    forged["result"]["transaction"]["signatures"][0] = "1" * 87
    await run(database, stream, lines(tmp_path, "a.jsonl", [*given, forged]))
    settings = IndexerSettings(
        rpc_url=net.rpc_url,
        ws_url=net.ws_url,
        heal=HealSettings(piece_slots=16, poll_s=0.05, batch_age_s=0.2),
    )
    async with RpcClient(net.rpc_url, RpcSettings()) as client:
        first, last = net.settings.first_slot, net.chain.slot_at(Commitment.CONFIRMED)
        job = BackfillJob(
            database, stream, GODARK, settings, Cluster(client), first=first, last=last, holder="backfill"
        )
        await job.run()
    told = differences(expected(net), await tables(database))
    assert not told, told
    again, _ = await run(database, stream, tmp_path / "a.jsonl")
    assert (again.progress.stored, again.progress.covered) == (0, len(given) + 1)


async def test_live_indexing_and_healing_replace_an_archive_and_fold_to_the_same_positions(
    database: Database, net: Localnet, stream: StreamRow, tmp_path: Path
) -> None:
    await run(database, stream, lines(tmp_path, "a.jsonl", await answers(net, placed=False)))
    through = net.chain.slot_at(Commitment.CONFIRMED)
    settings = IndexerSettings(rpc_url=net.rpc_url, ws_url=net.ws_url, accounts=False)
    async with indexing(database, stream, GODARK, settings):
        await caught_up(database, stream, through)
    async with database.acquire() as connection:
        found = await read_tables(connection, "godark")
        uncovered = await connection.fetchval(
            "SELECT count(*) FROM heliograph.slots AS s JOIN heliograph.coverage AS c USING (stream) "
            "WHERE NOT c.slots @> s.slot"
        )
    truth = dict(net.truth(through))
    for name in ("perps.markets",):
        # Prices of markets come from accounts, which nobody followed.
        truth.pop(name)
        found.pop(name)
    told = differences(truth, found)
    assert not told, told
    assert uncovered == 0


async def test_what_cannot_be_read_is_told_and_the_rest_is_stored(
    database: Database, net: Localnet, stream: StreamRow, tmp_path: Path
) -> None:
    given = await answers(net)
    job, faults = await run(
        database, stream, lines(tmp_path, "a.jsonl", [given[0], {"result": None}, given[1]])
    )
    assert [(Path(fault.file).name, fault.line) for fault in faults] == [("a.jsonl", 2)]
    assert (job.progress.stored, job.progress.faults) == (2, 1)


async def test_an_idl_that_arrives_meanwhile_is_read_before_anything_is_stored(
    database: Database, net: Localnet, stream: StreamRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (await answers(net))[:20]
    looked = 0

    async def look(*arguments: Any) -> StoredSlots:
        nonlocal looked
        looked += 1
        if looked == 1:
            # The writer is made, the batch is not written yet.
            program = GODARK.programs["godark_vault"]
            await add_idl(database, "godark", program, 10**9, GODARK.idls()[program])
        return await read_stored(*arguments)

    monkeypatch.setattr(archive_job, "read_stored", look)
    job, _ = await run(database, stream, lines(tmp_path, "a.jsonl", given))
    assert (job.progress.stored, looked) == (20, 2)


@ON_BOTH
@pytest.mark.skipif(not SAMPLES, reason="the samples of ../shared are absent")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample.file))
async def test_a_real_sample_ends_in_typed_tables(database: Database, sample: Any, tmp_path: Path) -> None:
    document = DOCUMENTS[sample.idl]
    stream, _ = await add_new_stream(
        database,
        "any",
        protocol=ANCHOR,
        programs=[sample.program],
        documents={sample.program: document},
        first_slot=1,
        log_events=True,
    )
    _, faults = await run(database, stream, lines(tmp_path, "a.json", [sample.answer]))
    assert faults == []
    places = await tables_by_item(database, "any")
    found = [
        (row["ordinal"], item, row["fields"])
        for (kind, _, item), table in places.items()
        if kind == "event"
        for row in await stored(database, "any", table, "slot, ordinal")
    ]
    wanted = [
        (event.name, as_stored(event.value, places["event", sample.program, event.name]))
        for event in sample.events
    ]
    assert [(item, fields) for _, item, fields in sorted(found, key=lambda each: each[0])] == wanted
    assert wanted
    async with database.acquire() as connection:
        assert await connection.fetch("SELECT * FROM heliograph.undecoded") == []


DOCUMENTS = {
    sample.idl: (Path(__file__).resolve().parents[3] / "shared" / sample.idl).read_bytes()
    for sample in SAMPLES
}
