"""Asks a cluster everything that conformance compares and keeps what it said.

Surfpool goes first: what it recorded of the acts is what localnet is then made to land.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from solders.keypair import Keypair
from tests.surfpool.godark import POSITIONS, STRANGER, VAULT, Program, positions, vault
from tests.surfpool.listener import Heard, listen
from tests.surfpool.questions import SUBSCRIPTIONS, Seen, requests
from tests.surfpool.replay import draft_of
from tests.surfpool.sender import Sender
from tests.surfpool.surfnet import Surfnet
from tests.surfpool.trading import MARKET, Act, market_account, opening, session

from heliograph_localnet.chain import Chain
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.draft import AccountData, Draft, DraftInstruction
from heliograph_localnet.node import Node

RENT = 10_000_000
ACTS = ("deposit of Alice", "open", "open of Bob", "failed", "decrease")
"""What happens while the subscriptions listen; `create` has happened before."""

_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
_RECORD = {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 1}
_FINALIZED_LAG = 6
"""Slots: so few that roots are soon notified, so many that the acts are not final when statuses are asked for."""
_CREATED = market_account(mark=150_000_000, index=150_000_000, interest=0, created_slot=1, created_at=1)


@dataclass(frozen=True)
class Transcript:
    """answers: by the name of the request; records: getTransaction results by the name of the act."""

    answers: Mapping[str, Any]
    heard: Heard
    records: Mapping[str, Mapping[str, Any]]


async def ask_surfpool(runtime: Surfnet) -> Transcript:
    traders = positions()
    acts = _acts(traders)
    signatures: dict[str, str] = {}
    async with httpx2.AsyncClient(trust_env=False) as client:
        sender = Sender(runtime.rpc_url, runtime.payer, client, runtime.numbers)
        account = {"lamports": RENT, "owner": POSITIONS, "data": _market(traders).hex()}
        await sender.call("surfnet_setAccount", MARKET, account)

        async def happen(*names: str) -> None:
            for name in names:
                act = acts[name]
                signatures[name] = await sender.send(*act.instructions, versioned=act.versioned)

        await happen("create")
        await sender.confirm(signatures["create"])
        heard = await listen(runtime.ws_url, SUBSCRIPTIONS, lambda: happen(*ACTS))
        slots = dict(zip(signatures, await sender.confirm(*signatures.values()), strict=True))
        empty = max(slots.values()) + 1
        await sender.reach(empty)
        wire = await sender.sign(*acts["create"].instructions)
        answers = await _answers(sender, Seen(signatures, slots, empty, wire))
    records = {name: answers[f"transaction {name}"]["result"] for name in signatures}
    return Transcript(answers, heard, records)


async def ask_localnet(records: Mapping[str, Mapping[str, Any]], payer: Keypair) -> Transcript:
    """records: what Surfpool recorded of the acts, by name; those of one block there share one here."""
    traders = positions()
    chain = Chain(seed=7, first_slot=32, finalized_lag=_FINALIZED_LAG, executor=lambda _: _lands(payer))
    chain.set_account(MARKET, AccountData(POSITIONS, RENT, _market(traders)))
    for program in (POSITIONS, VAULT, STRANGER):
        chain.set_account(program, AccountData(_LOADER, RENT, b"program", executable=True))
    signatures: dict[str, str] = {}
    slots: dict[str, int] = {}

    async def happen(*names: str) -> None:
        for before, name in zip((names[0], *names), names, strict=False):
            if records[name]["slot"] != records[before]["slot"]:
                chain.produce()
            signatures[name] = chain.submit(_draft(name, records[name], traders))
            slots[name] = chain.open_slot
        while chain.slot_at(Commitment.CONFIRMED) <= slots[names[-1]]:
            chain.produce()

    async def be_rooted() -> None:
        await happen(*ACTS)
        while chain.slot_at(Commitment.FINALIZED) < slots["create"]:
            chain.produce()

    node = Node(chain)
    await node.start()
    try:
        await happen("create")
        heard = await listen(node.ws_url, SUBSCRIPTIONS, be_rooted)
        async with httpx2.AsyncClient(trust_env=False) as client:
            sender = Sender(node.rpc_url, payer, client, itertools.count())
            wire = await sender.sign(*_acts(traders)["create"].instructions)
            answers = await _answers(sender, Seen(signatures, slots, max(slots.values()) + 1, wire))
    finally:
        await node.stop()
    return Transcript(answers, heard, records)


async def _answers(sender: Sender, seen: Seen) -> dict[str, Any]:
    answers = {name: await sender.ask(method, *params) for name, (method, params) in requests(seen).items()}
    return answers | {"batch": await sender.ask_all(("getSlot", ()), ("getHealth", ()))}


def _acts(traders: Program) -> dict[str, Act]:
    acts = [opening(traders), *session(traders, vault(), traders, _CREATED)]
    return {act.name: act for act in acts}


def _market(traders: Program) -> bytes:
    return traders.encoder.account("Market", _CREATED)


def _draft(name: str, record: Mapping[str, Any], traders: Program) -> Draft:
    if name != "open of Bob":
        return draft_of(record)
    grown = {**_CREATED, "open_interest_long": 2_000_000_000, "open_interest_short": 2_000_000_000}
    return draft_of(record, {MARKET: AccountData(POSITIONS, RENT, traders.encoder.account("Market", grown))})


def _lands(payer: Keypair) -> Draft:
    return Draft(str(payer.pubkey()), (DraftInstruction(POSITIONS, (), b""),))
