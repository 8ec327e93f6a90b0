from __future__ import annotations

from decimal import Decimal

from heliograph_localnet.exchange.facts import (
    CollateralReleased,
    FundingRatePaid,
    FundingRateUpdated,
    OrderPlaced,
    PositionClosed,
)
from heliograph_localnet.statements import Place, statements

PLACE = Place("s", 1_000, 10, 2, 3, "sig", "program")


def test_an_order_alone_is_no_row() -> None:
    assert statements(OrderPlaced("m", "w", 1, "long", "market", None, 1, False, 0), PLACE) == []


def test_every_row_stands_at_its_place() -> None:
    ((table, row),) = statements(FundingRateUpdated("m", 1, 2, 3, 4, 7, 10, 0), PLACE)
    assert table == "perps.funding_rates"
    key = ("stream", "block_time", "slot", "tx_index", "ordinal", "part", "signature", "program")
    assert tuple(row[name] for name in key) == ("s", 1_000, 10, 2, 3, 0, "sig", "program")


def test_an_interval_rate_is_rounded_half_even_to_18_places() -> None:
    ((_, row),) = statements(FundingRateUpdated("m", 1, 2, 3, 4, 7, 10, 0), PLACE)
    # 7e-9 an hour for 10 of 3,600 seconds.
    assert row["interval_rate"] == Decimal("0.000000000019444444")
    assert row["rate"] == Decimal("0.000000007")


def test_a_funding_payment_is_a_payment_and_a_change_of_the_position() -> None:
    fact = FundingRatePaid("m", "w", "p", "short", 2 * 10**9, 5, 10, -3, 100, 0, 0)
    (change_table, change), (payment_table, payment) = statements(fact, PLACE)
    assert (change_table, payment_table) == ("perps.position_changes", "perps.funding_payments")
    assert change["funding"] == change["collateral_delta"] == payment["amount"] == Decimal("-0.000003")
    assert (change["price"], change["trade_id"], change["liquidation_price_after"]) == (None, None, None)


def test_a_release_gives_the_result_to_the_free_side() -> None:
    fact = CollateralReleased("w", "usdc", "p", 5_000_000, 7_000_000, 9_000_000, 0, 0)
    ((_, row),) = statements(fact, PLACE)
    assert (row["amount"], row["free_delta"], row["locked_delta"], row["locked_after"]) == (5, 7, -5, 0)


def test_a_close_ends_everything() -> None:
    fact = PositionClosed("m", "w", "p", "long", "liquidation", 10**9, 5_000_000, -8, 1, 2, 3, 0)
    ((_, row),) = statements(fact, PLACE)
    assert (row["kind"], row["size_delta"], row["size_after"], row["collateral_after"]) == (
        "liquidation",
        -1,
        0,
        0,
    )
    assert (row["entry_price_after"], row["liquidation_price_after"], row["trade_id"]) == (None, None, "3")
