"""Tables keyed by block_time become hypertables where the server has TimescaleDB, and stay plain where it has not."""

import os
import uuid
from collections.abc import Iterator

import msgspec
import psycopg
import pytest
from psycopg import sql

from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventLayout, Kind
from heliograph_sql.hypertables import enable_timescale
from heliograph_sql.migrate import migrate
from heliograph_sql.queries import load
from heliograph_sql.streams import add_stream
from heliograph_sql.table_making import make_tables
from heliograph_sql.tier import Edition

TIMESCALE = os.environ.get("HELIOGRAPH_TEST_DATABASE")
CUT = "SELECT hypertable_schema || '.' || hypertable_name FROM timescaledb_information.hypertables"


@pytest.fixture
def timescale_url() -> Iterator[str]:
    """A fresh database on the server that HELIOGRAPH_TEST_DATABASE names."""
    if TIMESCALE is None:
        pytest.skip("HELIOGRAPH_TEST_DATABASE names no TimescaleDB server")
    name = f"heliograph_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(TIMESCALE, autocommit=True) as connection:
        # An image's template has the extension in it already; template0 never has.
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        yield _with(name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _with(name: str) -> str:
    assert TIMESCALE is not None
    head, _, query = TIMESCALE.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}{'?' if query else ''}{query}"


def test_a_server_without_timescale_is_left_as_it_is(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        enable_timescale(connection)
        found = connection.execute(load("hypertables.sql")["find_extension"]).fetchone()
    assert found == (False,)


def test_migrating_cuts_every_table_keyed_by_block_time_and_once_is_enough(timescale_url: str) -> None:
    first = migrate(timescale_url)
    assert first.tier.edition in (Edition.APACHE, Edition.COMMUNITY)
    with psycopg.connect(timescale_url) as connection:
        cut = {str(row[0]) for row in connection.execute(CUT)}
    assert cut == {
        "heliograph.transactions",
        "heliograph.undecoded",
        "perps.funding_payments",
        "perps.funding_rates",
        "perps.liquidations",
        "perps.oracle_prices",
        "perps.position_changes",
        "perps.trades",
        "perps.transfers",
    }
    assert migrate(timescale_url).applied == ()


def test_tables_that_were_plain_are_cut_later_and_keep_their_rows(timescale_url: str) -> None:
    migrate(timescale_url)
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE perps.late (LIKE perps.trades INCLUDING ALL)")
        connection.execute(
            "INSERT INTO perps.late SELECT 's', to_timestamp(86400 * n), n, 0, 0, 0, 'sig', 'P', 'M', n::text, "
            "NULL, 'long', NULL, 1, 1, 1, 0, 0, NULL, NULL, NULL, NULL, false FROM generate_series(1, 30) AS n"
        )
    migrate(timescale_url)
    with psycopg.connect(timescale_url) as connection:
        assert connection.execute("SELECT count(*), sum(slot) FROM perps.late").fetchone() == (30, 465)
        assert ("perps.late",) in connection.execute(CUT).fetchall()


async def test_tables_made_from_idls_are_cut_when_they_are_made_and_grow(timescale_url: str) -> None:
    migrate(timescale_url)
    layout = EventLayout(program="P", idl="sample", event="Said", fields=(("what", "text"),))
    kinds: tuple[Kind, ...] = ("account", "instruction")
    others = [
        *(msgspec.structs.replace(layout, kind=kind) for kind in kinds),
        EventLayout("", "", "", (), kind="history"),
        EventLayout("", "", "", (), kind="unknown"),
    ]
    async with await Database.open(timescale_url) as database:
        await add_stream(database, "s", protocol="godark", programs=["P"], first_slot=1)
        await make_tables(database, "s", [layout, *others])
        grown = EventLayout("P", "sample", "Said", (("what", "bigint"), ("more", "jsonb")), since=5)
        async with database.acquire() as connection:
            await connection.execute("INSERT INTO s.said VALUES (now(), 1, 0, 0, 'sig', 'P', NULL, 'x')")
        made = await make_tables(database, "s", [layout, grown, *others])
        assert len(made.changes) == 1
        async with database.acquire() as connection:
            cut = {row[0] for row in await connection.fetch(CUT)}
            rows = await connection.fetch("SELECT what, what_bigint, more FROM s.said")
    of_stream = {table for table in cut if table.startswith("s.")}
    assert of_stream == {"s.said", "s.instruction_said", "s.account_history", "s.instructions_unknown"}
    assert [tuple(row) for row in rows] == [("x", None, None)]
