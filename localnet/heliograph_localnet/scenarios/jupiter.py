"""Jupiter Perps on localnet: a pool, its keepers and traders, as the program's IDL says them; and what must come of it.

The pool does not flip: a long and a short of the same owner are two positions. Their addresses are used again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, ClassVar

from heliograph_localnet.act import Act, Clock, Step, Wait, together
from heliograph_localnet.addresses import named
from heliograph_localnet.draft import AccountData
from heliograph_localnet.scenarios.jupiter_pool import (
    Change,
    Custody,
    Position,
    Side,
    Unaffordable,
    decrease,
    increase,
    liquidate,
    unhealthy,
)
from heliograph_localnet.scenarios.jupiter_program import JupiterProgram
from heliograph_localnet.scenarios.jupiter_rows import changed, liquidated, market, traded
from heliograph_localnet.scripted import Said

PROGRAM = "PERPHjGBqRHArX4DySjwM6UJHiR3sWAatqfdBS2qQJu"
USD = 10**6
SIDES: Mapping[Side, int] = {"long": 1, "short": 2}
CURVE = (1_000, 15_000, 3_500, 800_000_000)


class JupiterScenario:
    """document: an IDL of the program; ValueError for one of another. newer: the one that it is upgraded to in the middle of

    the script; None: it is not.
    """

    idl_file: ClassVar[str] = "jupiter_perpetuals.codama_2026.json"
    program_address: ClassVar[str] = PROGRAM

    def __init__(self, document: bytes, seed: int = 0, *, newer: bytes | None = None) -> None:
        self.program = JupiterProgram(document, PROGRAM)
        self._newer = newer
        self._seed = seed
        self.keeper = named(seed, "jupiter", "keeper")
        self._pool = named(seed, "jupiter", "pool")
        self.sol = self._custody(
            "SOL", "So11111111111111111111111111111111111111112", 9, 60_000 * 10**9, dbps=12
        )
        self.btc = self._custody("BTC", "3NZ9JMVBmGAqocybic2c7LQCJScmgsAZ6vQqTDzcqmJh", 8, 300 * 10**8)
        self.usdc = self._custody(None, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", 6, 3_000_000 * USD)
        self._held: dict[str, Position] = {}
        self._requests = 0
        self.upgraded_at: int | None = None
        """The first slot of the newer IDL, once the script has come to it."""

    # What tests and the demo play

    def script(self, clock: Clock) -> Iterator[Step]:
        yield from self._begin(clock)
        alice, bob, carol = map(self.wallet, ("alice", "bob", "carol"))
        # A position that is opened, grows, pays for what it borrows, shrinks and is closed by a trigger.
        yield self.create_request(alice, self.sol, "long", 15_000 * USD, 1_500 * USD, clock)
        yield self.increase(alice, self.sol, "long", 15_000 * USD, 1_500 * USD, 150 * USD, clock)
        yield self.increase(
            bob, self.btc, "short", 33_333_333_333, 2_000 * USD, 97_123_456_789, clock, instant=True
        )
        yield Wait(seconds=3_600)
        yield self.increase(alice, self.sol, "long", 5_000 * USD, 0, 161_234_567, clock, instant=True)
        yield self.fails(alice, self.sol, "long", 900 * USD, 150 * USD, clock)
        yield Wait(2, seconds=2 * 3_600)
        yield self.decrease(alice, self.sol, "long", 7_000 * USD, 158 * USD, clock, instant=True)
        yield Wait(skip=True)
        # The other side is another position, and collateral may move without size.
        yield self.increase(alice, self.sol, "short", 4_321_000_001, 700 * USD, 158_500_001, clock)
        yield self.increase(alice, self.sol, "short", 0, 100 * USD, 158_500_001, clock)
        yield Wait(seconds=600)
        yield self.decrease(alice, self.sol, "short", 0, 159 * USD, clock, withdraw=55 * USD)
        yield self.decrease(alice, self.sol, "long", 13_000 * USD, 171_000_003, clock)
        yield Wait(2)
        if self._newer is not None:
            self.program = self.program.upgraded(self._newer)
            self.upgraded_at = clock().slot
            yield self.program.deploy(self.keeper)
            yield self.refresh(clock)
            yield Wait()
        # The address is used again, in one transaction with what its owner does elsewhere; then the price falls.
        yield together(
            self.increase(alice, self.sol, "long", 26_478_243_210, 284_680_000, 149_060_000, clock),
            self.increase(
                carol, self.btc, "long", 50_000 * USD, 900 * USD, 98_000 * USD, clock, instant=True
            ),
        )
        yield Wait(seconds=1_800)
        yield self.borrow_from_custody(carol, clock)
        yield self.liquidate(alice, self.sol, "long", 147_940_000, clock)
        yield self.decrease(bob, self.btc, "short", 33_333_333_333, 91_234_567_890, clock, instant=True)
        yield Wait()
        # Far below: the collateral does not cover the loss.
        yield self.liquidate(carol, self.btc, "long", 95_000 * USD, clock)
        yield self.increase(alice, self.sol, "long", 1_000 * USD, 200 * USD, 148 * USD, clock, caller=True)
        yield Wait(2)
        yield self.increase(
            bob, self.btc, "short", 7_777_777_777, 999 * USD, 95_000 * USD, clock, instant=True
        )
        yield Wait()
        yield self.increase(bob, self.btc, "short", 2_222_222_222, 0, 94_000 * USD, clock, instant=True)
        yield self.refresh(clock)
        yield Wait(4)

    def traffic(self, clock: Clock) -> Iterator[Step]:
        chance = Random(self._seed)
        yield from self._begin(clock)
        prices = {self.sol.address: 150 * USD, self.btc.address: 97_000 * USD}
        owners = [named(self._seed, "jupiter", "trader", number) for number in range(60)]
        while True:
            for token in (self.sol, self.btc):
                calm = 0.000_5 if chance.random() < 0.97 else 0.02
                prices[token.address] = max(USD, round(prices[token.address] * chance.gauss(1, calm)))
            for held in list(self._held.values()):
                if unhealthy(held, prices[held.custody.address]):
                    token = held.custody
                    yield self.liquidate(held.owner, token, held.side, prices[token.address], clock)
            for _ in range(chance.randrange(3)):
                act = self._draw(chance, chance.choice(owners), prices, clock)
                if act is not None:
                    yield act
            if chance.random() < 0.05:
                yield self.refresh(clock)
            yield Wait()

    def _draw(self, chance: Random, owner: str, prices: Mapping[str, int], clock: Clock) -> Act | None:
        """What a trader does next; None for what the pool would refuse."""
        token = chance.choice((self.sol, self.btc))
        side: Side = chance.choice(("long", "short"))
        held, price, instant = self.position(owner, token, side), prices[token.address], chance.random() < 0.7
        try:
            if held.size and chance.random() < 0.5:
                part = held.size if chance.random() < 0.5 else max(1, held.size // chance.randrange(2, 6))
                return self.decrease(owner, token, side, part, price, clock, instant=instant)
            stake = chance.randrange(50, 5_000) * USD
            size = stake * chance.choice((2, 5, 20, 60, 90))
            if chance.random() < 0.05:
                return self.fails(owner, token, side, size, price, clock)
            return self.increase(owner, token, side, size, stake, price, clock, instant=instant)
        except Unaffordable:
            return None

    # What can be done

    def wallet(self, name: str) -> str:
        """The address of a trader of the script."""
        return named(self._seed, "jupiter", name)

    def position(self, owner: str, token: Custody, side: Side) -> Position:
        """The only one of that owner, token and side."""
        key = named(self._seed, "jupiter", "position", owner, token.address, side)
        collateral = token if side == "long" else self.usdc
        return self._held.setdefault(key, Position(key, owner, token, collateral, side))

    def increase(
        self,
        owner: str,
        token: Custody,
        side: Side,
        size: int,
        collateral: int,
        price: int,
        clock: Clock,
        *,
        instant: bool = False,
        caller: bool = False,
    ) -> Act:
        """size, collateral: USD. instant: the owner signs; else a keeper executes a request."""
        held = self.position(owner, token, side)
        change = increase(held, size, collateral, price, clock().time)
        kind = "open" if size and change.size_after == size else "increase"
        event = "InstantIncreasePositionEvent" if instant else "IncreasePositionEvent"
        fields = {
            **self._of(held, change, clock),
            "collateralUsdDelta": collateral,
            "collateralTokenDelta": collateral * 10**held.collateral_custody.decimals // price,
            "feeToken": change.fee * 10**held.collateral_custody.decimals // price,
        }
        said, request = self._said(event, fields, held, change, kind, instant)
        return self._act(
            owner if instant else self.keeper,
            said,
            held,
            clock,
            instruction="instantIncreasePosition" if instant else "increasePosition4",
            request=request,
            caller=named("heliograph", "router program") if caller else None,
        )

    def decrease(
        self,
        owner: str,
        token: Custody,
        side: Side,
        size: int,
        price: int,
        clock: Clock,
        *,
        instant: bool = False,
        withdraw: int = 0,
    ) -> Act:
        held = self.position(owner, token, side)
        change = decrease(held, size, price, clock().time, withdraw=withdraw)
        event = "InstantDecreasePositionEvent" if instant else "DecreasePositionEvent"
        fields = {**self._of(held, change, clock), **self._closing(held, change)}
        kind = "decrease" if change.size_after else "close"
        said, request = self._said(event, fields, held, change, kind, instant)
        return self._act(
            owner if instant else self.keeper,
            said,
            held,
            clock,
            instruction="instantDecreasePosition" if instant else "decreasePosition4",
            request=request,
        )

    def liquidate(self, owner: str, token: Custody, side: Side, price: int, clock: Clock) -> Act:
        held = self.position(owner, token, side)
        change = liquidate(held, price, clock().time)
        fields = {
            **self._of(held, change, clock),
            **self._closing(held, change),
            "positionCollateralMint": held.collateral_custody.mint,
            # Of a liquidation the size before.
            "positionSizeUsd": change.delta,
            "liquidationFeeUsd": change.left,
        }
        del fields["sizeUsdDelta"]
        rows = (
            ("perps.liquidations", liquidated(held, change)),
            ("perps.trades", traded(held, change, None, liquidation=True)),
            *changed(held, change, "liquidation"),
        )
        said = Said("LiquidateFullPositionEvent", fields, "cpi", rows)
        return self._act(self.keeper, said, held, clock, instruction="liquidateFullPosition4")

    def fails(self, owner: str, token: Custody, side: Side, size: int, price: int, clock: Clock) -> Act:
        """An increase that has spoken already when it fails."""
        held = self.position(owner, token, side)
        said = self.program.fill(
            Said(
                "InstantIncreasePositionEvent",
                {"positionKey": held.key, "sizeUsdDelta": size, "price": price},
            )
        )
        return self.program.act(
            owner, [said], accounts=self._accounts(held), error=self.program.name("MaxPriceSlippage")
        )

    def create_request(
        self, owner: str, token: Custody, side: Side, size: int, collateral: int, clock: Clock
    ) -> Act:
        """A request waits for a keeper: no position changes."""
        held = self.position(owner, token, side)
        fields = {
            "owner": owner,
            "pool": self._pool,
            "positionKey": held.key,
            "positionSide": SIDES[side],
            "positionMint": token.mint,
            "positionCustody": token.address,
            "positionCollateralCustody": held.collateral_custody.address,
            "positionRequestKey": named(self._seed, "jupiter", "request", self._requests),
            "sizeUsdDelta": size,
            "collateralDelta": collateral,
            "requestChange": 1,
            "openTime": clock().time,
        }
        said = self.program.fill(Said("CreatePositionRequestEvent", fields, "cpi"))
        return self.program.act(owner, [said], accounts=self._accounts(held))

    def borrow_from_custody(self, owner: str, clock: Clock) -> Act:
        """A loan against liquidity: no position in a market."""
        fields = {
            "owner": owner,
            "pool": self._pool,
            "positionKey": named(self._seed, "jupiter", "loan", owner),
            "positionCustody": self.usdc.address,
            "sizeCustodyToken": 8_463_144_037,
            "updateTime": clock().time,
        }
        return self.program.act(owner, [self.program.fill(Said("BorrowFromCustodyEvent", fields, "cpi"))])

    def refresh(self, clock: Clock) -> Act:
        """A keeper writes the custodies anew."""
        custodies = (self.sol, self.btc, self.usdc)
        for custody in custodies:
            custody.accrue(clock().time)
        return self._write(self.keeper, custodies)

    # How

    def _begin(self, clock: Clock) -> Iterator[Step]:
        yield self.program.deploy(self.keeper)
        for custody in (self.sol, self.btc, self.usdc):
            custody.updated = clock().time
        yield self.refresh(clock)
        yield Wait()

    def _custody(self, symbol: str | None, mint: str, decimals: int, owned: int, *, dbps: int = 0) -> Custody:
        address = named(self._seed, "jupiter", "custody", mint)
        oracle = named(self._seed, "jupiter", "oracle", mint)
        return Custody(address, mint, oracle, symbol, decimals, owned, dbps, CURVE)

    def _of(self, held: Position, change: Change, clock: Clock) -> dict[str, Any]:
        """Fields that every event of a position has."""
        return {
            "positionKey": held.key,
            "positionSide": SIDES[held.side],
            "positionCustody": held.custody.address,
            "positionCollateralCustody": held.collateral_custody.address,
            "positionMint": held.custody.mint,
            "positionSizeUsd": change.size_after,
            "owner": held.owner,
            "pool": self._pool,
            "sizeUsdDelta": change.delta,
            "price": change.price,
            "feeUsd": change.fee,
            "openTime": clock().time,
            "positionFeeUsd": change.position,
            "fundingFeeUsd": change.borrow,
            "priceImpactFeeUsd": change.impact,
        }

    def _closing(self, held: Position, change: Change) -> dict[str, Any]:
        return {
            "hasProfit": change.pnl > 0,
            "pnlDelta": abs(change.pnl),
            "transferAmountUsd": change.transfer,
            "originalPositionCollateralUsd": change.collateral_before,
            "positionCollateralUsd": change.collateral_after,
            "positionOpenTime": held.opened,
            "positionPrice": change.entry,
        }

    def _said(
        self, event: str, fields: dict[str, Any], held: Position, change: Change, kind: str, instant: bool
    ) -> tuple[Said, str | None]:
        """The event, and the request that it executes."""
        request = None
        if not instant:
            self._requests += 1
            request = named(self._seed, "jupiter", "request", self._requests)
            fields = {
                **fields,
                "positionRequestKey": request,
                "positionRequestMint": held.collateral_custody.mint,
                "positionRequestChange": 1 if "Increase" in event else 2,
                "positionRequestType": 1 if kind == "close" else 0,
            }
        elif "Decrease" in event and kind == "close" and self.program.layout:
            # What the newer IDL tells more: which trigger the owner's close made void.
            request = named(self._seed, "jupiter", "trigger", held.key)
            fields = {**fields, "positionRequest": request}
        rows = changed(held, change, kind)
        if change.delta:
            rows = (("perps.trades", traded(held, change, request, kind=kind)), *rows)
        return Said(event, fields, "cpi", rows), request

    def _act(
        self,
        payer: str,
        said: Said,
        held: Position,
        clock: Clock,
        *,
        instruction: str,
        request: str | None = None,
        caller: str | None = None,
    ) -> Act:
        custodies = {each.address: each for each in (held.custody, held.collateral_custody)}
        writes, rows = self._states(list(custodies.values()))
        writes[held.key] = self.program.position_account(held, self._pool)
        asked = self.program.call(instruction, held, said.fields, clock)
        return self.program.act(
            payer,
            [self.program.fill(said)],
            rows=rows,
            accounts=self._accounts(held, request),
            writes=writes,
            caller=caller,
            **asked,
        )

    def _write(self, payer: str, custodies: tuple[Custody, ...]) -> Act:
        writes, rows = self._states(list(custodies))
        return self.program.act(payer, accounts=tuple(writes), writes=writes, rows=rows)

    def _states(
        self, custodies: list[Custody]
    ) -> tuple[dict[str, AccountData | None], list[tuple[str, dict[str, Any]]]]:
        writes: dict[str, AccountData | None] = {
            each.address: self.program.custody_account(each, self._pool) for each in custodies
        }
        rows = [("perps.markets", market(each)) for each in custodies if each.symbol is not None]
        return writes, rows

    def _accounts(self, held: Position, request: str | None = None) -> tuple[str, ...]:
        named_ones = (held.owner, self._pool, held.key, held.custody.address, held.collateral_custody.address)
        return named_ones if request is None else (*named_ones, request)
