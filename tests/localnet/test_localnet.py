from __future__ import annotations

import asyncio
import hashlib
import json
import time
from base64 import b64decode, b64encode
from decimal import Decimal
from typing import Any

import pytest

from heliograph_core import records
from heliograph_core.errors import SettingsError
from heliograph_localnet.addresses import POSITIONS_IDL
from heliograph_localnet.block import Block
from heliograph_localnet.chain import ChainEvent, Processed
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_localnet.truth import TABLES

QUIET = LocalnetSettings(seed=3, rate=0, symbols=("SOL-PERP",))
BUSY = LocalnetSettings(seed=3, rate=80, funding_interval_seconds=7)
RECORDS: dict[str, list[type[Any]]] = {
    "perps.position_changes": [records.PositionChange],
    "perps.trades": [records.Trade],
    "perps.funding_rates": [records.FundingRate],
    "perps.funding_payments": [records.FundingPayment],
    "perps.liquidations": [records.Liquidation],
    "perps.oracle_prices": [records.OraclePrice],
    "perps.transfers": [records.Transfer],
    "perps.markets": [records.Market, records.MarketState],
    "perps.positions": [records.Position],
    "perps.balances": [records.Balance],
}


def advance(localnet: Localnet, slots: int = 1) -> dict[str, list[dict[str, Any]]]:
    for _ in range(slots):
        localnet.produce()
    return localnet.truth()


def err(localnet: Localnet, signature: str) -> object:
    executed = localnet.chain.transaction(signature)
    assert executed is not None
    return executed.err


def test_a_new_localnet_has_its_markets_and_its_idls_in_the_first_block() -> None:
    localnet = Localnet(BUSY)
    localnet.ledger.close()
    truth = localnet.truth()
    assert [row["symbol"] for row in truth["perps.markets"]] == ["SOL-PERP", "BTC-PERP", "ETH-PERP"]
    assert len(truth["heliograph.transactions"]) == 2 + 2 * 3
    for program in localnet.programs:
        owned = list(localnet.chain.accounts.owned_by(program, localnet.settings.first_slot))
        assert any(account.data[:8].hex() == "184662bf3a907b9e" for _, account in owned)


def test_a_position_opens_grows_shrinks_and_closes() -> None:
    localnet = Localnet(QUIET)
    localnet.open("alice", "SOL-PERP", "long", 10, collateral=500)
    localnet.update("alice", "SOL-PERP", 5)
    localnet.update("alice", "SOL-PERP", "-3")
    localnet.set_price("SOL-PERP", 190)
    localnet.close("alice", "SOL-PERP")
    truth = advance(localnet)
    alice = localnet.wallet("alice")
    changes = [row for row in truth["perps.position_changes"] if row["wallet"] == alice]
    assert [row["kind"] for row in changes] == ["open", "increase", "decrease", "close"]
    assert [row["size_after"] for row in changes] == [10, 15, 12, 0]
    (position,) = [row for row in truth["perps.positions"] if row["wallet"] == alice]
    assert (position["status"], position["max_size"], position["exit_price"]) == ("closed", 15, 190)
    assert position["realized_pnl"] == Decimal(5 * 12)
    assert position["collateral"] == 0


def test_a_position_address_is_used_again_by_the_next_life() -> None:
    localnet = Localnet(QUIET)
    for side in ("long", "short"):
        localnet.open("alice", "SOL-PERP", "long" if side == "long" else "short", 1)
        localnet.close("alice", "SOL-PERP")
    truth = advance(localnet)
    lives = [row for row in truth["perps.positions"] if row["wallet"] == localnet.wallet("alice")]
    assert [row["lifecycle"] for row in lives] == [1, 2]
    assert len({row["position_key"] for row in lives}) == 1


def test_a_liquidation_is_scripted_by_a_price() -> None:
    localnet = Localnet(QUIET)
    localnet.open("alice", "SOL-PERP", "long", 10)
    localnet.set_price("SOL-PERP", 170)
    signatures = localnet.liquidate("alice", "SOL-PERP")
    truth = advance(localnet)
    assert err(localnet, signatures[-1]) is None
    (liquidation,) = truth["perps.liquidations"]
    fill = truth["perps.trades"][-1]
    assert (liquidation["liquidation_id"], fill["liquidation"]) == (fill["trade_id"], True)
    alice = localnet.wallet("alice")
    assert [row["status"] for row in truth["perps.positions"] if row["wallet"] == alice] == ["liquidated"]


def test_funding_is_paid_by_every_position() -> None:
    localnet = Localnet(QUIET)
    localnet.open("alice", "SOL-PERP", "long", 10)
    localnet.fund("SOL-PERP")
    truth = advance(localnet)
    assert len(truth["perps.funding_payments"]) == 2
    assert sum(row["amount"] for row in truth["perps.funding_payments"]) <= 0
    assert [row["kind"] for row in truth["perps.position_changes"]][-2:] == ["funding", "funding"]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("InsufficientCollateral", 6000),
        ("MarketPaused", 6001),
        ("PriceOutOfBounds", 6002),
        ("PositionHealthy", 6003),
        ("StaleOracle", 6004),
        ("InvalidSize", 6005),
        ("InsufficientFunds", 6000),
    ],
)
def test_every_error_can_be_provoked_and_leaves_no_row(reason: Any, code: int) -> None:
    localnet = Localnet(QUIET)
    signature = localnet.fail(reason)
    truth = advance(localnet)
    assert err(localnet, signature) == {"InstructionError": [1, {"Custom": code}]}
    assert signature in [row["signature"] for row in truth["heliograph.transactions"]]
    for table, rows in truth.items():
        if table != "heliograph.transactions":
            assert signature not in [row.get("signature") for row in rows]


def test_a_skipped_slot_makes_no_block_and_loses_nothing() -> None:
    localnet = Localnet(QUIET)
    advance(localnet)
    signature = localnet.deposit("alice", 5)
    skipped = localnet.chain.open_slot
    localnet.skip()
    truth = advance(localnet)
    assert localnet.chain.block(skipped) is None
    (row,) = [row for row in truth["perps.transfers"] if row["signature"] == signature]
    assert (row["slot"], row["amount"]) == (skipped + 1, 5)


def test_a_fork_takes_back_what_it_drops_and_keeps_the_rest() -> None:
    localnet = Localnet(QUIET)
    advance(localnet)
    gone = localnet.deposit("alice", 5)
    kept = localnet.deposit("bob", 7)
    advance(localnet)
    assert localnet.fork(1, drop=[gone]) == (gone,)
    truth = advance(localnet)
    assert [row["amount"] for row in truth["perps.transfers"]] == [7]
    assert [row["signature"] for row in truth["perps.transfers"]] == [kept]
    assert localnet.exchange.vault.free(localnet.wallet("alice")) == 0


def test_a_fork_can_leave_slots_without_a_block() -> None:
    localnet = Localnet(LocalnetSettings(seed=1, rate=0, skip_probability=0))
    localnet.produce()
    gone = localnet.deposit("alice", 5)
    localnet.produce()
    kept = localnet.deposit("bob", 6)
    localnet.produce()
    slot = localnet.chain.open_slot - 2
    assert localnet.fork(2, skip=[slot]) == (gone,)
    assert localnet.chain.block(slot) is None
    listed = {row["signature"] for row in localnet.truth()["heliograph.transactions"]}
    assert kept in listed and gone not in listed


def test_a_final_slot_cannot_be_forked() -> None:
    localnet = Localnet(QUIET)
    advance(localnet, 40)
    with pytest.raises(ValueError, match="final"):
        localnet.fork(35)


def test_facts_of_unfinished_slots_are_not_true_yet() -> None:
    localnet = Localnet(QUIET)
    localnet.deposit("alice", 5)
    assert localnet.truth()["perps.transfers"] == []
    assert len(advance(localnet)["perps.transfers"]) == 1


def test_truth_has_exactly_the_columns_of_the_records() -> None:
    truth = advance(Localnet(BUSY), 120)
    assert tuple(truth) == TABLES
    for table, kinds in RECORDS.items():
        columns = {name for kind in kinds for name in kind.__struct_fields__}
        assert truth[table], f"{table} has no rows"
        for row in truth[table]:
            assert set(row) == columns, table


def test_truth_agrees_with_itself() -> None:
    localnet = Localnet(BUSY)
    truth = advance(localnet, 160)
    changes, positions = truth["perps.position_changes"], truth["perps.positions"]
    assert sum(row["funding"] for row in changes) == sum(
        row["amount"] for row in truth["perps.funding_payments"]
    )
    assert sum(row["funding"] for row in positions) == sum(row["funding"] for row in changes)
    assert sum(row["fees"] for row in positions) == sum(row["fee"] for row in changes)
    for balance in truth["perps.balances"]:
        mine = [row for row in truth["perps.transfers"] if row["wallet"] == balance["wallet"]]
        assert balance["free"] == sum(row["free_delta"] for row in mine)
        assert balance["locked"] == sum(row["locked_delta"] for row in mine)
    for market in truth["perps.markets"]:
        for side in ("long", "short"):
            held = [r for r in positions if r["market"] == market["market"] and r["side"] == side]
            assert sum(row["size"] for row in held) == market[f"open_interest_{side}"]
    fees = sum(row["taker_fee"] + row["maker_fee"] for row in truth["perps.trades"])
    penalties = sum(row["fee"] for row in truth["perps.liquidations"])
    assert fees + penalties == sum(row["fee"] for row in changes)


def test_truth_is_what_the_books_hold() -> None:
    localnet = Localnet(BUSY)
    truth = advance(localnet, 120)
    open_now = {row["position_key"]: row for row in truth["perps.positions"] if row["status"] == "open"}
    held = {position.key: position for position in localnet.exchange.clearing.positions.values()}
    assert open_now.keys() == held.keys()
    for key, row in open_now.items():
        assert row["size"] == Decimal(held[key].size).scaleb(-9)
        assert row["collateral"] == Decimal(held[key].collateral).scaleb(-6)
        assert row["entry_price"] == Decimal(held[key].entry_price).scaleb(-6)


def test_truth_holds_through_forks_and_skips_of_a_busy_chain() -> None:
    localnet = Localnet(BUSY)
    for depth in (1, 4, 2, 7):
        advance(localnet, 20)
        processed = localnet.chain.block(localnet.chain.slot_at(Commitment.PROCESSED))
        assert processed is not None
        localnet.fork(depth, drop=[executed.signature for executed in processed.transactions[::3]])
        localnet.skip()
    truth = advance(localnet, 5)
    landed = {
        executed.signature: executed.place
        for block in localnet.chain.blocks(localnet.settings.first_slot, localnet.chain.open_slot)
        for executed in block.transactions
    }
    for table in TABLES[:7]:
        for row in truth[table]:
            assert landed[row["signature"]] == (row["slot"], row["tx_index"])
    open_now = {row["position_key"] for row in truth["perps.positions"] if row["status"] == "open"}
    assert open_now == {position.key for position in localnet.exchange.clearing.positions.values()}


def test_equal_seeds_and_calls_make_equal_bytes() -> None:
    def run(seed: int) -> list[tuple[str, bytes]]:
        localnet = Localnet(LocalnetSettings(seed=seed, rate=60))
        advance(localnet, 20)
        localnet.fork(3)
        advance(localnet, 10)
        blocks = localnet.chain.blocks(localnet.settings.first_slot, localnet.chain.open_slot)
        return [(t.signature, t.wire + t.meta) for block in blocks for t in block.transactions]

    assert run(5) == run(5)
    assert run(5) != run(6)


def test_the_first_thirty_seconds_show_everything() -> None:
    localnet = Localnet(LocalnetSettings(rate=40, funding_interval_seconds=10))
    truth = advance(localnet, 30 * 4)
    kinds = {row["kind"] for row in truth["perps.position_changes"]}
    assert kinds == {"open", "increase", "decrease", "funding", "liquidation", "close"}
    assert {row["status"] for row in truth["perps.positions"]} == {"open", "closed", "liquidated"}
    assert any(row["err"] for row in truth["heliograph.transactions"])
    assert {row["kind"] for row in truth["perps.transfers"]} == {"deposit", "withdraw", "lock", "release"}
    assert len(truth["perps.balances"]) > 100


def test_no_log_is_cut_by_accident() -> None:
    localnet = Localnet(LocalnetSettings(rate=200))
    advance(localnet, 60)
    blocks = localnet.chain.blocks(localnet.settings.first_slot, localnet.chain.open_slot)
    assert not any(executed.truncated for block in blocks for executed in block.transactions)


def test_two_thousand_transactions_take_seconds() -> None:
    localnet = Localnet(LocalnetSettings(rate=200))
    started = time.process_time()
    truth = advance(localnet, 45)
    assert len(truth["heliograph.transactions"]) >= 2_000
    # A fortieth of that is usual; ten seconds of chain must not take ten seconds of a slow, shared core.
    assert time.process_time() - started < 9


async def test_step_closes_slots_without_waiting() -> None:
    async with Localnet(LocalnetSettings(rate=2, slot_ms=10_000)) as localnet:
        before = localnet.chain.open_slot
        await localnet.step(5)
        assert localnet.chain.open_slot == before + 5


async def test_run_makes_slots_until_it_is_cancelled() -> None:
    localnet = Localnet(LocalnetSettings(rate=100, slot_ms=20))
    third = asyncio.Event()

    def watch(event: ChainEvent) -> None:
        if isinstance(event, Processed) and event.block.height >= localnet.settings.first_slot + 2:
            third.set()

    localnet.chain.listen(watch)
    running = asyncio.create_task(localnet.run())
    await asyncio.wait_for(third.wait(), 30)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert localnet.truth()["perps.markets"]


async def test_a_port_in_use_is_said_clearly() -> None:
    async with Localnet(QUIET) as first:
        second = Localnet(LocalnetSettings(rate=0, port=first.node.port))
        with pytest.raises(SettingsError, match=str(first.node.port)):
            await second.start()


def test_an_amount_with_too_many_decimals_is_refused() -> None:
    with pytest.raises(ValueError, match="6 decimals"):
        Localnet(QUIET).deposit("alice", "0.0000001")


def test_an_upgrade_holds_from_its_slot_on_whatever_is_executed_again() -> None:
    document = json.loads(POSITIONS_IDL)
    event = next(each for each in document["types"] if each["name"] == "OraclePriceUpdated")
    event["type"]["fields"].insert(1, {"name": "venue", "type": "u8"})
    localnet = Localnet(LocalnetSettings(seed=1, rate=0, symbols=("SOL-PERP",)))
    localnet.set_price("SOL-PERP", 100)
    localnet.produce()
    changed = {"OraclePriceUpdated": {"venue": 7}}
    first, speech = localnet.upgrade(json.dumps(document).encode(), changed, known=False)
    localnet.set_price("SOL-PERP", 101)
    localnet.fund("SOL-PERP")
    localnet.produce()
    for _ in range(2):
        prices = localnet.truth()["perps.oracle_prices"]
        assert all(row["slot"] < first for row in prices), "nobody can read the others"
        assert localnet.truth()["perps.funding_rates"][-1]["slot"] == first, "another event is as before"
        before, after = (_oracle_bytes(block) for block in localnet.chain.blocks(first - 1, first))
        assert len(after) == len(before) + 1 and after[8 + 32] == 7
        localnet.fork(2)
    speech.known = True
    assert localnet.truth()["perps.oracle_prices"][-1]["slot"] == first


def _oracle_bytes(block: Block) -> bytes:
    """What the last OraclePriceUpdated of the block was said as."""
    begins = hashlib.sha256(b"event:OraclePriceUpdated").digest()[:8]
    said = [line.removeprefix("Program data: ") for each in block.transactions for line in each.logs]
    found = [b64decode(text) for text in said if text.startswith(b64encode(begins)[:10].decode())]
    return found[-1]
