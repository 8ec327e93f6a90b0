"""What a filler holds in memory, and an IDL that arrives between two pieces. (How it shares a range: test_healer.py.)"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from heliograph_indexer.filling import Filler, Hand, hand_of
from heliograph_indexer.new_idl import add_new_idl
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.settings import HealSettings, IndexerSettings
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream, read_coverage

GODARK = PROTOCOLS["godark"]


async def test_a_piece_after_a_new_idl_is_decoded_with_it(
    database: Database, grown: Callable[..., bytes]
) -> None:
    async with Localnet(LocalnetSettings(seed=5, rate=40, traders=20)) as net:
        await net.step(60)
        first = net.settings.first_slot
        stream = await add_stream(
            database, "godark", protocol="godark", programs=list(net.programs), first_slot=first
        )
        settings = IndexerSettings(rpc_url=net.rpc_url, ws_url=net.ws_url)
        async with RpcClient(settings.rpc_url, settings.rpc) as client:
            cluster = Cluster(client, settings.commitment)
            filler = Filler(database, stream, GODARK, settings, cluster, holder="filler", origin="backfill")
            await filler.advance(first, first + 19)
            await add_new_idl(
                database,
                "godark",
                GODARK,
                program=GODARK.programs["godark_positions"],
                first_slot=first,
                document=grown(),
                holder="operator",
            )
            while (await filler.advance(first, first + 39)).left:
                pass
    assert (await read_coverage(database, "godark")).ranges == ((first, first + 39),)
    # The localnet was not upgraded: what the new IDL does not fit is read by the one before, and that is told.
    async with database.acquire() as connection:
        told = await connection.fetch("SELECT slot FROM heliograph.incidents WHERE kind = 'idl_choice'")
        prices = await connection.fetch("SELECT DISTINCT slot >= $1 FROM perps.oracle_prices", first + 20)
    assert told and all(each["slot"] >= first + 20 for each in told)
    assert sorted(row[0] for row in prices) == [False, True]


@pytest.mark.parametrize(
    ("transactions", "hand"),
    [(1, Hand(1, 1)), (2, Hand(2, 1)), (100, Hand(2, 50)), (101, Hand(2, 50)), (3_000, Hand(6, 500))],
)
def test_what_is_in_hand_is_never_more_than_was_said(transactions: int, hand: Hand) -> None:
    """One half is committed while the other is fetched; spans are no longer than live ones."""
    settings = IndexerSettings(
        rpc_url="http://127.0.0.1:1", heal=HealSettings(hand_transactions=transactions)
    )
    assert hand_of(settings) == hand
    assert hand.spans * hand.span_transactions <= transactions
