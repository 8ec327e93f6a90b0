"""Every query of docs/sql.md, on an indexed run of localnet, answers what the exchange's books say."""

from __future__ import annotations

import datetime
import decimal
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.endtoend import sql_answers
from tests.endtoend.indexing import caught_up, indexing
from tests.endtoend.test_localnet_truth import FlippedSign

from heliograph_core.records import FundingPayment
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.protocols.godark import GoDark
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.addresses import POSITIONS_IDL, VAULT_IDL
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.rollup import Rollup
from heliograph_sql.streams import add_stream

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sql.md"
QUERIES: dict[str, str] = dict(re.findall(r"```sql\n-- (\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL))
SEED = 5
SLOTS = 100
SETTINGS = LocalnetSettings(
    seed=SEED,
    # Minutes apart and across a midnight of UTC, so that there are hours and days to tell apart.
    slot_ms=120_000,
    genesis_time=1_790_028_000,
    rate=0.2,
    traders=25,
    arrivals=0.01,
    jump_probability=0.05,
    funding_interval_seconds=1_800,
)


def test_the_page_has_twenty_queries_and_each_is_compared() -> None:
    text = PAGE.read_text()
    assert len(QUERIES) >= 20
    assert len(QUERIES) == text.count("```sql")


@pytest.mark.parametrize("rolled", [False, True], ids=["from_the_rows", "rolled_up"])
async def test_every_query_answers_what_the_books_say(database: Database, rolled: bool) -> None:
    told = await _answers(database, GoDark(), rolled)
    assert not told, "\n\n".join(told.values())


async def test_a_wrong_sign_in_the_tables_is_found_out_by_the_queries_that_read_it(
    database: Database,
) -> None:
    told = await _answers(database, FlippedSign(FundingPayment, "amount"), rolled=False)
    assert set(told) == {"funding_by_wallet"}


async def _answers(database: Database, protocol: Protocol, rolled: bool) -> dict[str, str]:
    """What differs, by the query's name."""
    print(f"seed {SEED}")
    async with Localnet(SETTINGS) as localnet:
        stream = await add_stream(
            database, "godark", protocol="godark", programs=localnet.programs, first_slot=SETTINGS.first_slot
        )
        await localnet.step(SLOTS)
        last = localnet.chain.slot_at(Commitment.CONFIRMED)
        settings = IndexerSettings(
            rpc_url=localnet.rpc_url, ws_url=localnet.ws_url, wake_on_slot=True, reconcile_interval_s=1.0
        )
        async with indexing(database, stream, protocol, settings):
            await caught_up(database, stream, last, accounts=True)
        tables = localnet.truth(last)
    if rolled:
        assert await Rollup(database).catch_up() > 0
    _require_eventful(tables)
    found = {}
    # The books' sums are exact: the default context would round them.
    with decimal.localcontext(prec=80):
        async with database.acquire() as connection:
            for name, query in QUERIES.items():
                rows = [tuple(map(_plain, row)) for row in await connection.fetch(query)]
                wanted = _wanted(name, tables, last)
                if name == "completeness":
                    rows = [(row[0], row[2], row[3], row[5]) for row in rows]
                elif name == "compute_units":
                    assert all(row[2] is not None and row[2] <= row[3] and row[4] > 0 for row in rows)
                    rows = [row[:2] for row in rows]
                elif name == "failures":
                    rows = sorted(_by_code(rows).items())
                if rows != wanted:
                    found[name] = f"{name}: the books say\n{_shown(wanted)}\nthe query says\n{_shown(rows)}"
    return found


def _by_code(rows: Sequence[tuple[Any, ...]]) -> Counter[int]:
    """Failures by name as failures by code."""
    codes = {
        error["name"]: error["code"]
        for document in (VAULT_IDL, POSITIONS_IDL)
        for error in json.loads(document)["errors"]
    }
    counts: Counter[int] = Counter()
    for name, count in rows:
        counts[codes[name]] += count
    return counts


def _wanted(name: str, tables: Any, last: int) -> list[tuple[Any, ...]]:
    if name == "gaps":
        return []
    if name == "completeness":
        return sql_answers.completeness(tables, last)
    if name == "compute_units":
        return sql_answers.transactions(tables)
    if name == "failures":
        return sorted(sql_answers.failures(tables).items())
    wanted: list[tuple[Any, ...]] = getattr(sql_answers, name)(tables)
    assert wanted, f"{name} has nothing to compare"
    return wanted


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return int(value.timestamp())
    return int(value.total_seconds()) if isinstance(value, datetime.timedelta) else value


def _shown(rows: Sequence[Any]) -> str:
    return "\n".join(map(str, rows[:4])) + (f"\n… {len(rows)} rows" if len(rows) > 4 else "")


def _require_eventful(tables: Any) -> None:
    """Questions about liquidations need liquidations, and days need a midnight."""
    assert min(len(rows) for rows in tables.values()) > 2, {name: len(rows) for name, rows in tables.items()}
    assert len({row["block_time"] // 86_400 for row in tables["perps.trades"]}) == 2
    assert any(row["status"] != "open" for row in tables["perps.positions"])
    assert any(row["err"] is not None for row in tables["heliograph.transactions"])
