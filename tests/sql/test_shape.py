"""A database that somebody altered is refused with the name of what is wrong, and nothing is changed."""

from __future__ import annotations

import psycopg
import pytest

from heliograph_core.errors import DatabaseError
from heliograph_sql.migrate import migrate


@pytest.mark.parametrize(
    ("alteration", "said"),
    [
        (
            "ALTER TABLE perps.trades DROP COLUMN maker_fee",
            r"column perps\.trades\.maker_fee is missing, it has to be numeric not null",
        ),
        (
            "ALTER TABLE perps.transfers ALTER COLUMN amount TYPE double precision",
            r"column perps\.transfers\.amount is double precision not null, it has to be numeric not null",
        ),
        (
            "ALTER TABLE perps.trades ALTER COLUMN market DROP NOT NULL",
            r"column perps\.trades\.market is text, it has to be text not null",
        ),
        (
            "DROP INDEX perps.trades_by_taker",
            r"index perps\.trades_by_taker is missing, it has to be btree \(taker, block_time, slot, .*\) on trades",
        ),
        (
            "ALTER TABLE perps.trades DROP CONSTRAINT trades_pkey",
            r"index perps\.trades_pkey is missing, it has to be unique btree \(block_time, .*\) on trades",
        ),
        (
            "DROP TABLE heliograph.dirty",
            r"column heliograph\.dirty\.position_key is missing.*put that back, or index into a new database",
        ),
    ],
)
def test_what_was_altered_is_named(database_url: str, alteration: str, said: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(alteration.encode())
    with pytest.raises(DatabaseError, match=said) as caught:
        migrate(database_url)
    assert not caught.value.retry and "\n" not in str(caught.value)


def test_of_much_that_is_wrong_a_few_are_named_and_the_others_counted(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP TABLE perps.liquidations")
        connection.execute("DROP TABLE perps.transfers")
    with pytest.raises(DatabaseError, match=r"\(and \d+ more\)") as caught:
        migrate(database_url)
    assert str(caught.value).count("is missing") == 3


def test_what_somebody_added_is_theirs(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE perps.trades ADD COLUMN note text")
        connection.execute("CREATE INDEX mine ON perps.trades (price, block_time)")
        connection.execute("CREATE TABLE perps.theirs ()")
    migrate(database_url)


def test_what_was_put_back_is_accepted_again(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP INDEX perps.markets_by_symbol")
        with pytest.raises(DatabaseError, match="markets_by_symbol"):
            migrate(database_url)
        connection.execute("CREATE INDEX markets_by_symbol ON perps.markets (symbol, stream, market)")
    migrate(database_url)
