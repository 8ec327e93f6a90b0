"""Clients of every protocol that are killed and resume from their cursor, at either of two replicas of the API that are killed
themselves: each receives every row once, corrections included, and misses nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import httpx2
from tests.endtoend.comparison import as_stored, differences
from tests.endtoend.indexing import PATIENCE_S
from tests.endtoend.nodes import ROOTS
from tests.faults.api_replicas import ApiReplica, api_replicas
from tests.faults.killed_clients import (
    EventSourceClient,
    GraphQLSocketClient,
    KilledClient,
    PlainSocketClient,
)
from tests.faults.run import FaultRun, fault_run
from tests.faults.sizes import sizes

from heliograph_sql.database import Database
from heliograph_sql.streams import get_stream

SIZES = sizes()
KILLS_A_ROUND = 4
"""Kills of any client from one fork to the next."""
PAUSE_S = (0.2, 1.0)
FIRST_ROUNDS = 6
"""Before anybody subscribes, so that there are wallets that trade, and something to replay."""
SETTINGS = ("[api]\nmessage_rows = 3\ntail_window = 20", "[api]\npoll_interval_s = 0.2")
"""One replica tells commits in parts and forgets them soon, the other tells them whole."""
_POLL_S = 0.05
Tables = Mapping[str, Sequence[Mapping[str, Any]]]


async def test_clients_killed_again_and_again_receive_each_row_once_whichever_replica_is_left(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with (
        fault_run(database, seed=96) as run,
        run.indexer(),
        api_replicas(tmp_path, database_url, run.nodes[0].rpc_url, run.nodes[0].ws_url, SETTINGS) as replicas,
        httpx2.AsyncClient(timeout=None, trust_env=False) as http,
        asyncio.TaskGroup() as group,
    ):
        began = asyncio.get_running_loop().time()
        for _ in range(FIRST_ROUNDS):
            await run.chaos.round()
        clients = clients_of(run, http)

        def hosts() -> list[str]:
            return [replica.host for replica in replicas if replica.host is not None]

        async def head() -> int:
            row = await get_stream(database, run.stream.name)
            assert row is not None
            return row.seq

        running = [group.create_task(client.run(SIZES.client_kills, hosts, head)) for client in clients]
        restarting = group.create_task(restart(replicas, clients, run.dice))
        kills = 0
        while kills < SIZES.client_kills * len(clients) or not restarting.done():
            await run.chaos.round(wait=run.dice.random() < 0.7)
            kills = await killed(clients, kills + KILLS_A_ROUND)
        last = await run.chaos.quiet()
        await run.end()
        took_s = asyncio.get_running_loop().time() - began
        tell(clients, run, took_s)
        await equal(clients, as_stored(run.localnet.truth(last)))
        for task in running:
            task.cancel()
    for client in clients:
        wrong = {name: held.wrong for name, held in client.held.items() if held.wrong}
        assert not wrong, f"{type(client).__name__}: {wrong}"
        assert client.in_replay and client.cut and client.switches, "this says little"
    assert sum(discards(client) for client in clients), "nothing was ever corrected"


def clients_of(run: FaultRun, http: httpx2.AsyncClient) -> list[KilledClient]:
    """One of each protocol; the plain one follows the wallet that trades most."""
    stream = run.stream.name
    changes = run.localnet.truth()["perps.position_changes"]
    ((wallet, _),) = Counter(row["wallet"] for row in changes).most_common(1)
    dice = [Random(run.dice.random()) for _ in range(3)]
    return [
        GraphQLSocketClient(stream, dice[0]),
        EventSourceClient(stream, dice[1], http),
        PlainSocketClient(stream, dice[2], run.localnet.settings.symbols[0], wallet),
    ]


async def restart(replicas: Sequence[ApiReplica], clients: Sequence[KilledClient], dice: Random) -> None:
    """Pauses one replica or the other, ends one and starts it again, at so many moments of the clients' kills."""
    each = SIZES.client_kills * len(clients) // (SIZES.api_restarts + 1)
    for number in range(SIZES.api_restarts):
        await killed(clients, each * (number + 1))
        await dice.choice(replicas).pause(dice.uniform(*PAUSE_S))
        replica = dice.choice(replicas)
        await (replica.stop() if number % 2 else replica.kill())
        await replica.start()


async def killed(clients: Sequence[KilledClient], count: int) -> int:
    """Returns once there were so many kills, or all there are to be; how many."""
    most = SIZES.client_kills * len(clients)
    while True:
        kills = sum(client.kills for client in clients)
        if kills >= min(count, most):
            return kills
        await asyncio.sleep(_POLL_S)


async def equal(clients: Sequence[KilledClient], truth: Tables) -> None:
    """Returns once each client holds exactly what it asked for. Raises AssertionError, telling the differences."""
    told = "nothing was compared"
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                told = "\n".join(
                    f"{type(client).__name__} {text}" for client in clients for text in unequal(client, truth)
                )
                if not told:
                    return
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise AssertionError(told) from None


def unequal(client: KilledClient, truth: Tables) -> Iterator[str]:
    for root, held in client.held.items():
        table = ROOTS.get(root, "perps.oracle_prices")
        wanted = truth[table]
        if isinstance(client, PlainSocketClient) and root != "oraclePrices":
            wanted = [
                row
                for row in wanted
                if row["wallet"] == client.wallet and row.get("status", "open") == "open"
            ]
        if text := differences({table: wanted}, {table: held.rows(truth[table])}):
            yield text


def discards(client: KilledClient) -> int:
    return sum(getattr(held, "discards", 0) for held in client.held.values())


def tell(clients: Sequence[KilledClient], run: FaultRun, took_s: float) -> None:
    for client in clients:
        rows = sum(map(len, client.held.values()))
        print(
            f"{type(client).__name__}: {client.kills} kills ({client.in_replay} in a replay), {client.cut} times cut by the"
            f" server, {client.switches} switches of replica, {client.messages} messages, {rows} rows held,"
            f" {discards(client)} corrections"
        )
    print(
        f"{run.chaos.forks} forks, {run.chaos.gone} transactions gone, {SIZES.api_restarts} restarts, {took_s:.0f} s"
    )
