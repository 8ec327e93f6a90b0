from __future__ import annotations

import re
from base64 import b64encode

import pytest

from heliograph_indexer.idl.encoder import EVENT_TAG
from heliograph_localnet import catalogue, encoding
from heliograph_localnet.addresses import (
    MEMO_PROGRAM,
    NOISE,
    POSITIONS,
    POSITIONS_AUTHORITY,
    ROUTER,
    USDC,
    VAULT,
    VAULT_AUTHORITY,
    market_address,
    named,
    position_address,
)
from heliograph_localnet.draft import COMPUTE_BUDGET_PROGRAM, Draft, DraftInstruction
from heliograph_localnet.exchange.exchange import Exchange
from heliograph_localnet.exchange.facts import Fact
from heliograph_localnet.exchange.refusal import Refusal
from heliograph_localnet.godark import Spoken, failed, mention, succeeded
from heliograph_localnet.manner import PLAIN, Manner, Noise
from heliograph_localnet.now import Now
from heliograph_localnet.operation import (
    CreateMarket,
    Deposit,
    Liquidate,
    Operation,
    PlaceOrder,
    SetPrice,
    SettleFunding,
    UpdateFunding,
)

MARKET = market_address("SOL-PERP")
ANN, BOB, KEEPER = (named("test", name) for name in ("ann", "bob", "keeper"))
SOL = 10**9
USD = 10**6
NOW = Now(5, 1_000)


@pytest.fixture
def exchange() -> Exchange:
    made = Exchange(mint=USDC, position_key=position_address)
    for operation in (
        CreateMarket(KEEPER, MARKET, catalogue.terms("SOL-PERP", 10)),
        SetPrice(KEEPER, MARKET, 100 * USD, 1, 1_000),
        Deposit(ANN, 10_000 * USD),
        Deposit(BOB, 10_000 * USD),
        Deposit(KEEPER, 1_000_000 * USD),
        PlaceOrder(BOB, MARKET, "short", 100 * SOL, 100 * USD),
    ):
        operation.run(made, NOW)
    return made


def speak(exchange: Exchange, operation: Operation, manner: Manner = PLAIN) -> Spoken:
    return succeeded(operation, operation.run(exchange, NOW), exchange, manner)


def frames(draft: Draft) -> list[tuple[str, int]]:
    """(program, depth) of each invocation; fails where the lines do not nest."""
    stack: list[str] = []
    seen = []
    for line in draft.logs:
        if line.startswith(("Program log: ", "Program data: ")):
            assert stack, line
            continue
        match = re.fullmatch(
            r"Program (\w+) (invoke \[(\d+)\]|success|failed: .+|consumed \d+ of \d+ .+)", line
        )
        assert match, line
        program, what, depth = match.groups()
        if depth:
            stack.append(program)
            assert int(depth) == len(stack)
            seen.append((program, len(stack)))
        elif what.startswith("consumed"):
            assert stack[-1] == program
        else:
            assert stack.pop() == program
    assert not stack
    return seen


def invocations(instructions: tuple[DraftInstruction, ...]) -> list[tuple[str, int]]:
    found = []
    for instruction in instructions:
        found.append((instruction.program, 1))
        found += [(inner.program, inner.depth) for inner in instruction.inner]
    return found


def recount(draft: Draft) -> list[tuple[int, bytes]]:
    """(ordinal, payload) of every candidate, counted anew from what a node would show."""
    tagged = iter(
        inner.data
        for instruction in draft.instructions
        for inner in instruction.inner
        if inner.data.startswith(EVENT_TAG)
    )
    order = iter(x for i in draft.instructions for x in (i.data, *(inner.data for inner in i.inner)))
    found: list[bytes] = []
    for line in draft.logs:
        if line.startswith("Program log: "):
            found.append(b"")
        elif line.startswith("Program data: "):
            found += [text.encode() for text in line.removeprefix("Program data: ").split(" ")]
        elif " invoke [" in line and next(order).startswith(EVENT_TAG) and not line.endswith("[1]"):
            found.append(b64encode(next(tagged)[8:]))
    return list(enumerate(found))


def check(spoken: Spoken) -> None:
    """Frames nest, instructions match them, and each fact's bytes stand at its ordinal."""
    assert frames(spoken.draft) == invocations(spoken.draft.instructions)
    there = dict(recount(spoken.draft))
    assert len(there) == len(spoken.candidates)
    for said in spoken.said:
        assert there[said.ordinal] == b64encode(encoding.event(said.fact))


def test_an_order_speaks_in_the_order_of_its_consequences(exchange: Exchange) -> None:
    spoken = speak(exchange, PlaceOrder(ANN, MARKET, "long", 10 * SOL, None, False, 200 * USD))
    check(spoken)
    assert [type(said.fact).__name__ for said in spoken.said] == [
        "OrderPlaced",
        "OrderFilled",
        "CollateralLocked",
        "PositionOpened",
        "CollateralLocked",
        "PositionOpened",
    ]
    assert [said.program for said in spoken.said] == [
        POSITIONS,
        POSITIONS,
        VAULT,
        POSITIONS,
        VAULT,
        POSITIONS,
    ]
    assert frames(spoken.draft) == [
        (COMPUTE_BUDGET_PROGRAM, 1),
        (POSITIONS, 1),
        (VAULT, 2),
        (POSITIONS, 2),
        (VAULT, 2),
        (POSITIONS, 2),
    ]
    assert spoken.draft.logs[3] == "Program log: Instruction: PlaceOrder"


def test_events_by_cpi_carry_the_tag_and_the_event_authority(exchange: Exchange) -> None:
    speak(exchange, PlaceOrder(ANN, MARKET, "long", 10 * SOL))
    speak(exchange, PlaceOrder(BOB, MARKET, "long", 1 * SOL, 99 * USD))
    spoken = speak(exchange, PlaceOrder(ANN, MARKET, "short", 1 * SOL))
    check(spoken)
    tagged = [
        (inner.program, inner.accounts, inner.depth)
        for inner in spoken.draft.instructions[-1].inner
        if inner.data.startswith(EVENT_TAG)
    ]
    assert (POSITIONS, (POSITIONS_AUTHORITY,), 2) in tagged
    assert (VAULT, (VAULT_AUTHORITY,), 3) in tagged


def test_a_position_has_an_account_while_it_lives(exchange: Exchange) -> None:
    spoken = speak(exchange, PlaceOrder(ANN, MARKET, "long", 10 * SOL))
    key = position_address(ANN, MARKET)
    account = spoken.draft.writes[key]
    assert account is not None
    assert account.owner == POSITIONS
    assert account.lamports > 0
    speak(exchange, PlaceOrder(KEEPER, MARKET, "long", 10 * SOL, 99 * USD))
    closing = speak(exchange, PlaceOrder(ANN, MARKET, "short", 10 * SOL))
    assert closing.draft.writes[key] is None


def test_a_refused_order_prints_what_it_announced_and_its_error(exchange: Exchange) -> None:
    order = PlaceOrder(named("test", "poor"), MARKET, "long", SOL)
    with pytest.raises(Refusal) as refused:
        order.run(exchange, NOW)
    draft = failed(order, refused.value.reason, refused.value.said)
    frames(draft)
    assert draft.err == {"InstructionError": [1, {"Custom": 6000}]}
    assert draft.logs[-1] == f"Program {POSITIONS} failed: custom program error: 0x1770"
    assert sum(line.startswith("Program data: ") for line in draft.logs) == 2
    assert not draft.writes


def test_a_routed_failure_unwinds_through_its_caller(exchange: Exchange) -> None:
    draft = failed(PlaceOrder(ANN, MARKET, "long", 1), "InvalidSize", (), Manner(routed=True))
    assert frames(draft) == [(COMPUTE_BUDGET_PROGRAM, 1), (ROUTER, 1), (POSITIONS, 2)]
    assert draft.logs[-1] == f"Program {ROUTER} failed: custom program error: 0x1775"


def test_godark_can_be_called_by_another_program(exchange: Exchange) -> None:
    spoken = speak(exchange, PlaceOrder(ANN, MARKET, "long", 10 * SOL), Manner(routed=True))
    check(spoken)
    assert frames(spoken.draft)[1:4] == [(ROUTER, 1), (POSITIONS, 2), (VAULT, 3)]


@pytest.mark.parametrize("noise", ["memo", "spoof", "spoof_cpi", "data"])
def test_what_others_say_shifts_ordinals_and_nothing_else(exchange: Exchange, noise: Noise) -> None:
    quiet = succeeded(UpdateFunding(KEEPER, MARKET), facts := funding(exchange), exchange)
    loud = succeeded(UpdateFunding(KEEPER, MARKET), facts, exchange, Manner(before=(noise,), after=(noise,)))
    check(loud)
    assert [said.fact for said in loud.said] == [said.fact for said in quiet.said]
    assert loud.said[0].ordinal > quiet.said[0].ordinal
    assert {NOISE, MEMO_PROGRAM} & {program for program, _ in frames(loud.draft)}


def test_an_event_as_text_is_no_fact(exchange: Exchange) -> None:
    facts = funding(exchange)
    spoken = succeeded(UpdateFunding(KEEPER, MARKET), facts, exchange, Manner(whispers=True))
    check(spoken)
    assert len(spoken.said) == 1
    assert "Program log: " + b64encode(encoding.event(facts[0])).decode() in spoken.draft.logs


def test_a_lookup_table_holds_programs_and_markets_but_no_top_level_program(exchange: Exchange) -> None:
    order = PlaceOrder(ANN, MARKET, "long", SOL)
    draft = speak(exchange, order, Manner(version="0", lookup=True)).draft
    assert draft.loaded[0] == MARKET
    assert VAULT in draft.loaded
    assert POSITIONS not in draft.loaded
    routed = speak(exchange, order, Manner(version="0", lookup=True, routed=True)).draft
    assert POSITIONS in routed.loaded


def test_a_version_1_transaction_has_no_compute_budget_instructions(exchange: Exchange) -> None:
    draft = speak(exchange, UpdateFunding(KEEPER, MARKET), Manner(version="1", unit_price=1_000)).draft
    assert [instruction.program for instruction in draft.instructions] == [POSITIONS]
    assert draft.priority_fee == 400


def test_a_priority_fee_is_its_price_times_the_limit_rounded_up(exchange: Exchange) -> None:
    manner = Manner(unit_limit=300_001, unit_price=1_000)
    draft = speak(exchange, UpdateFunding(KEEPER, MARKET), manner).draft
    assert draft.priority_fee == 301
    assert [instruction.data[0] for instruction in draft.instructions[:2]] == [2, 3]


def test_a_liquidation_speaks_of_the_wallet_first_and_of_the_liquidator_last(exchange: Exchange) -> None:
    speak(exchange, PlaceOrder(ANN, MARKET, "long", 10 * SOL))
    speak(exchange, SetPrice(KEEPER, MARKET, 94 * USD, 1, 1_000))
    spoken = speak(exchange, Liquidate(KEEPER, MARKET, ANN))
    check(spoken)
    assert [type(said.fact).__name__ for said in spoken.said] == [
        "OrderFilled",
        "PositionClosed",
        "CollateralReleased",
        "LiquidationExecuted",
        "CollateralLocked",
        "PositionOpened",
    ]


def test_one_transaction_settles_several_positions(exchange: Exchange) -> None:
    speak(exchange, PlaceOrder(ANN, MARKET, "long", 10 * SOL))
    funding(exchange)
    spoken = speak(exchange, SettleFunding(KEEPER, MARKET, 8))
    check(spoken)
    assert [type(said.fact).__name__ for said in spoken.said] == ["FundingRatePaid"] * 2
    assert position_address(ANN, MARKET) in spoken.draft.writes


def test_a_mere_mention_says_nothing() -> None:
    draft = mention(ANN)
    assert POSITIONS in draft.instructions[0].accounts
    assert frames(draft) == [(NOISE, 1)]


def funding(exchange: Exchange) -> list[Fact]:
    return UpdateFunding(KEEPER, MARKET).run(exchange, NOW)
