"""Tables keyed by block_time become hypertables where the server has TimescaleDB, and stay plain where it has not."""

import psycopg
from tests.peers.server import ON_EMBEDDED, ON_TIMESCALE

from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventLayout, ensure_event_tables, event_tables
from heliograph_sql.hypertables import enable_timescale
from heliograph_sql.migrate import migrate
from heliograph_sql.queries import load
from heliograph_sql.streams import add_stream
from heliograph_sql.tier import Edition

CUT = "SELECT hypertable_schema || '.' || hypertable_name FROM timescaledb_information.hypertables"


@ON_EMBEDDED
def test_a_server_without_timescale_is_left_as_it_is(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        enable_timescale(connection)
        found = connection.execute(load("hypertables.sql")["find_extension"]).fetchone()
    assert found == (False,)


@ON_TIMESCALE
def test_migrating_cuts_every_table_keyed_by_block_time_and_once_is_enough(empty_database_url: str) -> None:
    first = migrate(empty_database_url)
    assert first.tier.edition in (Edition.APACHE, Edition.COMMUNITY)
    with psycopg.connect(empty_database_url) as connection:
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
    assert migrate(empty_database_url).applied == ()


@ON_TIMESCALE
def test_tables_that_were_plain_are_cut_later_and_keep_their_rows(empty_database_url: str) -> None:
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE perps.late (LIKE perps.trades INCLUDING ALL)")
        connection.execute(
            "INSERT INTO perps.late SELECT 's', to_timestamp(86400 * n), n, 0, 0, 0, 'sig', 'P', 'M', n::text, "
            "NULL, 'long', NULL, 1, 1, 1, 0, 0, NULL, NULL, NULL, NULL, false FROM generate_series(1, 30) AS n"
        )
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*), sum(slot) FROM perps.late").fetchone() == (30, 465)
        assert ("perps.late",) in connection.execute(CUT).fetchall()


@ON_TIMESCALE
async def test_tables_of_events_are_cut_when_they_are_made(empty_database_url: str) -> None:
    migrate(empty_database_url)
    tables = event_tables(
        "s", [EventLayout(program="P", idl="sample", event="Said", fields=(("what", "text"),))]
    )
    async with await Database.open(empty_database_url) as database:
        await add_stream(database, "s", protocol="godark", programs=["P"], first_slot=1)
        await ensure_event_tables(database, "s", tables.values())
        await ensure_event_tables(database, "s", tables.values())
        async with database.acquire() as connection:
            assert "s.said" in [row[0] for row in await connection.fetch(CUT)]
