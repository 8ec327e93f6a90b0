"""Positions that accounts hold: stored as they are seen, closed once, mended after a fork, equal in whatever order things come."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.sql.conftest import Make

from heliograph_core.account import AccountState
from heliograph_core.records import END_OF_SLOT, Holding
from heliograph_sql.database import Database
from heliograph_sql.lease import Lease
from heliograph_sql.writer import Writer

D = Decimal
POSITIONS = "SELECT position_key, opened_slot, status, size, complete FROM perps.positions ORDER BY 1, 2"


@pytest.fixture
async def epoch(database: Database, writer: Writer) -> int:
    epoch = await Lease(database, writer.stream, writer.holder, ttl_s=60).acquire()
    assert epoch is not None
    return epoch


class Account:
    """An account of the program that holds positions; each commit is one state of it."""

    def __init__(self, writer: Writer, epoch: int, address: str = "A") -> None:
        self._writer, self._epoch, self._address = writer, epoch, address

    async def show(
        self, slot: int, *, since: int | None = None, understood: bool = True, **sizes: object
    ) -> None:
        """sizes: by position key, a size or a mapping of the holding's fields; none: the account is closed."""
        data = f"{slot} {sizes}".encode() if sizes else b""
        state = AccountState(self._address, "P", slot, len(data), data, "User" if sizes else None, {})
        holdings = [self._holding(slot, key, value) for key, value in sizes.items() if value is not None]
        await self._writer.commit_accounts(
            [state],
            holdings,
            through=None,
            epoch=self._epoch,
            understood=[self._address] if understood else [],
            since=since,
        )

    def _holding(self, slot: int, key: str, value: Any) -> Holding:
        fields = value if isinstance(value, dict) else {"size": D(value)}
        values: dict[str, Any] = {
            "stream": "s",
            "position_key": key,
            "account": self._address,
            "account_slot": slot,
            "program": "P",
            "market": "Market",
            "wallet": "Wallet",
            "side": "long",
        }
        return Holding(**{**values, **fields})


@pytest.fixture
def account(writer: Writer, epoch: int) -> Account:
    return Account(writer, epoch)


async def test_what_only_an_account_shows_is_an_incomplete_position(account: Account, fetch: Any) -> None:
    await account.show(5, K=3, L={"size": D(1), "side": "short", "opened_at": 1_699_999_000})
    assert await fetch(POSITIONS) == [("K", 5, "open", D(3), False), ("L", 5, "open", D(1), False)]
    rows = await fetch(
        "SELECT opened_tx_index, max_size, realized_pnl, changes, extract(epoch FROM opened_at)::bigint "
        "FROM perps.positions WHERE position_key = 'L'"
    )
    assert rows == [(END_OF_SLOT, None, 0, 0, 1_699_999_000)]


async def test_a_position_that_its_account_names_no_longer_is_closed_once(
    account: Account, fetch: Any
) -> None:
    await account.show(5, K=3, L=1)
    await account.show(7, K=3)
    await account.show(8, K=3)
    closed = "SELECT status, size, closed_slot FROM perps.positions WHERE position_key = 'L'"
    assert await fetch(closed) == [("closed", 0, 7)]
    await account.show(9)
    assert await fetch("SELECT position_key, closed_slot FROM perps.positions ORDER BY 1") == [
        ("K", 9),
        ("L", 7),
    ]
    await account.show(12, L=4)
    assert await fetch(POSITIONS) == [
        ("K", 5, "closed", D(0), False),
        ("L", 5, "closed", D(0), False),
        ("L", 12, "open", D(4), False),
    ]


async def test_an_account_that_nobody_understands_closes_nothing(account: Account, fetch: Any) -> None:
    await account.show(5, K=3)
    await account.show(7, understood=False, X=None)
    assert await fetch(POSITIONS) == [("K", 5, "open", D(3), False)]


async def test_an_older_state_and_one_that_says_nothing_new_change_nothing(
    account: Account, fetch: Any
) -> None:
    await account.show(5, K=3)
    await account.show(9, K=3)
    await account.show(7, K=8)
    await account.show(8)
    rows = await fetch("SELECT size, status, updated_slot FROM perps.positions")
    assert rows == [(3, "open", 5)]


async def test_the_account_corrects_what_changes_came_to(
    account: Account, writer: Writer, epoch: int, make: Make, fetch: Any
) -> None:
    quiet: dict[str, Any] = {"size_after": None, "entry_price_after": None, "collateral_after": None}
    await writer.commit(make.batch(3, records=[make.change(3, size=5, key="K", **quiet)]), epoch=epoch)
    await account.show(4, K={"size": D(4), "entry_price": D(11), "realized_pnl": D("0.25")})
    last = make.change(6, "decrease", -1, key="K", realized_pnl=D(1), **quiet)
    await writer.commit(make.batch(4, 6, records=[last]), epoch=epoch)
    rows = await fetch(
        "SELECT opened_slot, complete, size, max_size, entry_price, realized_pnl, settled FROM perps.positions"
    )
    assert rows == [(3, True, 3, 5, 11, D("1.25"), True)]
    assert await writer.refold(epoch=epoch) is None


async def test_a_change_behind_what_the_account_showed_is_folded_in_its_place(
    account: Account, writer: Writer, epoch: int, make: Make, fetch: Any
) -> None:
    await account.show(6, K=5)
    await writer.commit(make.batch(3, 6, records=[make.change(3, size=5, key="K")]), epoch=epoch)
    assert await fetch("SELECT settled FROM perps.positions") == [(False,)]
    assert await writer.refold(epoch=epoch) is not None
    assert await fetch(POSITIONS) == [("K", 3, "open", D(5), True)]


async def test_what_was_seen_in_blocks_that_are_gone_is_taken_back(
    account: Account, writer: Writer, epoch: int, fetch: Any
) -> None:
    await account.show(5, K=3)
    await account.show(7, K=9, F=1)
    await account.show(9, F=1)
    await account.show(10, since=6, K=2)
    while await writer.refold(epoch=epoch) is not None:
        pass
    assert await fetch(POSITIONS) == [("K", 5, "open", D(2), False)]
    assert await fetch("SELECT closed_slot FROM perps.positions") == [(None,)]


async def test_whoever_lost_the_lease_shows_nothing(writer: Writer, epoch: int, fetch: Any) -> None:
    with pytest.raises(Exception, match="is over"):
        await Account(writer, epoch - 1).show(5, K=3)
    assert await fetch("SELECT count(*) FROM heliograph.sightings") == [(0,)]


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_of_history_gives_what_folding_in_order_gives(
    database: Database, writer: Writer, epoch: int, make: Make, fetch: Callable[..., Any], seed: int
) -> None:
    """Accounts as they are seen; the changes of the same slots at once, late, or backwards."""
    print("seed", seed)
    dice = random.Random(seed)
    accounts = {name: Account(writer, epoch, name) for name in "AB"}
    sizes: dict[str, int] = {}
    batches, openings = [], dict[str, list[int]]()
    shown: list[tuple[int, str, dict[str, Any]]] = []
    for slot in range(1, 60):
        key = dice.choice(["A0", "A1", "B0"])
        size = sizes.get(key, 0)
        after = dice.choice([size + 2, size + 1, max(size - 1, 0), 0])
        kind = "open" if not size else "close" if not after else "increase" if after > size else "decrease"
        records = []
        if after != size:
            quiet: dict[str, Any] = {"size_after": None, "entry_price_after": None, "collateral_after": None}
            records = [make.change(slot, kind, key=key, **{**quiet, "size_delta": D(after - size)})]
            sizes[key] = after
            if kind == "open":
                openings.setdefault(key, []).append(slot)
        batches.append(make.batch(slot, records=records))
        if dice.random() < 0.6:
            held: dict[str, Any] = {each: left for each, left in sizes.items() if left and each[0] == key[0]}
            shown.append((slot, key[0], held))
    late = {batch.first for batch in batches if dice.random() < 0.5}
    for batch in batches:
        if batch.first not in late:
            await writer.commit(batch, epoch=epoch)
        for slot, name, held in shown:
            if slot == batch.first:
                await accounts[name].show(slot, **(held or {"none": None}))
        if dice.random() < 0.2:
            await writer.refold(epoch=epoch)
    behind = [batch for batch in batches if batch.first in late]
    dice.shuffle(behind)
    for batch in behind:
        await Writer(database, "s", "late").commit(batch, epoch=None)
        if dice.random() < 0.3:
            await writer.refold(epoch=epoch)
    while await writer.refold(epoch=epoch) is not None:
        pass
    whole = (
        "SELECT position_key, opened_slot, size, status, complete, changes FROM perps.positions ORDER BY 1, 2"
    )
    got = await fetch(whole)
    assert all(row[4] for row in got)
    open_now = {row[0]: int(row[2]) for row in got if row[3] == "open"}
    assert open_now == {key: size for key, size in sizes.items() if size}
    assert {key: [row[1] for row in got if row[0] == key] for key in openings} == openings
    # And what is folded in place is what everything folded anew gives.
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO heliograph.dirty (stream, position_key) SELECT DISTINCT stream, position_key FROM perps.positions"
        )
    before = await fetch("SELECT * FROM perps.positions ORDER BY position_key, opened_slot, opened_tx_index")
    while await writer.refold(epoch=epoch) is not None:
        pass
    assert before == await fetch(
        "SELECT * FROM perps.positions ORDER BY position_key, opened_slot, opened_tx_index"
    )
