from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heliograph_localnet.exchange.arithmetic import (
    BASE,
    RATIO,
    Side,
    fee_of,
    funding_payment,
    liquidation_price,
    margin_of,
    quote_of,
    unrealized,
)

SIDES: st.SearchStrategy[Side] = st.sampled_from(["long", "short"])
PRICES = st.integers(1_000_000, 10**12)
SIZES = st.integers(BASE, 10**15)


def test_a_quote_is_rounded_down() -> None:
    assert quote_of(1_999_999, BASE // 2) == 999_999


def test_fees_are_rounded_up_and_rebates_towards_zero() -> None:
    assert fee_of(1, 500) == 1
    assert fee_of(1, -100) == 0
    assert fee_of(20_000, -100) == -2


@given(side=SIDES, price=PRICES, size=SIZES, margin=st.integers(60_000, RATIO))
def test_at_its_liquidation_price_a_position_has_its_maintenance_margin_left(
    side: Side, price: int, size: int, margin: int
) -> None:
    maintenance = 50_000
    cost = quote_of(price, size)
    collateral = margin_of(cost, margin)
    edge = liquidation_price(side, size, cost, collateral, maintenance)
    assert edge < price if side == "long" else edge > price
    # One step of price to the good side it is healthy, a few to the bad one it is not.
    step = max(1, 4 * BASE // size)
    good, bad = (edge + step, edge - 2 * step) if side == "long" else (edge - step, edge + 2 * step)

    def healthy(mark: int) -> bool:
        equity = collateral + unrealized(side, size, cost, mark)
        return equity >= margin_of(quote_of(mark, size), maintenance) - 2

    assert healthy(good)
    if bad > 0:
        slack = margin_of(quote_of(step, size), RATIO)
        equity = collateral + unrealized(side, size, cost, bad)
        assert equity < margin_of(quote_of(bad, size), maintenance) + slack


def test_a_position_backed_in_full_has_no_liquidation_price() -> None:
    assert liquidation_price("long", BASE, 100, 200, 50_000) == 0


@given(
    notional=st.integers(0, 10**16), rate=st.integers(-4_000_000, 4_000_000), seconds=st.integers(1, 86_400)
)
def test_funding_never_pays_out_more_than_it_takes(notional: int, rate: int, seconds: int) -> None:
    total = funding_payment("long", notional, rate, seconds) + funding_payment(
        "short", notional, rate, seconds
    )
    assert -1 <= total <= 0
