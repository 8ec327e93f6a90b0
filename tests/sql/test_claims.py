"""Claims as others see them."""

from __future__ import annotations

from heliograph_core.intervals import SlotSet
from heliograph_sql.claims import read_claims
from heliograph_sql.database import Database
from heliograph_sql.queries import load
from heliograph_sql.streams import add_stream
from heliograph_sql.writer import Writer

PROGRAM = "PERPHjGBqRHArX4DySjwM6UJHiR3sWAatqfdBS2qQJu"


async def test_living_claims_of_others_are_listed_with_the_time_that_the_first_has_left(
    database: Database,
) -> None:
    for name in ("one", "two"):
        await add_stream(database, name, protocol="godark", programs=[PROGRAM], first_slot=1)
    await Writer(database, "one", "mine", 60).claim(1, 9)
    await Writer(database, "one", "theirs", 60).claim(10, 19)
    await Writer(database, "one", "theirs", 600).claim(30, 39)
    await Writer(database, "two", "theirs", 60).claim(50, 59)
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO heliograph.claims VALUES ('one', '[70,80)', 'dead', clock_timestamp() - interval '1 s')"
        )
    claims = await read_claims(database, "one", besides="mine")
    assert claims.slots == SlotSet([(10, 19), (30, 39)])
    assert claims.expires_in_s is not None and 50 < claims.expires_in_s <= 60
    assert (await read_claims(database, "two", besides="theirs")) == await read_claims(
        database, "none", besides=""
    )


async def test_a_claim_from_before_the_clock_was_set_back_has_ended(database: Database) -> None:
    await add_stream(database, "one", protocol="godark", programs=[PROGRAM], first_slot=1)
    await Writer(database, "one", "dead", 60).claim(1, 9)
    async with database.acquire() as connection:
        # What setting the server's clock back by an hour makes of the row.
        await connection.execute(
            "UPDATE heliograph.claims SET expires = expires + interval '1 hour', made = made + interval '1 hour'"
        )
    assert (await read_claims(database, "one", besides="mine")).slots == SlotSet()
    await Writer(database, "one", "mine", 60).claim(1, 9)
    assert (await read_claims(database, "one", besides="dead")).slots == SlotSet([(1, 9)])


async def test_only_the_commit_of_the_claim_itself_is_not_waited_for(database: Database) -> None:
    await add_stream(database, "one", protocol="godark", programs=[PROGRAM], first_slot=1)
    async with database.acquire() as connection:
        await connection.execute("SET synchronous_commit TO on")
        claim = load("commit.sql")["claim_range"]
        async with connection.transaction():
            await connection.fetch(claim, "one", 1, 9, "mine", 60.0)
            assert await connection.fetchval("SHOW synchronous_commit") == "off"
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        # As the writer does it, and as it prolongs.
        await connection.fetch(claim, "one", 1, 9, "mine", 60.0)
        async with connection.transaction():
            assert await connection.fetchval("SHOW synchronous_commit") == "on"
