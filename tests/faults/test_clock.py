"""No decision hangs on the wall clock of the process: set back and forth, it changes nothing."""

from __future__ import annotations

import ast
import random
import time
from pathlib import Path

import pytest
from tests.endtoend.indexing import caught_up, indexing
from tests.faults.sizes import sizes
from tests.faults.witness import witnessing

from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import HealSettings, IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream

SIZES = sizes()
SHIFTS = 12
ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("core", "sql", "indexer", "backfill", "graphql")
"""What runs for long. The command line reads the clock where a person said a time, and where localnet begins."""
WALL_CLOCKS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "gmtime"),
    ("time", "localtime"),
    ("time", "ctime"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}
ALLOWED = {
    "graphql/heliograph_graphql/gateway/rate_limits.py": "the library counts by it: a caller waits for more or less than a window",
    "graphql/heliograph_graphql/gateway/sign_in.py": "the day on which a key ends, which a client is told",
    "indexer/heliograph_indexer/rpc/client.py": "a Retry-After that is a date, of an answer that names no date itself",
}
"""Where the wall clock is read, and why that harms nobody."""


def test_the_wall_clock_is_read_where_we_know_why() -> None:
    """Leases and claims go by the database's clock, everything else by the monotonic one."""
    found = {
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name | ast.Attribute)
        and (_name(node.value), node.attr) in WALL_CLOCKS
    }
    assert found == set(ALLOWED)


async def test_a_clock_set_back_and_forth_an_hour_loses_and_delays_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the process. What the server's clock does to leases and claims stands in tests/sql/test_lease.py, test_claims.py."""
    print(f"seed {SIZES.seed}")
    dice = random.Random(SIZES.seed)
    really, shift = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: really() + shift)
    settings = LocalnetSettings(seed=SIZES.seed, funding_interval_seconds=10, rate=20)
    async with Localnet(settings) as localnet:
        stream = await add_stream(
            database,
            settings.stream,
            protocol="godark",
            programs=localnet.programs,
            first_slot=settings.first_slot,
        )
        await localnet.step(40)
        indexer = IndexerSettings(
            rpc_url=localnet.rpc_url,
            ws_url=localnet.ws_url,
            wake_on_slot=True,
            reconcile_interval_s=0.5,
            lease_ttl_s=1.5,
            heal=HealSettings(piece_slots=50, poll_s=0.1),
        )
        async with (
            witnessing(database, localnet, stream, SIZES.seed) as witness,
            indexing(database, stream, PROTOCOLS["godark"], indexer),
        ):
            for _ in range(SHIFTS):
                shift = dice.choice((-3_600.0, 0.0, 3_600.0))
                await localnet.step(4)
                # Live goes on under each of them.
                await caught_up(database, stream, localnet.chain.slot_at(Commitment.CONFIRMED))
            last = localnet.chain.slot_at(Commitment.CONFIRMED)
            await caught_up(database, stream, last, accounts=True)
            await witness.end(last)
    print(f"{SHIFTS} shifts of the clock, {witness.samples} samples")


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
