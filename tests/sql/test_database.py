"""The pool: bounded, and every driver error leaves as one of ours."""

from __future__ import annotations

import pytest

from heliograph_core.errors import DatabaseError, DatabaseUnavailable, SettingsError
from heliograph_sql.database import Database
from heliograph_sql.settings import DatabaseSettings


async def test_a_connection_answers_in_utc(database: Database) -> None:
    async with database.acquire() as connection:
        assert await connection.fetchval("SHOW timezone") == "UTC"


async def test_waiting_too_long_for_a_connection_says_which_setting_to_raise(database_url: str) -> None:
    settings = DatabaseSettings(pool_max=1, acquire_timeout_s=0.05)
    async with await Database.open(database_url, settings) as database, database.acquire():
        with pytest.raises(DatabaseUnavailable, match=r"raise pool_max \(1\)"):
            async with database.acquire():
                pass


async def test_a_refused_statement_is_a_database_error_not_to_be_retried(database: Database) -> None:
    with pytest.raises(DatabaseError, match='relation "nowhere" does not exist') as caught:
        async with database.acquire() as connection:
            await connection.execute("SELECT * FROM nowhere")
    assert not caught.value.retry


async def test_a_killed_connection_is_unavailable_and_the_pool_recovers(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.acquire() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_an_unreachable_server_is_one_clear_line() -> None:
    with pytest.raises(DatabaseUnavailable, match=r"^database 127\.0\.0\.1:1/nowhere: ") as caught:
        await Database.open("postgresql://someone:secret@127.0.0.1:1/nowhere")
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


async def test_an_absent_database_is_an_error_that_names_it(database_url: str) -> None:
    url = database_url.replace("/heliograph_test_", "/absent_", 1)
    with pytest.raises(DatabaseError, match="absent_"):
        await Database.open(url)


@pytest.mark.parametrize("url", ["", "mysql://x/y", "nonsense", "postgresql://host:port/name"])
async def test_a_url_of_another_kind_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError, match="postgresql://user@host:5432/name"):
        await Database.open(url)


async def test_a_statement_that_took_too_long_may_be_tried_again(database_url: str) -> None:
    """It may have waited for a lock, or for a server that was stopped: an indexer must not end for that."""
    settings = DatabaseSettings(statement_timeout_s=0.05)
    async with await Database.open(database_url, settings) as database:
        with pytest.raises(DatabaseUnavailable, match="statement timeout"):
            async with database.acquire() as connection:
                await connection.execute("SELECT pg_sleep(60)")
