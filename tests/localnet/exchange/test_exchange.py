from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliograph_localnet.exchange.arithmetic import BASE, Side
from heliograph_localnet.exchange.exchange import Exchange
from heliograph_localnet.exchange.facts import (
    CollateralLocked,
    CollateralReleased,
    Fact,
    FundingRatePaid,
    LiquidationExecuted,
    OrderFilled,
    OrderPlaced,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
    Terms,
)
from heliograph_localnet.exchange.refusal import Refusal
from heliograph_localnet.now import Now

SOL = BASE
USD = 1_000_000
PRICE = 100 * USD


def kinds(facts: list[Fact]) -> list[str]:
    return [type(fact).__name__ for fact in facts]


def trade(
    exchange: Exchange, now: Now, taker: str, side: Side, size: int, maker: str = "bob", collateral: int = 0
) -> list[Fact]:
    against: Side = "short" if side == "long" else "long"
    price = exchange.markets["m"].mark_price // 10_000 * 10_000
    exchange.place_order("m", maker, against, size, now, price=price, collateral=price)
    return exchange.place_order("m", taker, side, size, now, collateral=collateral)


def check_books(exchange: Exchange) -> None:
    """Whatever happened, these hold to the last unit."""
    held = list(exchange.clearing.positions.values())
    vault = exchange.vault
    free = sum(purse.free for purse in vault.purses.values())
    assert free + sum(p.collateral for p in held) + vault.treasury == vault.deposited - vault.withdrawn
    for wallet, purse in vault.purses.items():
        assert purse.free >= 0
        assert purse.locked == sum(p.locked for p in held if p.wallet == wallet)
    for address, market in exchange.markets.items():
        longs = [p for p in held if p.market == address and p.side == "long"]
        shorts = [p for p in held if p.market == address and p.side == "short"]
        assert sum(p.size for p in longs) == market.open_long == market.open_short
        assert sum(p.size for p in shorts) == market.open_short
        bid, ask = market.book.best("long"), market.book.best("short")
        assert bid is None or ask is None or bid.price < ask.price
    assert all(p.size > 0 and p.size % 10_000_000 == 0 for p in held)


def test_a_fill_opens_a_position_on_both_sides(exchange: Exchange, now: Now) -> None:
    facts = trade(exchange, now, "ann", "long", 10 * SOL)
    assert kinds(facts) == [
        "OrderPlaced",
        "OrderFilled",
        "CollateralLocked",
        "PositionOpened",
        "CollateralLocked",
        "PositionOpened",
    ]
    fill = facts[1]
    assert isinstance(fill, OrderFilled)
    assert (fill.taker, fill.maker, fill.taker_side, fill.quote) == ("ann", "bob", "long", 1_000 * USD)
    assert (fill.taker_fee, fill.maker_fee) == (USD // 2, -USD // 10)
    check_books(exchange)


def test_an_opening_locks_the_initial_margin_and_the_fee_at_least(exchange: Exchange, now: Now) -> None:
    facts = trade(exchange, now, "ann", "long", 10 * SOL, collateral=1)
    opened = facts[3]
    assert isinstance(opened, PositionOpened)
    assert opened.collateral == 100 * USD + USD // 2
    assert opened.collateral_after == 100 * USD


def test_more_collateral_moves_the_liquidation_price_away(exchange: Exchange, now: Now) -> None:
    near = trade(exchange, now, "ann", "long", 10 * SOL)[3]
    far = trade(exchange, now, "cem", "long", 10 * SOL, collateral=500 * USD)[3]
    assert isinstance(near, PositionOpened)
    assert isinstance(far, PositionOpened)
    assert far.liquidation_price < near.liquidation_price < PRICE


def test_an_increase_averages_the_entry_price(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    exchange.set_price("m", 110 * USD, 1, now.time, now)
    updated = trade(exchange, now, "ann", "long", 10 * SOL)[3]
    assert isinstance(updated, PositionUpdated)
    assert (updated.reason, updated.size_after, updated.entry_price_after) == (
        "increase",
        20 * SOL,
        105 * USD,
    )


def test_a_decrease_pays_its_share_of_collateral_and_the_result(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    exchange.set_price("m", 110 * USD, 1, now.time, now)
    facts = trade(exchange, now, "ann", "short", 5 * SOL, maker="cem")
    updated, released = facts[2], facts[3]
    assert isinstance(updated, PositionUpdated)
    assert isinstance(released, CollateralReleased)
    fee = 550 * USD * 500 // 1_000_000
    assert (updated.reason, updated.size_delta, updated.realized_pnl) == ("decrease", -5 * SOL, 50 * USD)
    assert updated.fee == fee
    assert released.returned == 50 * USD + 50 * USD - fee
    assert updated.collateral_after == 50 * USD
    assert updated.collateral_delta == -50 * USD
    check_books(exchange)


def test_a_close_leaves_nothing_behind(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    facts = trade(exchange, now, "ann", "short", 10 * SOL, maker="cem")
    closed, released = facts[2], facts[3]
    assert isinstance(closed, PositionClosed)
    assert isinstance(released, CollateralReleased)
    assert (closed.reason, closed.size, closed.collateral_delta) == ("close", 10 * SOL, -100 * USD)
    assert exchange.position("ann", "m") is None
    assert exchange.vault.locked("ann") == 0
    assert exchange.vault.free("ann") == 100_000 * USD - USD
    check_books(exchange)


def test_a_flip_closes_then_opens_the_same_address(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    facts = trade(exchange, now, "ann", "short", 25 * SOL, maker="cem")
    mine = [fact for fact in facts if getattr(fact, "wallet", None) == "ann"][1:]
    assert kinds(mine) == ["PositionClosed", "CollateralReleased", "CollateralLocked", "PositionOpened"]
    closed, opened = mine[0], mine[3]
    assert isinstance(closed, PositionClosed)
    assert isinstance(opened, PositionOpened)
    assert closed.position == opened.position
    assert (closed.size, opened.size, opened.side) == (10 * SOL, 15 * SOL, "short")
    fill = facts[1]
    assert isinstance(fill, OrderFilled)
    assert closed.fee + opened.fee == fill.taker_fee
    check_books(exchange)


def test_price_then_time_decides_who_is_filled(exchange: Exchange, now: Now) -> None:
    exchange.place_order("m", "bob", "short", SOL, now, price=101 * USD)
    exchange.place_order("m", "cem", "short", SOL, now, price=100 * USD)
    exchange.place_order("m", "bob", "short", SOL, now, price=100 * USD)
    facts = exchange.place_order("m", "ann", "long", 3 * SOL, now)
    fills = [fact for fact in facts if isinstance(fact, OrderFilled)]
    assert [(fill.maker, fill.price) for fill in fills] == [
        ("cem", 100 * USD),
        ("bob", 100 * USD),
        ("bob", 101 * USD),
    ]


def test_what_a_limit_order_does_not_fill_rests_and_a_market_order_does_not(
    exchange: Exchange, now: Now
) -> None:
    exchange.place_order("m", "bob", "short", SOL, now, price=PRICE)
    exchange.place_order("m", "ann", "long", 3 * SOL, now, price=PRICE)
    (resting,) = exchange.markets["m"].book
    assert (resting.wallet, resting.left) == ("ann", 2 * SOL)
    exchange.place_order("m", "cem", "short", 5 * SOL, now)
    assert len(exchange.markets["m"].book) == 0


def test_reduce_only_never_opens(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", SOL)
    exchange.place_order("m", "cem", "long", 9 * SOL, now, price=PRICE)
    facts = exchange.place_order("m", "ann", "short", 9 * SOL, now, reduce_only=True)
    assert "PositionClosed" in kinds(facts)
    assert exchange.position("ann", "m") is None
    assert kinds(exchange.place_order("m", "ann", "short", SOL, now, reduce_only=True)) == ["OrderPlaced"]


def test_a_wallet_never_trades_with_itself(exchange: Exchange, now: Now) -> None:
    exchange.place_order("m", "ann", "short", SOL, now, price=PRICE)
    facts = exchange.place_order("m", "ann", "long", SOL, now, price=PRICE)
    assert kinds(facts) == ["OrderPlaced"]
    check_books(exchange)


def test_an_order_that_a_jump_left_behind_is_not_filled(exchange: Exchange, now: Now) -> None:
    exchange.place_order("m", "bob", "short", SOL, now, price=PRICE)
    exchange.set_price("m", 150 * USD, 1, now.time, now)
    assert kinds(exchange.place_order("m", "ann", "long", SOL, now)) == ["OrderPlaced"]
    assert len(exchange.markets["m"].book) == 0


def test_a_refused_order_has_announced_itself_and_changed_nothing(exchange: Exchange, now: Now) -> None:
    exchange.place_order("m", "ann", "short", SOL, now, price=PRICE)
    before = (exchange.vault.free("poor"), len(exchange.markets["m"].book))
    with pytest.raises(Refusal) as refused:
        exchange.place_order("m", "poor", "long", SOL, now)
    assert refused.value.reason == "InsufficientCollateral"
    assert kinds(list(refused.value.said)) == ["OrderPlaced", "OrderFilled"]
    assert (exchange.vault.free("poor"), len(exchange.markets["m"].book)) == before
    placed = exchange.place_order("m", "ann", "short", SOL, now, price=PRICE)[0]
    said = refused.value.said[0]
    assert isinstance(placed, OrderPlaced)
    assert isinstance(said, OrderPlaced)
    assert placed.order_id == said.order_id


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"size": 10_000_001}, "InvalidSize"),
        ({"size": 0}, "InvalidSize"),
        ({"size": SOL, "price": 200 * USD}, "PriceOutOfBounds"),
        ({"size": SOL, "price": 1}, "PriceOutOfBounds"),
    ],
)
def test_a_bad_order_is_refused_by_name(
    exchange: Exchange, now: Now, order: dict[str, int], reason: str
) -> None:
    with pytest.raises(Refusal) as refused:
        exchange.place_order("m", "ann", "long", order["size"], now, price=order.get("price"))
    assert refused.value.reason == reason


def test_a_paused_market_and_a_stale_oracle_refuse_orders(exchange: Exchange, now: Now) -> None:
    with pytest.raises(Refusal, match="StaleOracle"):
        exchange.place_order("m", "ann", "long", SOL, Now(9, now.time + 601))
    exchange.markets["m"].paused = True
    with pytest.raises(Refusal, match="MarketPaused"):
        exchange.place_order("m", "ann", "long", SOL, now)


def test_only_free_collateral_can_be_withdrawn(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    with pytest.raises(Refusal, match="InsufficientFunds"):
        exchange.withdraw("ann", exchange.vault.free("ann") + 1, now)
    exchange.withdraw("ann", exchange.vault.free("ann"), now)
    assert exchange.vault.free("ann") == 0
    check_books(exchange)


def test_a_healthy_position_is_not_liquidated(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    with pytest.raises(Refusal, match="PositionHealthy"):
        exchange.liquidate("m", "ann", "cem", now)


def test_a_small_unhealthy_position_is_taken_whole(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    exchange.set_price("m", 94 * USD, 1, now.time, now)
    assert [held.wallet for held in exchange.unhealthy("m")] == ["ann"]
    facts = exchange.liquidate("m", "ann", "cem", now)
    assert kinds(facts) == [
        "OrderFilled",
        "PositionClosed",
        "CollateralReleased",
        "LiquidationExecuted",
        "CollateralLocked",
        "PositionOpened",
    ]
    fill, closed, executed = facts[0], facts[1], facts[3]
    assert isinstance(fill, OrderFilled)
    assert isinstance(closed, PositionClosed)
    assert isinstance(executed, LiquidationExecuted)
    assert (fill.liquidation, fill.taker, fill.taker_side, fill.maker) == (True, "ann", "short", "cem")
    assert fill.fill_id == executed.fill_id == closed.fill_id
    assert closed.reason == "liquidation"
    assert closed.fee == fill.taker_fee + executed.fee
    assert (executed.size_after, executed.bad_debt) == (0, 0)
    check_books(exchange)


def test_a_large_position_is_taken_by_half_and_gets_healthier(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 200 * SOL)
    exchange.set_price("m", 94_500_000, 1, now.time, now)
    facts = exchange.liquidate("m", "ann", "cem", now)
    updated, executed = facts[1], facts[2]
    assert isinstance(updated, PositionUpdated)
    assert isinstance(executed, LiquidationExecuted)
    assert (updated.reason, updated.size_after, executed.size) == ("liquidation", 100 * SOL, 100 * SOL)
    held = exchange.position("ann", "m")
    assert held is not None
    assert held.equity(94_500_000) > held.required(94_500_000)
    check_books(exchange)


def test_a_loss_beyond_the_collateral_is_bad_debt_of_the_treasury(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    exchange.set_price("m", 80 * USD, 1, now.time, now)
    facts = exchange.liquidate("m", "ann", "cem", now)
    executed = facts[3]
    assert isinstance(executed, LiquidationExecuted)
    # 1,000 at entry, 800 now, 100 of collateral, and the taker fee of 0.4.
    assert executed.bad_debt == 100 * USD + 400_000
    assert executed.fee == 0
    assert exchange.vault.free("ann") == 100_000 * USD - 100 * USD - 500_000
    check_books(exchange)


def test_longs_pay_shorts_while_the_rate_is_positive(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    exchange.update_funding("m", now)
    facts = exchange.settle_funding("m", now)
    paid = {fact.wallet: fact for fact in facts if isinstance(fact, FundingRatePaid)}
    rate = exchange.markets["m"].funding_rate
    assert rate > 0
    assert paid["ann"].payment < 0 < paid["bob"].payment
    assert 0 <= -(paid["ann"].payment + paid["bob"].payment) <= 1
    assert paid["ann"].rate == rate
    check_books(exchange)


def test_an_interval_is_settled_in_parts_at_one_rate(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    trade(exchange, now, "cem", "long", 10 * SOL)
    exchange.update_funding("m", now)
    first = exchange.settle_funding("m", now, most=2)
    trade(exchange, now, "ann", "short", 10 * SOL)
    rest = exchange.settle_funding("m", now, most=2)
    assert exchange.markets["m"].settlement is None
    assert len(first) == 2
    wallets = [fact.wallet for fact in (*first, *rest) if isinstance(fact, FundingRatePaid)]
    assert sorted(wallets) == ["ann", "bob", "cem"]


def test_a_position_opened_after_the_interval_ended_does_not_pay_for_it(exchange: Exchange, now: Now) -> None:
    trade(exchange, now, "ann", "long", 10 * SOL)
    exchange.update_funding("m", now)
    exchange.settle_funding("m", now, most=1)
    trade(exchange, now, "cem", "long", 10 * SOL)
    rest = exchange.settle_funding("m", now)
    assert "cem" not in [fact.wallet for fact in rest if isinstance(fact, FundingRatePaid)]


def test_a_maker_without_collateral_is_passed_over(exchange: Exchange, now: Now) -> None:
    exchange.place_order("m", "poor", "short", SOL, now, price=PRICE)
    exchange.place_order("m", "bob", "short", SOL, now, price=PRICE)
    facts = exchange.place_order("m", "ann", "long", SOL, now)
    assert [fact.maker for fact in facts if isinstance(fact, OrderFilled)] == ["bob"]


WALLETS = ("w0", "w1", "w2", "w3", "w4")
STEP = st.tuples(
    st.sampled_from(["order"] * 6 + ["price", "fund", "settle", "liquidate", "deposit", "withdraw"]),
    st.sampled_from(WALLETS),
    st.integers(0, 10_000),
    st.booleans(),
    st.booleans(),
)


def act(exchange: Exchange, now: Now, step: tuple[str, str, int, bool, bool]) -> list[Fact]:
    what, wallet, amount, long, odd = step
    market = exchange.markets["m"]
    match what:
        case "order":
            side: Side = "long" if long else "short"
            price = None
            if amount % 3:
                price = market.mark_price * (9_900 + amount % 200) // 10_000 // 10_000 * 10_000
            size = (1 + amount % 500) * 10_000_000
            return exchange.place_order(
                "m",
                wallet,
                side,
                size,
                now,
                price=price,
                reduce_only=odd and long,
                collateral=amount * 100_000,
            )
        case "price":
            price = market.index_price * (9_500 + amount % 1_000) // 10_000
            return exchange.set_price("m", max(price, USD), 1, now.time, now)
        case "fund":
            return exchange.update_funding("m", now)
        case "settle":
            return exchange.settle_funding("m", now, most=2)
        case "liquidate":
            weak = [held.wallet for held in exchange.unhealthy("m")] or [wallet]
            return exchange.liquidate("m", weak[0], "keeper", now)
        case "deposit":
            return exchange.deposit(wallet, 1 + amount * USD, now)
    return exchange.withdraw(wallet, amount * 10_000, now)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEP, max_size=80))
def test_whatever_happens_the_books_balance(steps: list[tuple[str, str, int, bool, bool]]) -> None:
    exchange = Exchange(mint="usdc", position_key=lambda wallet, market: f"{wallet}@{market}")
    now = Now(1, 1_000)
    terms = Terms(
        symbol="SOL-PERP",
        base_asset="SOL",
        quote_asset="USDC",
        oracle="oracle",
        tick_size=10_000,
        lot_size=10_000_000,
        initial_margin_ratio=100_000,
        maintenance_margin_ratio=50_000,
        taker_fee_rate=500,
        maker_fee_rate=-100,
        funding_interval_seconds=10,
    )
    exchange.create_market("m", terms, now)
    exchange.set_price("m", PRICE, 1, now.time, now)
    for wallet in WALLETS:
        exchange.deposit(wallet, 500 * USD, now)
    exchange.deposit("keeper", 10**7 * USD, now)
    balances: dict[str, tuple[int, int]] = {}
    collateral: dict[str, int] = {}
    for number, step in enumerate(steps):
        now = Now(number, 1_000 + number)
        try:
            facts = act(exchange, now, step)
        except Refusal:
            check_books(exchange)
            continue
        check_books(exchange)
        for fact in facts:
            if isinstance(fact, CollateralLocked | CollateralReleased):
                balances[fact.wallet] = (fact.free_after, fact.locked_after)
            # Every after-value continues from the one before: what an indexer sums is what the books say.
            if isinstance(fact, PositionOpened):
                collateral[fact.position] = fact.collateral_after
            elif isinstance(fact, PositionUpdated):
                collateral[fact.position] += fact.collateral_delta
                assert collateral[fact.position] == fact.collateral_after
            elif isinstance(fact, FundingRatePaid):
                collateral[fact.position] += fact.payment
                assert collateral[fact.position] == fact.collateral_after
            elif isinstance(fact, PositionClosed):
                assert collateral.pop(fact.position) == -fact.collateral_delta
    assert collateral == {held.key: held.collateral for held in exchange.clearing.positions.values()}
