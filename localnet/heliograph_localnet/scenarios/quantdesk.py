"""QuantDesk on localnet: a vAMM that emits nothing and keeps everything in accounts, and what must come of it.

Made of the deployed IDL; after an upgrade, of the archive's, whose program says seven events. The margin engine is written
here, in the program's integers (6 decimals, basis points), and shares nothing with the indexer's projection. What moves a
position without an instruction of its own in the deployed IDL (an increase, a part that is closed, a liquidation) is done
by a keeper's call that says nothing: only the account tells.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from heliograph_localnet.act import Act, Clock, Step, Wait
from heliograph_localnet.addresses import named
from heliograph_localnet.draft import AccountData
from heliograph_localnet.scripted import Said, ScriptedProgram

ONE = 1_000_000
POSITION_BYTES = 407
MARKET_BYTES = 175
MAINTENANCE = 500
"""Basis points that the program reckons liquidation prices with, whatever the market says."""
SOL_PRICE = 150 * ONE
"""Dollars of a deposited SOL."""
KEEPER = named("quantdesk", "keeper")
NOBODY = "11111111111111111111111111111111"
NOTHING = "check_security_before_trading"
"""An instruction that changes nothing by itself."""
FIVE = [NOBODY] * 5


class Life(msgspec.Struct):
    """A position from its opening to its close, in the program's integers; what must be found of it.

    first, first_entry: size and entry of its opening. opened, closed: slots. told: by what its close is known beside the account. told_pnl: of the event of its close.
    kept: whether the account has it still.
    """

    key: str
    wallet: str
    market: str
    side: Literal["Long", "Short"]
    index: int
    size: int
    first: int
    largest: int
    first_entry: int
    entry: int
    margin: int
    leverage: int
    liquidation: int
    opened: int
    opened_at: int
    realized: int = 0
    unrealized: int = 0
    closed: int | None = None
    told: Literal["close", "liquidation"] | None = None
    told_pnl: int | None = None
    exit: int | None = None
    penalty: int = 0
    kept: bool = True


class QuantDeskScenario:
    """document, archive: the bytes of the deployed IDL and of the other; without the archive's nothing is upgraded. lives: every position there was, in
    the order of their openings; traffic keeps those that are open.
    """

    idl_file = "quantdesk_deployed.json"
    program_address = "5yQ3PK9ZZpLesh4dyQ5pApdkz2wzv4tkqi4RwYFmaZnB"

    def __init__(self, document: bytes, archive: bytes | None = None, *, seed: int = 0) -> None:
        self.program = ScriptedProgram(document, self.program_address)
        self._archive = archive
        self._indexes: Counter[str] = Counter()
        self._seed = seed
        self.prices: dict[str, int] = {"SOL": 150 * ONE, "BTC": 97_000 * ONE}
        self.deposits: dict[str, int] = {}
        self.lives: list[Life] = []
        self.fills: list[dict[str, Any]] = []
        self.failed = 0
        self._speaks = False

    # Stories

    def script(self, clock: Clock) -> Iterator[Step]:
        alice, bob, carol = (named("quantdesk", name) for name in ("alice", "bob", "carol"))
        yield self.program.deploy(KEEPER)
        yield from (self.price(name, price, clock) for name, price in self.prices.items())
        yield from (self.deposit(wallet, 40 * 10**9, clock) for wallet in (alice, bob, carol))
        yield Wait(4)
        yield self.refused_open(carol, "SOL", clock)
        yield self.open(alice, "SOL", "Long", 20 * ONE + 1, 10, clock)
        yield self.open(bob, "BTC", "Short", 20_000, 20, clock)
        yield Wait(4)
        yield self.resize(self.lives[0], 35 * ONE + 1, 161_234_567, clock)
        yield Wait(4)
        yield self.price("SOL", 171_111_111, clock)
        yield self.resize(self.lives[0], 12 * ONE + 5, self.prices["SOL"], clock)
        yield Wait(4, skip=True)
        yield Wait(4)
        yield self.price("SOL", 166_666_667, clock)
        yield self.close(self.lives[0], clock)
        yield self.price("BTC", 103_456_789_123, clock)
        yield self.liquidate(self.lives[1], clock)
        yield Wait(4)
        yield self.open(carol, "SOL", "Short", 7_654_321, 5, clock)
        yield Wait(4)
        yield self.drop(self.lives[0], clock)
        yield Wait(4)
        yield self.open(alice, "SOL", "Short", 3 * ONE, 4, clock, index=self.lives[0].index)
        yield Wait(4)
        yield self.upgrade()
        yield self.open(bob, "SOL", "Long", 11 * ONE + 11, 8, clock)
        yield self.fill(carol, "BTC", "Long", 150_000, 96_999_999_999, 1_455, clock)
        yield Wait(4)
        yield self.price("SOL", 149_999_999, clock)
        yield self.close(self.lives[3], clock)
        yield self.open(carol, "BTC", "Long", 33_333, 25, clock)
        yield Wait(4)
        yield self.funding("BTC", -13, clock)
        yield self.price("BTC", 90_000 * ONE, clock)
        yield self.liquidate(self.lives[5], clock, penalty=77_777)
        yield Wait(8)

    def traffic(self, clock: Clock) -> Iterator[Step]:
        dice = random.Random(self._seed)
        wallets = [named("quantdesk", "trader", number) for number in range(12)]
        yield self.program.deploy(KEEPER)
        yield from (self.price(name, price, clock) for name, price in self.prices.items())
        yield from (self.deposit(wallet, dice.randrange(5, 90) * 10**9, clock) for wallet in wallets)
        while True:
            yield Wait()
            market = dice.choice(list(self.prices))
            if dice.random() < 0.5:
                yield self.price(market, self.prices[market] * dice.randrange(9_980, 10_021) // 10_000, clock)
            held = self.lives = [life for life in self.lives if life.closed is None]
            act = dice.random()
            if act < 0.35 or not held:
                dollars = dice.randrange(50, 5_000) * ONE
                size = dollars * ONE // self.prices[market]
                side: Literal["Long", "Short"] = "Long" if dice.random() < 0.5 else "Short"
                yield self.open(dice.choice(wallets), market, side, size, dice.randrange(2, 21), clock)
            elif act < 0.5:
                life = dice.choice(held)
                size = max(1, life.size * dice.randrange(50, 160) // 100)
                yield self.resize(life, size, self._price_of(life), clock)
            elif act < 0.6:
                yield self.liquidate(dice.choice(held), clock)
            elif act < 0.75:
                yield self.refused_open(dice.choice(wallets), market, clock)
            elif len(held) > 5:
                yield self.close(dice.choice(held), clock)

    # What happens

    def upgrade(self) -> Act:
        """From here on the program speaks as the archive's IDL says."""
        assert self._archive is not None
        self.program = self.program.upgraded(self._archive)
        self._speaks = True
        return self.program.deploy(KEEPER)

    def price(self, asset: str, price: int, clock: Clock) -> Act:
        self.prices[asset] = price
        market, now = self.market(asset), clock().time
        fields = {
            "base_asset": asset,
            "quote_asset": "USDC",
            "base_reserve": ONE,
            "quote_reserve": price,
            "k": 1,
            "funding_rate": 25,
            "last_funding_time": now,
            "funding_interval": 3600,
            "authority": KEEPER,
            "max_leverage": 25,
            "initial_margin_ratio": 1_000,
            "maintenance_margin_ratio": 500,
            "is_active": True,
            "last_oracle_price": price,
            "last_oracle_update": now,
            "bump": 255,
        }
        account = self._padded("Market", fields, MARKET_BYTES)
        if not self._speaks:
            return self._quiet({market: account}, market, price)
        said = Said(
            "OraclePriceUpdated", {"market": market, "price": price, "confidence": 12_345, "timestamp": now}
        )
        return self.program.act(
            KEEPER,
            [said],
            instruction="update_oracle_price",
            args={"new_price": price},
            accounts=[market, NOBODY, KEEPER],
            writes={market: account},
        )

    def funding(self, asset: str, rate: int, clock: Clock) -> Act:
        """rate: basis points."""
        market = self.market(asset)
        said = Said("FundingRateUpdated", {"market": market, "funding_rate": rate, "timestamp": clock().time})
        return self.program.act(KEEPER, [said], instruction="settle_funding", accounts=[market, KEEPER])

    def deposit(self, wallet: str, lamports: int, clock: Clock) -> Act:
        """Before the upgrade, which orders the accounts of a deposit in another way."""
        now = clock().time
        total = self.deposits[wallet] = self.deposits.get(wallet, 0) + lamports
        dollars = total * SOL_PRICE // 10**9
        user, collateral = named("user account", wallet), named("collateral", wallet)
        held = {
            "user": wallet,
            "asset_type": "SOL",
            "amount": total,
            "initial_asset_weight": 8_000,
            "maintenance_asset_weight": 9_000,
            "initial_liability_weight": 12_000,
            "maintenance_liability_weight": 11_000,
            "value_usd": dollars,
            "last_price": SOL_PRICE,
            "last_updated": now,
            "is_active": True,
            "bump": 254,
        }
        return self.program.act(
            wallet,
            instruction="deposit_native_sol",
            args={"amount": lamports},
            accounts=[user, wallet, named("vault"), collateral, NOBODY, NOBODY, NOBODY],
            writes={
                user: self.program.account("UserAccount", _user(wallet, dollars, now)),
                collateral: self.program.account("CollateralAccount", held),
            },
        )

    def open(
        self,
        wallet: str,
        asset: str,
        side: Literal["Long", "Short"],
        size: int,
        leverage: int,
        clock: Clock,
        *,
        index: int | None = None,
    ) -> Act:
        """At the oracle's price. index: of an account that there was before; else a new one."""
        now, price = clock(), self.prices[asset]
        if index is None:
            index = self._indexes[wallet]
            self._indexes[wallet] += 1
        life = Life(
            key=named("position", wallet, index),
            wallet=wallet,
            market=self.market(asset),
            side=side,
            index=index,
            size=size,
            first=size,
            largest=size,
            first_entry=price,
            entry=price,
            margin=size * price // ONE // leverage,
            leverage=leverage,
            liquidation=_liquidation_price(price, side, leverage),
            opened=now.slot,
            opened_at=now.time,
        )
        self.lives.append(life)
        fields = {"position": life.key, **_of(life), "size": size, "entry_price": price, "leverage": leverage}
        said = [Said("PositionOpened", {**fields, "timestamp": now.time})] if self._speaks else []
        return self.program.act(
            wallet, said, writes={life.key: self._account(life, now.time)}, **self._opening(life)
        )

    def refused_open(self, wallet: str, asset: str, clock: Clock) -> Act:
        """For want of collateral: nothing changes."""
        self.failed += 1
        life = Life(
            key=named("position", wallet, 60_000),
            wallet=wallet,
            market=self.market(asset),
            side="Long",
            index=60_000,
            size=10**15,
            first=0,
            largest=0,
            first_entry=self.prices[asset],
            entry=self.prices[asset],
            margin=0,
            leverage=1,
            liquidation=0,
            opened=clock().slot,
            opened_at=clock().time,
        )
        return self.program.act(wallet, error="InsufficientCollateral", **self._opening(life))

    def resize(self, life: Life, size: int, price: int, clock: Clock) -> Act:
        """Grown at a price, the entry averaged; or a part of it closed there, its profit realized."""
        if size > life.size:
            life.entry = (life.size * life.entry + (size - life.size) * price) // size
        else:
            life.realized += _profit(life.side, life.entry, price, life.size - size)
        life.size, life.largest = size, max(life.largest, size)
        life.liquidation = _liquidation_price(life.entry, life.side, life.leverage)
        return self._quiet({life.key: self._account(life, clock().time)}, life.market, price)

    def close(self, life: Life, clock: Clock) -> Act:
        """The account stays, its status too; what came of it is left in unrealized_pnl."""
        price, size = self._price_of(life), life.size
        self._end(life, price, clock)
        life.told = "close"
        said = []
        if self._speaks:
            life.told_pnl, life.exit = life.unrealized, price
            fields = {"position": life.key, **_of(life), "size": size, "exit_price": price}
            said = [Said("PositionClosed", {**fields, "pnl": life.unrealized, "timestamp": clock().time})]
        return self.program.act(
            life.wallet,
            said,
            instruction="close_position",
            accounts=[life.market, life.key, life.wallet],
            writes={life.key: self._account(life, clock().time)},
        )

    def liquidate(self, life: Life, clock: Clock, penalty: int = 0) -> Act:
        price, size = self._price_of(life), life.size
        self._end(life, price, clock)
        writes = {life.key: self._account(life, clock().time)}
        if not self._speaks:
            return self._quiet(writes, life.market, price)
        life.told, life.exit, life.penalty = "liquidation", price, penalty
        fields = {
            "user": life.wallet,
            "position": life.key,
            "market": life.market,
            "liquidated_size": size,
            "liquidation_price": price,
            "penalty": penalty,
            "timestamp": clock().time,
        }
        return self.program.act(
            KEEPER,
            [Said("LiquidationExecuted", fields)],
            instruction="liquidate_position",
            accounts=[life.market, life.key, KEEPER, NOBODY],
            writes=writes,
        )

    def fill(
        self,
        wallet: str,
        asset: str,
        side: Literal["Long", "Short"],
        size: int,
        price: int,
        fee: int,
        clock: Clock,
    ) -> Act:
        """An order that is filled; no position comes of it."""
        order, market = named("order", wallet, len(self.fills)), self.market(asset)
        fields = {
            "user": wallet,
            "order": order,
            "market": market,
            "side": side,
            "size": size,
            "price": price,
        }
        self.fills.append({**fields, "fee": fee})
        return self.program.act(
            KEEPER,
            [Said("OrderFilled", {**fields, "fee": fee, "timestamp": clock().time})],
            instruction="execute_conditional_order",
            accounts=[market, order, KEEPER],
        )

    def drop(self, life: Life, clock: Clock) -> Act:
        """The account of a position that is over is closed, so that its address can be used again."""
        life.kept = False
        return self._quiet({life.key: None}, life.market, 1)

    # How it looks

    def market(self, asset: str) -> str:
        return named("market", asset)

    def _price_of(self, life: Life) -> int:
        return next(price for asset, price in self.prices.items() if self.market(asset) == life.market)

    def _end(self, life: Life, price: int, clock: Clock) -> None:
        life.unrealized = _profit(life.side, life.entry, price, life.size)
        life.size, life.closed = 0, clock().slot

    def _quiet(self, writes: Mapping[str, AccountData | None], market: str, price: int) -> Act:
        args = {"current_price": price, "current_volume": 0, "system_load": 0}
        return self.program.act(
            KEEPER, instruction=NOTHING, args=args, accounts=[market, *FIVE[:4]], writes=writes
        )

    def _opening(self, life: Life) -> dict[str, Any]:
        return {
            "instruction": "open_position",
            "args": {
                "position_index": life.index,
                "side": life.side,
                "size": life.size,
                "leverage": life.leverage,
                "entry_price": life.entry,
            },
            "accounts": [life.key, named("user account", life.wallet), life.market, life.wallet, NOBODY],
        }

    def _account(self, life: Life, now: int) -> AccountData:
        fields = {
            "user_account": life.wallet,
            "user": life.wallet,
            "market": life.market,
            "position_index": life.index,
            "side": life.side,
            "status": "Open",
            "size": life.size,
            "entry_price": life.entry,
            "current_price": life.entry,
            "liquidation_price": life.liquidation,
            "unrealized_pnl": life.unrealized,
            "realized_pnl": life.realized,
            "funding_rate": 0,
            "last_funding_update": now,
            "total_funding_paid": 0,
            "initial_margin": life.margin,
            "maintenance_margin": life.margin * 8 // 10,
            "leverage": life.leverage,
            "margin": 0,
            "total_collateral_value": 0,
            "collateral_accounts": FIVE,
            "opened_at": life.opened_at,
            "closed_at": 0,
            "last_updated": now,
            "created_at": 0,
            "bump": 253,
        }
        return self._padded("Position", fields, POSITION_BYTES)

    def _padded(self, name: str, fields: dict[str, Any], size: int) -> AccountData:
        account = self.program.account(name, fields)
        return msgspec.structs.replace(account, data=account.data.ljust(size, b"\0"))


def _of(life: Life) -> dict[str, Any]:
    return {"user": life.wallet, "market": life.market, "side": life.side}


def _profit(side: str, entry: int, price: int, size: int) -> int:
    """Toward zero, as the program's integers divide."""
    product = (price - entry if side == "Long" else entry - price) * size
    return abs(product) // ONE * (1 if product >= 0 else -1)


def _liquidation_price(entry: int, side: str, leverage: int) -> int:
    ratio = MAINTENANCE * 10_000 // leverage
    return max(0, entry * (10_000 - ratio if side == "Long" else 10_000 + ratio) // 10_000)


def _user(wallet: str, dollars: int, now: int) -> dict[str, Any]:
    return {
        "authority": wallet,
        "account_index": 0,
        "total_collateral": dollars,
        "total_positions": 0,
        "total_orders": 0,
        "max_positions": 50,
        "initial_margin_requirement": 0,
        "maintenance_margin_requirement": 0,
        "available_margin": dollars,
        "account_health": 10_000,
        "liquidation_price": 0,
        "liquidation_threshold": 2_000,
        "max_leverage": 1_000,
        "total_funding_paid": 0,
        "total_funding_received": 0,
        "total_fees_paid": 0,
        "total_rebates_earned": 0,
        "created_at": now,
        "last_activity": now,
        "is_active": True,
        "bump": 252,
    }
