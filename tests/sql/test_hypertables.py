"""Tables keyed by block_time become hypertables where the server has TimescaleDB, and stay plain where it has not."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator

import msgspec
import psycopg
import pytest
from psycopg import sql
from tests.peers.server import ON_EMBEDDED, ON_TIMESCALE

from heliograph_core.errors import DatabaseError
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventLayout, Kind
from heliograph_sql.hypertables import enable_timescale
from heliograph_sql.migrate import Migrated, migrate
from heliograph_sql.queries import load
from heliograph_sql.settings import StorageSettings
from heliograph_sql.streams import add_stream
from heliograph_sql.table_making import make_tables
from heliograph_sql.tier import Edition, detect_tier

CUT = "SELECT hypertable_schema || '.' || hypertable_name FROM timescaledb_information.hypertables"
CANONICAL = {
    "heliograph.transactions",
    "heliograph.undecoded",
    "perps.funding_payments",
    "perps.funding_rates",
    "perps.liquidations",
    "perps.flows",
    "perps.oracle_prices",
    "perps.position_changes",
    "perps.trades",
    "perps.transfers",
}
TRADES = """
    INSERT INTO perps.trades
    SELECT 's', to_timestamp(86400 * (n % 30 + 1)), n, 0, 0, 0, 'sig', 'P', 'M', n::text, NULL, 'long', NULL,
        1, 1, 1, 0, 0, NULL, NULL, NULL, NULL, false
    FROM generate_series(1, 300) AS n
"""
HELD = (300, 45_150)
PATIENCE_S = 60.0


@pytest.fixture
def plain_url(empty_database_url: str) -> str:
    """A database with rows in plain tables on a server that preloads TimescaleDB, which this database may use now."""
    name = psycopg.conninfo.conninfo_to_dict(empty_database_url)["dbname"]
    database = sql.Identifier(str(name))
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} SET timescaledb.disable_load = on").format(database))
        assert migrate(empty_database_url).tier.edition is Edition.PLAIN
        connection.execute(TRADES)
        connection.execute(sql.SQL("ALTER DATABASE {} RESET timescaledb.disable_load").format(database))
    return empty_database_url


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
        assert cut(connection) == CANONICAL
    assert migrate(empty_database_url).applied == ()


@ON_TIMESCALE
def test_tables_that_were_plain_are_cut_when_timescale_appears_and_keep_their_rows(plain_url: str) -> None:
    found = migrate(plain_url)
    assert found.tier.edition in (Edition.APACHE, Edition.COMMUNITY)
    with psycopg.connect(plain_url) as connection:
        assert cut(connection) == CANONICAL
        assert held(connection) == HELD
        assert chunks(connection) == 5


@ON_TIMESCALE
def test_two_processes_that_cut_tables_at_once_do_it_once(plain_url: str) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results: list[Migrated] = pool.map(migrate, [plain_url] * 2)
    assert len({result.tier for result in results}) == 1
    with psycopg.connect(plain_url) as connection:
        assert cut(connection) == CANONICAL
        assert held(connection) == HELD


@ON_TIMESCALE
def test_cutting_that_was_killed_half_way_goes_on_where_it_ended(plain_url: str) -> None:
    with psycopg.connect(plain_url) as reader, psycopg.connect(plain_url, autocommit=True) as watcher:
        # Who reads a table keeps it from being cut: those before it in name order are done, those after are not.
        reader.execute("SELECT FROM perps.trades LIMIT 1")
        process = multiprocessing.get_context("spawn").Process(target=migrate, args=[plain_url])
        process.start()
        try:
            backend = waiting(watcher, "create_hypertable('perps.trades'%")
        finally:
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL
        # The server finishes the statement of a client that is gone; one that was killed with it would not.
        watcher.execute("SELECT pg_terminate_backend(%s, 10000)", [backend])
        done = cut(watcher)
    assert done == {name for name in CANONICAL if name < "perps.trades"}
    migrate(plain_url)
    with psycopg.connect(plain_url) as connection:
        assert cut(connection) == CANONICAL
        assert held(connection) == HELD


@ON_TIMESCALE
def test_what_somebody_built_on_the_stand_ins_is_named_and_nothing_is_changed(plain_url: str) -> None:
    with psycopg.connect(plain_url, autocommit=True) as connection:
        connection.execute("SET timescaledb.disable_load = on")
        connection.execute(
            "CREATE VIEW perps.mine AS SELECT heliograph_compat.time_bucket('1 day', block_time) FROM perps.trades"
        )
    with pytest.raises(
        DatabaseError, match=r"view perps\.mine depends on function heliograph_compat"
    ) as caught:
        migrate(plain_url)
    assert "\n" not in str(caught.value)
    assert detect_tier(plain_url).edition is Edition.PLAIN
    with psycopg.connect(plain_url, autocommit=True) as connection:
        assert held(connection) == HELD
        connection.execute("DROP VIEW perps.mine")
    assert migrate(plain_url).tier.edition is not Edition.PLAIN


@ON_TIMESCALE
def test_a_role_that_may_not_create_the_extension_gets_plain_tables(plain_url: str) -> None:
    role = sql.Identifier(f"weak_{time.monotonic_ns()}")
    with psycopg.connect(plain_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        for schema in ("heliograph", "perps"):
            names = role, sql.Identifier(schema)
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {1} TO {0}").format(*names))
            connection.execute(sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA {1} TO {0}").format(*names))
        try:
            weak = psycopg.conninfo.make_conninfo(plain_url, user=role.as_string().strip('"'))
            with psycopg.connect(weak, autocommit=True) as weakly:
                enable_timescale(weakly)
                assert held(weakly) == HELD
            assert detect_tier(plain_url).edition is Edition.PLAIN
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


@ON_TIMESCALE
async def test_tables_made_from_idls_are_cut_when_they_are_made_and_grow(empty_database_url: str) -> None:
    migrate(empty_database_url, storage=StorageSettings(chunk_interval_hours=6))
    layout = EventLayout(program="P", idl="sample", event="Said", fields=(("what", "text"),))
    kinds: tuple[Kind, ...] = ("account", "instruction")
    others = [
        *(msgspec.structs.replace(layout, kind=kind) for kind in kinds),
        EventLayout("", "", "", (), kind="history"),
        EventLayout("", "", "", (), kind="unknown"),
    ]
    async with await Database.open(empty_database_url) as database:
        await add_stream(database, "s", protocol="godark", programs=["P"], first_slot=1)
        await make_tables(database, "s", [layout, *others])
        grown = EventLayout("P", "sample", "Said", (("what", "bigint"), ("more", "jsonb")), since=5)
        async with database.acquire() as connection:
            await connection.execute("INSERT INTO s.said VALUES (now(), 1, 0, 0, 'sig', 'P', NULL, 'x')")
        made = await make_tables(database, "s", [layout, grown, *others])
        assert len(made.changes) == 1
        async with database.acquire() as connection:
            found = {row[0] for row in await connection.fetch(CUT)}
            rows = await connection.fetch("SELECT what, what_bigint, more FROM s.said")
    of_stream = {table for table in found if table.startswith("s.")}
    assert of_stream == {"s.said", "s.instruction_said", "s.account_history", "s.instructions_unknown"}
    assert [tuple(row) for row in rows] == [("x", None, None)]
    with psycopg.connect(empty_database_url) as connection:
        assert intervals(connection) == {"6:00:00"}


@ON_TIMESCALE
def test_the_chunk_interval_follows_the_settings_and_stays_without_them(empty_database_url: str) -> None:
    told = []
    for storage in (None, StorageSettings(chunk_interval_hours=3), None, StorageSettings()):
        migrate(empty_database_url, storage=storage)
        with psycopg.connect(empty_database_url) as connection:
            told.append(intervals(connection))
    assert told == [{"7 days, 0:00:00"}, {"3:00:00"}, {"3:00:00"}, {"7 days, 0:00:00"}]


@pytest.mark.parametrize("hours", [168, 6])
def test_what_the_tier_lacks_is_told_in_one_warning(database_url: str, hours: int) -> None:
    storage = StorageSettings(chunk_interval_hours=hours, columnstore_after_days=7)
    found = migrate(database_url, storage=storage)
    lacking = storage.lacking(found.tier.edition)
    if found.tier.edition is Edition.COMMUNITY:
        assert found.warnings == ()
    else:
        assert len(found.warnings) == 1 and lacking in found.warnings[0]
        assert "columnstore_after_days = 7" in lacking
        assert ("chunk_interval_hours" in lacking) == (found.tier.edition is Edition.PLAIN and hours == 6)
    assert migrate(database_url, storage=StorageSettings()).warnings == ()


@pytest.fixture
def community_url(database_url: str) -> Iterator[str]:
    if detect_tier(database_url).edition is not Edition.COMMUNITY:
        pytest.skip("HELIOGRAPH_TEST_DATABASE names no TimescaleDB Community")
    yield database_url


@ON_TIMESCALE
def test_the_columnstore_is_segmented_by_market_and_takes_late_rows(community_url: str) -> None:
    migrate(community_url, storage=StorageSettings(columnstore_after_days=7))
    with psycopg.connect(community_url, autocommit=True) as connection:
        assert policies(connection) == dict.fromkeys(sorted(CANONICAL), "7 days, 0:00:00")
        settings = connection.execute(
            "SELECT segmentby, orderby FROM timescaledb_information.hypertable_columnstore_settings "
            "WHERE hypertable = 'perps.trades'::regclass"
        ).fetchone()
        assert settings == ("market", "slot,tx_index,ordinal,part,block_time")
        connection.execute(TRADES)
        connection.execute("SELECT compress_chunk(c) FROM show_chunks('perps.trades') AS c")
        connection.execute(TRADES.replace("generate_series(1, 300)", "generate_series(301, 400)"))
        assert held(connection) == (400, 80_200)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(TRADES.replace("generate_series(1, 300)", "generate_series(5, 5)"))
        connection.execute("DELETE FROM perps.trades WHERE slot = 7")
        assert held(connection) == (399, 80_193)


@ON_TIMESCALE
def test_columnstore_policies_follow_the_settings(community_url: str) -> None:
    told = []
    for days in (7, 30, None):
        migrate(community_url, storage=StorageSettings(columnstore_after_days=days))
        with psycopg.connect(community_url) as connection:
            told.append(set(policies(connection).values()))
    assert told == [{"7 days, 0:00:00"}, {"30 days, 0:00:00"}, set()]


def cut(connection: psycopg.Connection[tuple[object, ...]]) -> set[str]:
    return {str(row[0]) for row in connection.execute(CUT)}


def held(connection: psycopg.Connection[tuple[object, ...]]) -> tuple[object, ...] | None:
    return connection.execute("SELECT count(*), sum(slot)::bigint FROM perps.trades").fetchone()


def chunks(connection: psycopg.Connection[tuple[object, ...]]) -> object:
    row = connection.execute("SELECT count(*) FROM show_chunks('perps.trades')").fetchone()
    return row and row[0]


def intervals(connection: psycopg.Connection[tuple[object, ...]]) -> set[str]:
    rows = connection.execute("SELECT time_interval FROM timescaledb_information.dimensions")
    return {str(row[0]) for row in rows}


def policies(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, str]:
    rows = connection.execute(
        "SELECT hypertable_schema || '.' || hypertable_name, (config->>'compress_after')::interval "
        "FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression' ORDER BY 1"
    )
    return {str(name): str(after) for name, after in rows}


def waiting(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> object:
    """Process id of the backend that waits for a lock in such a statement."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
            "AND query LIKE %s",
            [f"SELECT {statement}"],
        ).fetchone()
        if row is not None:
            return row[0]
        time.sleep(0.02)
    raise AssertionError("nobody waits")
