"""Drift on localnet, made from its real IDL: an order book's fills, funding, settlements, liquidations and deposits.

Fills tell a direction and no side. In the middle of the script the program is upgraded to a layout whose fills tell what they
closed; both log channels are used, as the program uses them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, ClassVar

from solders.pubkey import Pubkey

from heliograph_core.amounts import quotient, scaled
from heliograph_localnet.act import Act, Clock, Step, Wait
from heliograph_localnet.addresses import USDC, named
from heliograph_localnet.scenarios.drift_books import BASE, QUOTE, Held, Row
from heliograph_localnet.scripted import Said, ScriptedProgram

PROGRAM = "dRiftyHA39MWEi3m9aunc5MzRF1JYuBsbn6VPcn33UH"
SYMBOLS = ("SOL-PERP", "BTC-PERP")
PRICES = (150_000_000, 97_000_000_000)
_NOBODY = "11111111111111111111111111111111"


class DriftScenario:
    """document: an IDL of the program. newer: the one that it is upgraded to in the middle of the script; None: it is not."""

    idl_file: ClassVar[str] = "drift_v2.json"
    program_address: ClassVar[str] = PROGRAM

    def __init__(self, document: bytes, seed: int = 0, *, newer: bytes | None = None) -> None:
        self.program = ScriptedProgram(document, PROGRAM)
        self._newer = newer
        self._seed = seed
        self._idl = json.loads(document)
        self.keeper = named(seed, "drift", "keeper")
        self.upgraded_at: int | None = None
        """The first slot of the newer IDL, once the script has come to it."""
        self.held: dict[tuple[str, int], Held] = {}
        self._wallets: dict[str, tuple[str, int]] = {}
        self._balances: dict[str, int] = {}
        self._prices = list(PRICES)
        self._rates = [7_500] * len(SYMBOLS)
        self._numbers = dict.fromkeys(("fill", "order", "deposit", "funding", "liquidation"), 0)

    # What tests and the demo play

    def script(self, clock: Clock) -> Iterator[Step]:
        yield self.program.deploy(self.keeper)
        yield from self.open_markets()
        alice, second, bob, maker = (
            self.user(name, sub) for name, sub in (("alice", 0), ("alice", 1), ("bob", 0), ("maker", 0))
        )
        for user, amount in (
            (alice, 5_000_000_000),
            (second, 700_000_001),
            (bob, 9_000_000_000),
            (maker, 10**12),
        ):
            yield self.join(user)
            yield self.deposit(user, amount)
        yield Wait()
        # Opened, grown by a fill behind `Program log:`, paid for, reduced by a third of it.
        yield self.fill(alice, maker, 0, 10 * 10**9, 1_500_000_001)
        yield self.fill(alice, maker, 0, 5 * 10**9, 755_000_003, manner="log")
        yield self.other_orders(alice)
        yield Wait(2, seconds=3_600)
        yield self.funding_rate(0, 14_237, 150_400_000, 150_000_000)
        yield self.funding(alice, 0, -213_555)
        yield self.funding(maker, 0, 213_555)
        yield self.fill(alice, maker, 0, -5 * 10**9, 760_000_001, manner="log")
        yield self.fails(alice)
        yield Wait(skip=True)
        yield self.settle(alice, 0, 1_000_007)
        # The other sub-account of the same wallet, on the other side; the AMM makes the price.
        yield self.fill(second, None, 1, -2 * 10**8, 19_400_000_000, manner="log")
        yield self.fill(bob, maker, 1, 3 * 10**8, 29_130_000_007)
        yield Wait(2)
        if self._newer is not None:
            self.program = self.program.upgraded(self._newer)
            self._idl = json.loads(self._newer)
            self.upgraded_at = clock().slot
            yield self.program.deploy(self.keeper)
            yield Wait()
        # From long to short in one fill, which tells what it closed.
        yield self.fill(alice, maker, 0, -17 * 10**9, 2_533_333_331, manner="log")
        yield self.funding(alice, 0, 98_765)
        yield self.settle(alice, 0, -2_000_003)
        yield Wait(2, seconds=1_800)
        # The AMM takes what the maker offered.
        yield self.fill(None, bob, 1, 10**8, 9_720_000_001, manner="log")
        yield self.liquidate(alice, bob, 0, 3 * 10**9, 480_000_002)
        yield self.liquidate(alice, bob, 0, 4 * 10**9, 652_000_000)
        yield Wait()
        # Profit that is settled after the close, and the same key again.
        yield self.settle(alice, 0, -77_000_000)
        yield self.deposit(alice, 1_000_000_000)
        yield self.fill(alice, maker, 0, 1_234_567_890, 188_888_888)
        yield self.move(alice, second, 55_000_000)
        yield self.funding(second, 1, -31)
        yield self.funding(bob, 1, 17)
        yield Wait(2)
        yield self.fill(second, bob, 1, 2 * 10**8, 19_000_000_000)
        yield self.fill(maker, bob, 0, 9 * 10**9, 1_377_000_013, manner="log")
        yield self.funding(maker, 0, 4)
        yield self.funding_rate(1, -2_000_000, 97_100_000_000, 97_000_000_000)
        yield self.open_market(0)
        yield Wait(4)

    def traffic(self, clock: Clock) -> Iterator[Step]:
        chance = random.Random(self._seed)
        yield self.program.deploy(self.keeper)
        yield from self.open_markets()
        maker = self.user("maker", 0)
        users = [self.user(f"trader {number}", 0) for number in range(40)]
        for user in (maker, *users):
            yield self.join(user)
            yield self.deposit(user, chance.randrange(10**9, 10**11))
        since = clock().time
        while True:
            for index, price in enumerate(self._prices):
                self._prices[index] = price * chance.randrange(9_990, 10_011) // 10_000
            for _ in range(chance.randrange(1, 5)):
                index, user = chance.randrange(len(SYMBOLS)), chance.choice(users)
                size = chance.randrange(1, 400) * (10**8 if index == 0 else 10**6)
                held = self.of(user, index).base
                if held and chance.random() < 0.4:
                    size = chance.choice((abs(held), 2 * abs(held), max(abs(held) // 3, 1)))
                sign = chance.choice((1, -1)) if not held else -1 if held > 0 else 1
                if held and chance.random() < 0.03:
                    yield self.liquidate(user, maker, index, abs(held), self._worth(index, abs(held)))
                else:
                    quote, manner = self._worth(index, size), chance.choice(("log", "data"))
                    yield self.fill(user, maker, index, sign * size, quote, manner=manner)
            if clock().time - since >= 60:
                since = clock().time
                for index, price in enumerate(self._prices):
                    rate = chance.randrange(-200, 400) * price // 10**4
                    # A day of the rate is what the market stands above its oracle.
                    yield self.funding_rate(index, rate, price + 24 * rate // 1_000, price)
                    for user in users:
                        base = self.of(user, index).base
                        if base:
                            yield self.funding(user, index, -(base * rate // 10**12))
            yield self.open_market(chance.randrange(len(SYMBOLS)))
            yield Wait()

    # What happens

    def user(self, name: str, sub_account: int) -> str:
        """Address of a sub-account."""
        wallet = named(self._seed, "drift", name)
        user = named(self._seed, "drift", name, sub_account)
        self._wallets[user] = (wallet, sub_account)
        return user

    def _worth(self, index: int, size: int) -> int:
        """At the market's price; never nothing."""
        return max(size * self._prices[index] // 10**9, 1)

    def of(self, user: str, index: int) -> Held:
        wallet, _ = self._wallets[user]
        return self.held.setdefault((user, index), Held(user, wallet, index, market_address(index)))

    def open_markets(self) -> Iterator[Step]:
        for index in range(len(SYMBOLS)):
            yield self.open_market(index)

    def open_market(self, index: int) -> Act:
        """Writes the market's account as it is now."""
        long = sum(held.base for (_, of), held in self.held.items() if of == index and held.base > 0)
        short = sum(held.base for (_, of), held in self.held.items() if of == index and held.base < 0)
        price, reserve = self._prices[index], 5 * 10**15
        fields = self.blank("PerpMarket")
        fields["amm"] |= {
            "oracle": named("drift", "oracle", index),
            "historicalOracleData": {
                **fields["amm"]["historicalOracleData"],
                "lastOraclePrice": price,
                "lastOraclePriceTwap": price,
            },
            "baseAssetReserve": reserve,
            "quoteAssetReserve": reserve,
            "pegMultiplier": price,
            "baseAssetAmountLong": long,
            "baseAssetAmountShort": short,
            "fundingPeriod": 3_600,
            "lastFundingRate": self._rates[index],
            "orderStepSize": 10_000_000,
            "orderTickSize": 100,
        }
        fields |= {
            "pubkey": market_address(index),
            "name": list(SYMBOLS[index].encode().ljust(32)),
            "marginRatioInitial": 1_000,
            "marginRatioMaintenance": 500,
            "marketIndex": index,
        }
        row: Row = {
            "market": market_address(index),
            "symbol": SYMBOLS[index],
            "base_asset": SYMBOLS[index].removesuffix("-PERP"),
            "quote_asset": "USDC",
            "oracle": named("drift", "oracle", index),
            "tick_size": scaled(100, QUOTE),
            "lot_size": scaled(1, 2),
            "initial_margin_ratio": scaled(1, 1),
            "maintenance_margin_ratio": scaled(5, 2),
            "taker_fee_rate": None,
            "maker_fee_rate": None,
            "funding_interval_seconds": 3_600,
            "created_slot": None,
            "created_at": None,
            "mark_price": scaled(price, QUOTE),
            "index_price": scaled(price, QUOTE),
            "funding_rate": quotient(scaled(self._rates[index], 9), scaled(price, QUOTE)),
            "open_interest_long": scaled(long, BASE),
            "open_interest_short": scaled(-short, BASE),
            "borrow_rate": None,
        }
        account = self.program.account("PerpMarket", fields)
        return self.program.act(
            self.keeper, writes={market_address(index): account}, rows=[("perps.markets", row)]
        )

    def join(self, user: str) -> Act:
        wallet, sub_account = self._wallets[user]
        fields = self.event("NewUserRecord", userAuthority=wallet, user=user, subAccountId=sub_account)
        return self.act([Said("NewUserRecord", fields)], user)

    def fill(
        self,
        taker: str | None,
        maker: str | None,
        index: int,
        base: int,
        quote: int,
        *,
        manner: Any = "data",
    ) -> Act:
        """base: what the taker buys, negative where it sells. One side may be the AMM, None."""
        said = self._filled(taker, maker, index, base, quote, quote // 1_000, -(quote // 5_000), manner)
        return self.act([said], taker, maker)

    def liquidate(self, user: str, liquidator: str, index: int, size: int, quote: int) -> Act:
        """The liquidator takes over a part of the user's position, and tells it after the fill."""
        base = -size if self.of(user, index).base > 0 else size
        fee, fund = quote // 100, quote // 200
        said = self._filled(user, liquidator, index, base, quote, fee + fund, -fee, "data", liquidated=True)
        self._numbers["liquidation"] += 1
        part = {
            **self._blank_type({"defined": "LiquidatePerpRecord"}),
            "marketIndex": index,
            "oraclePrice": self._prices[index],
            "baseAssetAmount": base,
            "quoteAssetAmount": quote if base < 0 else -quote,
            "fillRecordId": self._numbers["fill"],
            "liquidatorFee": fee,
            "ifFee": fund,
        }
        fields = self.event(
            "LiquidationRecord",
            liquidationType="LiquidatePerp",
            user=user,
            liquidator=liquidator,
            liquidationId=self._numbers["liquidation"],
            liquidatePerp=part,
        )
        row: Row = {
            "market": market_address(index),
            "liquidation_id": str(self._numbers["fill"]),
            "wallet": self._wallets[user][0],
            "liquidator": self._wallets[liquidator][0],
            "position_key": f"{user}-{index}",
            "side": "long" if base < 0 else "short",
            "size": scaled(size, BASE),
            "price": quotient(scaled(quote, QUOTE), scaled(size, BASE)),
            "mark_price": scaled(self._prices[index], QUOTE),
            "quote": scaled(quote, QUOTE),
            "fee": scaled(fee + fund, QUOTE),
            "realized_pnl": None,
            "bad_debt": scaled(0, QUOTE),
            "kind": "perp",
        }
        told = Said("LiquidationRecord", fields, rows=(("perps.liquidations", row),))
        return self.act([said, told], user, liquidator)

    def funding_rate(self, index: int, rate: int, mark: int, oracle: int) -> Act:
        self._numbers["funding"] += 1
        self._rates[index] = rate
        fields = self.event(
            "FundingRateRecord",
            recordId=self._numbers["funding"],
            marketIndex=index,
            fundingRate=rate,
            fundingRateLong=rate,
            fundingRateShort=rate,
            oraclePriceTwap=oracle,
            markPriceTwap=mark,
        )
        fraction = quotient(scaled(rate, 9), scaled(oracle, QUOTE))
        row: Row = {
            "market": market_address(index),
            "mark_price": scaled(mark, QUOTE),
            "index_price": scaled(oracle, QUOTE),
            "premium": None,
            "interest": None,
            "rate": fraction,
            "interval_seconds": 3_600,
            "interval_rate": fraction,
        }
        return self.act([Said("FundingRateRecord", fields, rows=(("perps.funding_rates", row),))])

    def funding(self, user: str, index: int, amount: int) -> Act:
        """amount: negative where the user pays."""
        held = self.of(user, index)
        fields = self.event(
            "FundingPaymentRecord",
            userAuthority=held.wallet,
            user=user,
            marketIndex=index,
            fundingPayment=amount,
            baseAssetAmount=held.base,
        )
        row: Row = {
            "market": held.market,
            "wallet": held.wallet,
            "position_key": held.key,
            "side": held.side,
            "size": scaled(abs(held.base), BASE),
            "rate": None,
            "interval_seconds": None,
            "amount": scaled(amount, QUOTE),
        }
        rows = (("perps.funding_payments", row), *held.pay("funding", funding=amount))
        return self.act([Said("FundingPaymentRecord", fields, rows=rows)], user)

    def settle(self, user: str, index: int, pnl: int) -> Act:
        held = self.of(user, index)
        fields = self.event(
            "SettlePnlRecord",
            user=user,
            marketIndex=index,
            pnl=pnl,
            baseAssetAmount=held.base,
            quoteEntryAmount=held.slot()["quoteEntryAmount"],
            settlePrice=self._prices[index],
        )
        row = {**self._transfer(user, "release", 0, pnl), "position_key": held.key}
        rows = (("perps.transfers", row), *held.pay("settlement", settled=pnl))
        return self.act([Said("SettlePnlRecord", fields, rows=rows)], user)

    def deposit(self, user: str, amount: int) -> Act:
        return self.act([self._deposited(user, amount)], user)

    def move(self, sender: str, receiver: str, amount: int) -> Act:
        """Between two sub-accounts of a wallet."""
        said = [
            self._deposited(sender, -amount, explanation="Transfer", transferUser=receiver),
            self._deposited(receiver, amount, explanation="Transfer", transferUser=sender),
        ]
        return self.act(said, sender, receiver)

    def other_orders(self, user: str) -> Act:
        """Orders that move nothing, and a fill of a spot market."""
        placed = {"taker": user, "takerOrderDirection": "Short", "takerOrderBaseAssetAmount": 10**9}
        filled = {"baseAssetAmountFilled": 10**9, "quoteAssetAmountFilled": 150_000_000, "fillRecordId": 99}
        said = [
            Said(
                "OrderActionRecord",
                self.event("OrderActionRecord", action=action, marketType=kind, **placed, **more),
            )
            for action, kind, more in (
                ("Place", "Perp", {}),
                ("Trigger", "Perp", {"takerFee": 3_000}),
                ("Fill", "Spot", filled),
            )
        ]
        return self.act(said, user)

    def fails(self, user: str) -> Act:
        fields = self.event("SettlePnlRecord", user=user, pnl=123)
        return self.program.act(
            self.keeper, [Said("SettlePnlRecord", fields)], error="InsufficientCollateral"
        )

    # How it is said

    def act(self, said: list[Said], *users: str | None) -> Act:
        """Writes the accounts of the users as they are then."""
        writes = {user: self._account(user) for user in users if user is not None}
        return self.program.act(self.keeper, said, writes=writes)

    def event(self, name: str, /, **fields: Any) -> dict[str, Any]:
        """With blanks for what is not given, without what the layout does not have."""
        (layout,) = (each for each in self._idl["events"] if each["name"] == name)
        made = {each["name"]: self._blank_type(each["type"]) for each in layout["fields"]}
        return {**made, **{key: value for key, value in fields.items() if key in made}}

    def blank(self, account: str) -> dict[str, Any]:
        (layout,) = (each for each in self._idl["accounts"] if each["name"] == account)
        return {each["name"]: self._blank_type(each["type"]) for each in layout["type"]["fields"]}

    def _blank_type(self, kind: Any) -> Any:
        if kind == "bool":
            return False
        if kind == "publicKey":
            return _NOBODY
        if isinstance(kind, str):
            return "" if kind == "string" else 0
        if "option" in kind:
            return None
        if "vec" in kind:
            return []
        if "array" in kind:
            item, count = kind["array"]
            return [self._blank_type(item) for _ in range(count)]
        (named_type,) = (each["type"] for each in self._idl["types"] if each["name"] == kind["defined"])
        if named_type["kind"] == "enum":
            return named_type["variants"][0]["name"]
        return {each["name"]: self._blank_type(each["type"]) for each in named_type["fields"]}

    def _account(self, user: str) -> Any:
        wallet, sub_account = self._wallets[user]
        fields = self.blank("User")
        fields |= {"authority": wallet, "subAccountId": sub_account}
        slots = [held.slot() for (of, _), held in self.held.items() if of == user]
        for place, slot in enumerate(slots):
            fields["perpPositions"][place] |= slot
        return self.program.account("User", fields)

    def _filled(
        self,
        taker: str | None,
        maker: str | None,
        index: int,
        base: int,
        quote: int,
        taker_fee: int,
        maker_fee: int,
        manner: Any,
        *,
        liquidated: bool = False,
    ) -> Said:
        self._numbers["fill"] += 1
        number = str(self._numbers["fill"])
        told: Row = {}
        changes: list[tuple[str, Row]] = []
        side, other = ("Long", "Short") if base > 0 else ("Short", "Long")
        for part, (who, user, signed, fee, direction) in enumerate(
            (("taker", taker, base, taker_fee, side), ("maker", maker, -base, maker_fee, other))
        ):
            if user is None:
                continue
            held = self.of(user, index)
            self._numbers["order"] += 1
            told[who] = user
            told[f"{who}Fee"] = fee
            told[f"{who}OrderId"] = self._numbers["order"]
            told[f"{who}OrderDirection"] = direction
            told[f"{who}ExistingQuoteEntryAmount"], told[f"{who}ExistingBaseAssetAmount"] = held.existing(
                signed
            )
            changes += held.fill(signed, quote, fee, number, part=part, liquidated=liquidated and part == 0)
        fields = self.event(
            "OrderActionRecord",
            action="Fill",
            actionExplanation="Liquidation" if liquidated else "OrderFilledWithMatch",
            marketIndex=index,
            marketType="Perp",
            fillRecordId=self._numbers["fill"],
            baseAssetAmountFilled=abs(base),
            quoteAssetAmountFilled=quote,
            oraclePrice=self._prices[index],
            **told,
        )
        size = scaled(abs(base), BASE)
        trade: Row = {
            "market": market_address(index),
            "trade_id": number,
            "taker": taker and self._wallets[taker][0],
            "taker_side": side.lower(),
            "maker": maker and self._wallets[maker][0],
            "price": quotient(scaled(quote, QUOTE), size),
            "size": size,
            "quote": scaled(quote, QUOTE),
            "taker_fee": scaled(told.get("takerFee", 0), QUOTE),
            "maker_fee": scaled(told.get("makerFee", 0), QUOTE),
            "taker_position_key": taker and f"{taker}-{index}",
            "maker_position_key": maker and f"{maker}-{index}",
            "taker_order_id": str(told["takerOrderId"]) if taker else None,
            "maker_order_id": str(told["makerOrderId"]) if maker else None,
            "liquidation": liquidated,
        }
        return Said("OrderActionRecord", fields, manner, rows=(("perps.trades", trade), *changes))

    def _deposited(self, user: str, amount: int, **more: Any) -> Said:
        """amount: negative where it is withdrawn."""
        wallet, _ = self._wallets[user]
        self._numbers["deposit"] += 1
        balance = self._balances[user] = self._balances.get(user, 0) + amount
        fields = self.event(
            "DepositRecord",
            userAuthority=wallet,
            user=user,
            direction="Deposit" if amount > 0 else "Withdraw",
            depositRecordId=self._numbers["deposit"],
            amount=abs(amount),
            oraclePrice=1_000_000,
            userTokenAmountAfter=balance,
            **more,
        )
        row = self._transfer(user, "deposit" if amount > 0 else "withdraw", abs(amount), amount)
        rows: list[tuple[str, Row]] = [("perps.transfers", row)]
        if "userTokenAmountAfter" in fields:
            after = scaled(balance, QUOTE)
            row |= {"free_after": after, "locked_after": scaled(0, QUOTE)}
            held = {
                "wallet": wallet,
                "asset": USDC,
                "sub_account": user,
                "free": after,
                "locked": scaled(0, QUOTE),
            }
            rows.append(("perps.balances", held))
        return Said("DepositRecord", fields, rows=tuple(rows))

    def _transfer(self, user: str, kind: str, amount: int, delta: int) -> Row:
        return {
            "wallet": self._wallets[user][0],
            "asset": USDC,
            "kind": kind,
            "amount": scaled(amount, QUOTE),
            "free_delta": scaled(delta, QUOTE),
            "locked_delta": scaled(0, QUOTE),
            "free_after": None,
            "locked_after": None,
            "position_key": None,
            "sub_account": user,
        }


def market_address(index: int) -> str:
    seeds = [b"perp_market", index.to_bytes(2, "little")]
    return str(Pubkey.find_program_address(seeds, Pubkey.from_string(PROGRAM))[0])
