"""A scenario of any program is played step by step, or in real time, and the books say what must come of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.resources import files

import httpx2
import pytest

from heliograph_localnet.act import Clock, Step, Wait
from heliograph_localnet.addresses import idl_address
from heliograph_localnet.chain import Chain
from heliograph_localnet.scripted import Said, ScriptedProgram
from heliograph_localnet.stage import Stage

PAYER = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"


class Deposits:
    """Says at which slot and time it was asked for each deposit."""

    def __init__(self) -> None:
        self.program = ScriptedProgram(
            (files("heliograph_indexer") / "idls" / "godark_vault.json").read_bytes()
        )

    def script(self, clock: Clock) -> Iterator[Step]:
        yield self.program.deploy(PAYER)
        yield from self._deposit(clock)
        yield Wait(3)
        yield from self._deposit(clock)
        yield Wait(skip=True, seconds=3_600)
        yield from self._deposit(clock)
        yield Wait()

    def traffic(self, clock: Clock) -> Iterator[Step]:
        while True:
            yield from self._deposit(clock)
            yield Wait()

    def _deposit(self, clock: Clock) -> Iterator[Step]:
        now = clock()
        fields = {"wallet": PAYER, "mint": PAYER, "free_after": 0, "locked_after": 0}
        said = {**fields, "amount": now.slot, "timestamp": now.time}
        row = {"slot_asked": now.slot, "time_asked": now.time}
        event = Said("CollateralDeposited", said, rows=(("perps.transfers", row),))
        yield self.program.act(PAYER, [event], instruction="deposit", args={"amount": now.slot})


def stage() -> Stage[Deposits]:
    chain = Chain(seed=1, genesis_time=1_800_000_000, slot_ms=50, first_slot=100)
    return Stage(Deposits(), stream="vault", chain=chain)


async def test_steps_land_in_the_slot_that_they_were_made_for() -> None:
    async with stage() as on:
        on.play(on.scenario.script(on.now))
    rows = on.books.rows()["perps.transfers"]
    asked = [(row["slot"], row["slot_asked"]) for row in rows]
    assert asked == [(100, 100), (104, 103), (104, 104)], (
        "what a skipped slot had executed lands in the next block"
    )
    assert [row["block_time"] for row in rows] == [1_800_000_000, 1_800_003_600, 1_800_003_600]
    assert rows[-1]["time_asked"] == rows[-1]["block_time"]
    assert [row["ordinal"] for row in rows] == [1, 1, 1], "behind the line that names the instruction"


async def test_the_idl_is_on_the_chain() -> None:
    async with stage() as on:
        on.play(on.scenario.script(on.now))
        program = on.scenario.program.address
        wanted = {"encoding": "base64", "commitment": "confirmed"}
        asked = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "getAccountInfo",
            "params": [idl_address(program), wanted],
        }
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.post(on.rpc_url, json=asked)
        assert answer.json()["result"]["value"]["owner"] == program


async def test_traffic_goes_on_by_itself_until_it_is_cancelled() -> None:
    async with stage() as on:
        landed = asyncio.Event()
        on.chain.listen(lambda _: landed.set() if len(on.books.rows()["perps.transfers"]) >= 3 else None)
        running = asyncio.create_task(on.run())
        await asyncio.wait_for(landed.wait(), 30)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert [row["slot"] for row in on.books.rows()["perps.transfers"][:3]] == [100, 101, 102]


def test_an_act_whose_log_would_be_cut_is_refused() -> None:
    on = stage()
    fields = {
        "wallet": PAYER, "mint": PAYER, "amount": 1, "free_after": 0, "locked_after": 0, "timestamp": 1
    }  # fmt: skip
    chatty = on.scenario.program.act(PAYER, [Said("CollateralDeposited", fields)] * 90)
    with pytest.raises(ValueError, match="is cut"):
        on.submit(chatty)
