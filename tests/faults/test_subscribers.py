"""Subscribers during the faults: whoever resumes from its cursors ends with exactly the rows, corrections applied."""

from __future__ import annotations

from tests.endtoend.serving import serving
from tests.faults.replicas import replicating
from tests.faults.run import fault_run
from tests.faults.weather import rpc_faults, socket_faults

from heliograph_sql.database import Database

SCALE = 0.04
"""How often each fault of the weather strikes, in multiples of its share alone."""


async def test_subscribers_that_resume_at_random_end_with_exactly_the_rows(database: Database) -> None:
    async with (
        fault_run(database, seed=95) as run,
        serving(database) as host,
        replicating(host, run.stream.name, seed=95) as replicas,
        run.indexer(),
    ):
        clear = run.weather.begin(run.nodes[0], {**rpc_faults(), **socket_faults(0.5)}, scale=SCALE)
        for _ in range(8):
            await run.chaos.round(wait=run.dice.random() < 0.7)
        clear()
        last = await run.chaos.quiet()
        await run.end()
        await replicas.equal(run.localnet.truth(last))
        assert replicas.breaks > 2 and replicas.discards > 0
