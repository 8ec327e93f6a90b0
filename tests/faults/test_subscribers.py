"""Clients during the faults: answers never call themselves complete too early, and whoever resumes from its cursors ends with
exactly the rows, corrections applied."""

from __future__ import annotations

from tests.endtoend.serving import serving
from tests.faults.answers import answering
from tests.faults.replicas import replicating
from tests.faults.run import fault_run
from tests.faults.weather import rpc_faults, socket_faults

from heliograph_sql.database import Database

LEAST_ROUNDS, MOST_ROUNDS = 8, 200
LEAST_BREAKS = 2
SCALE = 0.02
"""How often each fault of the weather strikes, in multiples of its share alone."""


async def test_answers_are_as_complete_as_they_say_and_subscribers_that_resume_end_with_exactly_the_rows(
    database: Database,
) -> None:
    async with (
        fault_run(database, seed=95) as run,
        serving(database) as host,
        replicating(host, run.stream.name, seed=95) as replicas,
        answering(host, run.localnet, run.witness) as answers,
        run.indexer(),
    ):
        clear = run.weather.begin(run.nodes[0], {**rpc_faults(), **socket_faults(0.5)}, scale=SCALE)
        rounds = 0
        while rounds < LEAST_ROUNDS or replicas.breaks <= LEAST_BREAKS or not replicas.discards:
            assert rounds < MOST_ROUNDS, f"{replicas.breaks} breaks, {replicas.discards} discards"
            await run.chaos.round(wait=run.dice.random() < 0.7)
            rounds += 1
        clear()
        last = await run.chaos.quiet()
        await run.end()
        await replicas.equal(run.localnet.truth(last))
        assert answers.complete > rounds, "no answer called itself complete"
