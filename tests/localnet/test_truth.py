from __future__ import annotations

import pytest

from heliograph_localnet.addresses import named
from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import Draft, DraftInstruction
from heliograph_localnet.exchange.facts import CollateralDeposited, Fact, OraclePriceUpdated
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.logs import LOG_LIMIT
from heliograph_localnet.settings import LocalnetSettings
from heliograph_localnet.tape import Tape
from heliograph_localnet.truth import TABLES, Told, Truth

PROGRAM, PAYER = named("program"), named("payer")


def oracle(price: int) -> Fact:
    return OraclePriceUpdated("market", "oracle", price, 1, 7)


def land(chain: Chain, truth: Truth, facts: list[Fact], *, noise: str = "", by_cpi: bool = False) -> str:
    tape = Tape(200_000)
    tape.enter(PROGRAM, (), b"")
    for at, fact in enumerate(facts):
        if by_cpi and at % 2:
            tape.emit_cpi(fact, b"payload", PAYER)
        else:
            tape.emit(fact, b"payload")
        if noise and not at:
            tape.log(noise)
    tape.leave()
    draft = Draft(fee_payer=PAYER, instructions=tuple(tape.instructions), logs=tuple(tape.logs))
    signature = chain.submit(draft)
    truth.tell(signature, Told(tuple(tape.said), (), tuple(tape.candidates)))
    return signature


def start() -> tuple[Chain, Truth]:
    chain, truth = Chain(), Truth("s")
    chain.listen(truth.follow)
    return chain, truth


def test_rows_stand_where_the_chain_put_the_transaction() -> None:
    chain, truth = start()
    chain.produce()
    foreign = DraftInstruction(named("other"), (), b"")
    chain.submit(Draft(fee_payer=PAYER, instructions=(foreign,)))
    signature = land(chain, truth, [oracle(5_000_000), oracle(6_000_000)])
    chain.produce()
    tables = truth.rows()
    assert tuple(tables) == TABLES
    assert [(r["slot"], r["tx_index"], r["ordinal"], r["price"]) for r in tables["perps.oracle_prices"]] == [
        (2, 1, 0, 5),
        (2, 1, 1, 6),
    ]
    assert [r["signature"] for r in tables["heliograph.transactions"]] == [signature]


def test_only_what_survives_is_true() -> None:
    chain, truth = start()
    land(chain, truth, [oracle(1)])
    chain.produce()
    land(chain, truth, [oracle(2)])
    chain.produce()
    chain.drop([1])
    assert len(truth.rows()["perps.oracle_prices"]) == 1
    assert truth.rows()["perps.oracle_prices"][0]["slot"] == 2


def test_truth_up_to_a_slot_knows_nothing_of_later_ones() -> None:
    chain, truth = start()
    for price in (1, 2, 3):
        land(chain, truth, [oracle(price)])
        chain.produce()
    assert len(truth.rows(last=2)["perps.oracle_prices"]) == 2


def test_of_a_cut_log_only_what_is_left_is_true() -> None:
    chain, truth = start()
    land(chain, truth, [oracle(1), oracle(2), oracle(3)], noise="x" * LOG_LIMIT, by_cpi=True)
    chain.produce()
    rows = truth.rows()["perps.oracle_prices"]
    # The first line is left; what follows the cut is not attributed, but for the inner instruction.
    # Left of the candidates are two lines (ordinals 0 and 1), then the instruction.
    assert [(row["ordinal"], row["price"]) for row in rows] == [
        (0, oracle_price(1)),
        (2, oracle_price(2)),
    ]


def test_what_one_block_leaves_is_what_it_adds_to_the_rows() -> None:
    chain, truth = start()
    signature = land(chain, truth, [oracle(1), oracle(2)])
    first = chain.produce()
    land(chain, truth, [oracle(3)])
    chain.produce()
    assert first is not None
    left = truth.block_rows(first)
    rows = truth.rows(first.slot)
    assert left["heliograph.transactions"] == rows["heliograph.transactions"]
    assert left["perps.oracle_prices"] == rows["perps.oracle_prices"]
    places = [(row["signature"], row["ordinal"]) for row in left["s.oracle_price_updated"]]
    assert places == [(signature, 0), (signature, 1)]
    assert not truth.block_rows(chain.blocks(0, 0)[0])


def test_a_balance_is_what_the_last_transfer_left() -> None:
    chain, truth = start()
    land(
        chain,
        truth,
        [CollateralDeposited("w", "usdc", 5, 5, 0, 1), CollateralDeposited("w", "usdc", 1, 6, 0, 1)],
    )
    chain.produce()
    (balance,) = truth.rows()["perps.balances"]
    assert (balance["free"], balance["updated_ordinal"]) == (oracle_price(6), 1)


def oracle_price(integer: int) -> object:
    from decimal import Decimal

    return Decimal(integer).scaleb(-6)


async def test_a_run_that_nobody_judges_keeps_no_truth() -> None:
    localnet = Localnet(LocalnetSettings(seed=1, rate=40, keep_truth=False))
    await localnet.step(20)
    with pytest.raises(ValueError, match="keep_truth"):
        localnet.truth()


async def test_a_bounded_localnet_holds_no_more_than_its_window() -> None:
    """What grows with time but must not: transactions, blocks, histories, and what a fork may need."""
    settings = LocalnetSettings(seed=1, rate=8, traders=10, retention_slots=100, keep_truth=False)
    localnet = Localnet(settings)
    sizes = []
    for _ in range(3):
        await localnet.step(512)
        chain, ledger = localnet.chain, localnet.ledger
        sizes.append(len(chain._by_signature))
        # Pruned each 256 slots, behind the window and the 32 slots that are not final.
        assert len(chain._blocks) == len(chain._by_slot) == len(chain._by_blockhash) < 100 + 256 + 32 + 2
        assert sum(map(len, chain._by_address.values())) < 20 * len(chain._by_signature)
        assert len(ledger._checkpoints) <= 5 and len(ledger._closed) < 100
        assert not localnet._truth._told and not localnet._truth._blocks
    assert sizes[2] < 1.5 * sizes[0]
