"""Migrations: in order, once, however many processes start at once, or one clear error."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from tests.peers.server import ON_EMBEDDED, ON_TIMESCALE

from heliograph_core.errors import DatabaseError, DatabaseUnavailable, SettingsError
from heliograph_sql import tier
from heliograph_sql.migrate import Migrated, Migration, describe, detect_tier, list_migrations, migrate
from heliograph_sql.tier import Edition, Tier

NAMES = tuple(migration.name for migration in list_migrations())


def test_files_are_numbered_and_no_number_stands_twice() -> None:
    numbers = [int(name.split("_")[0]) for name in NAMES]
    assert numbers == sorted(set(numbers))


def test_a_fresh_database_gets_all_and_a_second_call_does_nothing(empty_database_url: str) -> None:
    first = migrate(empty_database_url)
    assert first.applied == NAMES
    assert first.tier == detect_tier(empty_database_url)
    assert migrate(empty_database_url).applied == ()


def test_threads_that_migrate_at_once_apply_each_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(migrate, [empty_database_url] * 4))
    assert sorted(result.applied for result in results) == [(), (), (), NAMES]


def test_two_processes_that_migrate_at_once_apply_each_once(empty_database_url: str) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results: list[Migrated] = pool.map(migrate, [empty_database_url] * 2)
    assert sorted(result.applied for result in results) == [(), NAMES]


def test_a_database_of_the_previous_migration_upgrades_with_rows_in_it(empty_database_url: str) -> None:
    every = list_migrations()
    migrate(empty_database_url, every[:-1])
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO heliograph.streams (name, protocol, programs, first_slot) VALUES ('s', 'godark', '{P}', 5)"
        )
        connection.execute("INSERT INTO heliograph.coverage (stream, slots) VALUES ('s', '{[5,10)}')")
        connection.execute(
            "INSERT INTO perps.transfers SELECT 's', to_timestamp(n), n, 0, 0, 0, 'sig', 'P', 'W', 'USDC', 'deposit', "
            "1.5, 1, 1 FROM generate_series(5, 9) AS n"
        )
    assert migrate(empty_database_url).applied == (every[-1].name,)
    with psycopg.connect(empty_database_url) as connection:
        held = connection.execute(
            "SELECT count(*), sum(slot)::int, sum(amount) FROM perps.transfers"
        ).fetchone()
        assert held == (5, 35, Decimal("7.5"))
        assert connection.execute("SELECT name, first_slot FROM heliograph.streams").fetchall() == [("s", 5)]


def test_a_failing_migration_leaves_what_came_before_and_nothing_of_itself(empty_database_url: str) -> None:
    good = Migration("0001_good", "CREATE TABLE good ()")
    bad = Migration("0002_bad", "CREATE TABLE half (); SELECT 1 / 0")
    with pytest.raises(DatabaseError, match="0002_bad: division by zero"):
        migrate(empty_database_url, [good, bad])
    with psycopg.connect(empty_database_url) as connection:
        found = connection.execute(
            "SELECT to_regclass('good') IS NOT NULL, to_regclass('half') IS NULL"
        ).fetchone()
    assert found == (True, True)
    assert migrate(empty_database_url, [good, Migration("0002_bad", "SELECT 1")]).applied == ("0002_bad",)


def test_a_database_of_a_newer_version_is_left_alone(empty_database_url: str) -> None:
    migrate(empty_database_url, [Migration("0001_a", "SELECT 1"), Migration("0002_b", "SELECT 1")])
    with pytest.raises(DatabaseError, match="migration 0002_b, which this heliograph does not know"):
        migrate(empty_database_url, [Migration("0001_a", "SELECT 1")])


def test_a_changed_migration_is_named(empty_database_url: str) -> None:
    migrate(empty_database_url, [Migration("0001_a", "SELECT 1")])
    with pytest.raises(DatabaseError, match="another text of migration 0001_a"):
        migrate(empty_database_url, [Migration("0001_a", "SELECT 2")])


def test_missing_rights_are_one_clear_line(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE weak LOGIN")
    try:
        with pytest.raises(
            DatabaseError, match=r"permission denied.*GRANT CREATE ON DATABASE heliograph_test_"
        ) as caught:
            migrate(empty_database_url.replace("postgres@", "weak@", 1))
        assert not caught.value.retry and "\n" not in str(caught.value)
        with psycopg.connect(empty_database_url) as connection:
            assert connection.execute("SELECT to_regnamespace('heliograph')").fetchone() == (None,)
    finally:
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            connection.execute("DROP ROLE weak")


def test_an_unreachable_server_is_one_clear_line() -> None:
    with pytest.raises(DatabaseUnavailable, match=r"^database 127\.0\.0\.1:1/x: ") as caught:
        migrate("postgresql://user:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "/some/path", "http://x", "postgresql://h:99999999/x"])
def test_what_is_no_url_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError, match="postgresql://user@host:5432/name"):
        migrate(url)


def test_messages_show_the_place_and_not_the_password() -> None:
    assert describe("postgresql://me:secret@db.example:6432/perps?sslmode=require") == "db.example:6432/perps"
    assert describe("postgres:///perps") == "(local)/perps"


@ON_EMBEDDED
def test_the_tier_of_a_plain_server_names_its_version(database_url: str) -> None:
    found = detect_tier(database_url)
    assert found.edition is Edition.PLAIN
    assert found.label == f"PostgreSQL {found.postgres}"


@ON_TIMESCALE
def test_the_tier_of_a_timescale_server_names_both_versions(database_url: str) -> None:
    found = detect_tier(database_url)
    assert found.edition in (Edition.APACHE, Edition.COMMUNITY)
    assert found.label == f"{found.edition} {found.timescale} on PostgreSQL {found.postgres}"


class Server:
    """Stands for a connection to a server that says these versions."""

    def __init__(self, *row: object) -> None:
        self.row = row

    def execute(self, _statement: str) -> Any:
        return self

    def fetchone(self) -> tuple[object, ...]:
        return self.row


@pytest.mark.parametrize(
    ("row", "label"),
    [
        (("170005", "17.5", "2.20.1", "timescale"), "TimescaleDB Community 2.20.1 on PostgreSQL 17.5"),
        (("150013", "15.13", "2.18.0-dev", "apache"), "TimescaleDB Apache 2.18.0-dev on PostgreSQL 15.13"),
        (("150000", "15.0", None, "apache"), "PostgreSQL 15.0"),
    ],
)
def test_the_tier_is_told_by_extension_and_license(row: tuple[object, ...], label: str) -> None:
    found = tier.read_tier(Server(*row))  # type: ignore[arg-type]
    assert isinstance(found, Tier)
    assert found.label == label


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("140018", "14.18", None, None), "PostgreSQL 14.18: heliograph needs 15"),
        (("170005", "17.5", "2.17.2", "timescale"), "TimescaleDB 2.17.2: heliograph needs 2.18"),
    ],
)
def test_a_server_below_the_floor_is_refused(row: tuple[object, ...], said: str) -> None:
    with pytest.raises(DatabaseError, match=said):
        tier.read_tier(Server(*row))  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["2.17.2", "1.7.5", "2.9.0-rc1"])
def test_a_server_that_offers_a_timescale_below_the_floor_is_refused(version: str) -> None:
    with pytest.raises(
        DatabaseError, match=rf"offers TimescaleDB {version}: heliograph needs 2\.18 or newer, upgrade"
    ):
        tier.check_timescale(version)
    tier.check_timescale("2.18.0")
