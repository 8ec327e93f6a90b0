"""A localnet: chain, exchange, traffic and node in one object; what demo, load and tests run against.

What tests need of it:

    async with Localnet(LocalnetSettings(seed=7, rate=0)) as localnet:
        localnet.open("alice", "SOL-PERP", "long", size="10", collateral="500")
        await localnet.step()                      # closes the slot: now it is on chain
        localnet.truth()["perps.positions"]        # the rows that must be in the database

Script calls take effect in the open slot and return signatures; amounts are Decimal, int or text in human units.
A wallet is a base58 address or any name, which stands for an address of its own. What the exchange refuses lands
as a failed transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Self

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from heliograph_localnet import catalogue, godark
from heliograph_localnet.addresses import (
    POSITIONS,
    POSITIONS_IDL,
    VAULT,
    VAULT_IDL,
    market_address,
    named,
)
from heliograph_localnet.block import Block
from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import Draft
from heliograph_localnet.encoding import Speech
from heliograph_localnet.exchange.arithmetic import BASE, Side, other, quote_of
from heliograph_localnet.exchange.exchange import Exchange
from heliograph_localnet.exchange.facts import Terms
from heliograph_localnet.exchange.refusal import Reason
from heliograph_localnet.idl_account import deploy_idl
from heliograph_localnet.ledger import Ledger, sane
from heliograph_localnet.manner import PLAIN, Manner
from heliograph_localnet.node import Node
from heliograph_localnet.operation import (
    CreateMarket,
    Deposit,
    Liquidate,
    Operation,
    PlaceOrder,
    SetPrice,
    SettleFunding,
    UpdateFunding,
    Withdraw,
)
from heliograph_localnet.scenario import Scenario
from heliograph_localnet.settings import LocalnetSettings
from heliograph_localnet.statements import Row
from heliograph_localnet.truth import Truth

Amount = Decimal | int | str
_FOREVER = 10**9 * BASE
"""Collateral of the house, which takes the other side of scripted trades; quote, 6 decimals."""
_PAUSE_EVERY = 8
"""Transactions of a real-time slot after which other tasks get their turn."""
_PER_SETTLEMENT = 16


class Localnet:
    """chain, node and exchange may be used directly; `truth()` judges whoever indexes them."""

    def __init__(self, settings: LocalnetSettings | None = None) -> None:
        self.settings = settings = settings or LocalnetSettings()
        self.chain = Chain(
            seed=settings.seed,
            genesis_time=settings.genesis_time,
            slot_ms=settings.slot_ms,
            first_slot=settings.first_slot,
            confirmed_lag=settings.confirmed_lag,
            finalized_lag=settings.finalized_lag,
            retention_slots=settings.retention_slots,
        )
        self.node = Node(self.chain, settings.host, settings.port)
        self._truth = Truth(settings.stream, keep=settings.keep_truth)
        self.chain.listen(self._truth.follow)
        self.ledger = Ledger(self.chain, self._truth)
        self._scenario = Scenario(
            seed=settings.seed,
            rate=settings.rate,
            slot_ms=settings.slot_ms,
            traders=settings.traders,
            arrivals=settings.arrivals,
            jump_probability=settings.jump_probability,
        )
        self.keeper = self._scenario.keeper
        self._house = self.wallet("house")
        self._begin()

    @property
    def exchange(self) -> Exchange:
        """The books as they stand, the open slot included. Read only."""
        return self.ledger.exchange

    @property
    def programs(self) -> tuple[str, str]:
        """The addresses of godark_positions and godark_vault."""
        return POSITIONS, VAULT

    @property
    def rpc_url(self) -> str:
        return self.node.rpc_url

    @property
    def ws_url(self) -> str:
        return self.node.ws_url

    # Running

    async def start(self) -> None:
        """Opens the node's port. Raises SettingsError where it is taken."""
        await self.node.start()

    async def stop(self) -> None:
        await self.node.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def run(self) -> None:
        """Slots in real time, with the scenario's traffic, until cancelled."""
        loop = asyncio.get_running_loop()
        started, done = loop.time(), 0
        while True:
            skips = self._skips()
            for count, _ in enumerate(() if skips else self._traffic()):
                if count % _PAUSE_EVERY == 0:
                    await asyncio.sleep(0)
            done += 1
            await asyncio.sleep(max(0.0, started + done * self.settings.slot_ms / 1000 - loop.time()))
            self.ledger.close(skip=skips)

    async def step(self, slots: int = 1) -> None:
        """Closes `slots` slots at once, each with the scenario's traffic beside what was scripted."""
        for _ in range(slots):
            self.produce()
            await asyncio.sleep(0)

    def produce(self) -> None:
        """One slot, as `step`, for who has no event loop."""
        # A leader that makes no block has executed nothing either.
        skips = self._skips()
        if not skips:
            for _ in self._traffic():
                pass
        self.ledger.close(skip=skips)

    def trade_at(self, rate: float) -> None:
        """Transactions a second that the scenario aims at from the next slot on, in place of settings.rate (not 0)."""
        self._scenario.set_rate(rate)

    def truth(self, last: int | None = None) -> dict[str, list[Row]]:
        """Table -> expected rows, of all blocks up to slot `last` (default: all). See truth.py."""
        return self._truth.rows(last)

    def block_truth(self, block: Block) -> dict[str, list[Row]]:
        """What one block leaves in the tables that are written slot by slot. See Truth.block_rows."""
        return self._truth.block_rows(block)

    # Script

    def wallet(self, name: str) -> str:
        """The address called `name`, or `name` where it is an address itself."""
        try:
            return str(Pubkey.from_string(name))
        except ValueError:
            return named(self.settings.seed, "wallet", name)

    def market(self, symbol: str) -> str:
        """The address of the market called `symbol`, or `symbol` where it is one."""
        return symbol if symbol in self.exchange.markets else market_address(symbol)

    def create_market(
        self, symbol: str, price: Amount | None = None, terms: Terms | None = None
    ) -> list[str]:
        """Opens a market and lets its oracle speak. Raises ValueError where it exists."""
        terms = terms or catalogue.terms(symbol, self.settings.funding_interval_seconds)
        if not sane(terms):
            raise ValueError(f"no market can trade on these terms: {terms}")
        created = self.submit(CreateMarket(self.keeper, market_address(terms.symbol), terms))
        first = catalogue.first_price(symbol) if price is None else _units(price, 6)
        return [created, self._price(market_address(terms.symbol), first)]

    def set_price(self, market: str, price: Amount) -> str:
        """The oracle says `price`; mark and health of positions follow."""
        return self._price(self.market(market), _units(price, 6))

    def deposit(self, wallet: str, amount: Amount) -> str:
        return self.submit(Deposit(self.wallet(wallet), _units(amount, 6)))

    def withdraw(self, wallet: str, amount: Amount) -> str:
        return self.submit(Withdraw(self.wallet(wallet), _units(amount, 6)))

    def order(
        self,
        wallet: str,
        market: str,
        side: Side,
        size: Amount,
        *,
        price: Amount | None = None,
        reduce_only: bool = False,
        collateral: Amount = 0,
    ) -> str:
        """Places one order; price None is a market order."""
        limit = None if price is None else _units(price, 6)
        return self.submit(
            PlaceOrder(
                self.wallet(wallet),
                self.market(market),
                side,
                _units(size, 9),
                limit,
                reduce_only,
                _units(collateral, 6),
            )
        )

    def open(
        self,
        wallet: str,
        market: str,
        side: Side,
        size: Amount,
        *,
        collateral: Amount = 0,
        price: Amount | None = None,
    ) -> list[str]:
        """Buys or sells `size` against the house, at the mark unless `price` says otherwise.

        Deposits `collateral` first where less is free; 0 locks the initial margin. Opens, increases, decreases
        or flips, by what the wallet holds. Returns all signatures, the wallet's own order last.
        """
        address, owner = self.market(market), self.wallet(wallet)
        state = self.exchange.markets[address]
        units = _units(size, 9)
        least = quote_of(state.mark_price, units) * 2 * state.terms.initial_margin_ratio // 10**6 + 10**6
        offer = _units(collateral, 6)
        missing = max(offer, least) - self.exchange.vault.free(owner)
        signatures = [self.submit(Deposit(owner, missing))] if missing > 0 else []
        return signatures + self._against_house(owner, address, side, units, offer, price, reduce_only=False)

    def update(
        self, wallet: str, market: str, size_delta: Amount, *, price: Amount | None = None
    ) -> list[str]:
        """Makes a position larger (positive) or smaller (negative). Raises ValueError where there is none."""
        held = self.exchange.position(self.wallet(wallet), self.market(market))
        if held is None:
            raise ValueError(f"{wallet} holds no position in {market}")
        delta = _units(size_delta, 9)
        if delta > 0:
            return self.open(wallet, market, held.side, size_delta, price=price)
        return self._against_house(
            held.wallet, held.market, other(held.side), -delta, 0, price, reduce_only=True
        )

    def close(self, wallet: str, market: str, *, price: Amount | None = None) -> list[str]:
        """Closes a position against the house. Raises ValueError where there is none."""
        held = self.exchange.position(self.wallet(wallet), self.market(market))
        if held is None:
            raise ValueError(f"{wallet} holds no position in {market}")
        return self._against_house(
            held.wallet, held.market, other(held.side), held.size, 0, price, reduce_only=True
        )

    def liquidate(self, wallet: str, market: str, liquidator: str = "liquidator") -> list[str]:
        """Liquidates, in part or whole as the exchange's rules say; fails on chain where the position is healthy."""
        keeper = self.wallet(liquidator)
        funds = []
        if self.exchange.vault.free(keeper) < _FOREVER // 100:
            funds.append(self.submit(Deposit(keeper, _FOREVER)))
        return [*funds, self.submit(Liquidate(keeper, self.market(market), self.wallet(wallet)))]

    def fund(self, market: str) -> list[str]:
        """Computes the funding rate, then settles the interval for every position, due or not."""
        address = self.market(market)
        signatures = [self.submit(UpdateFunding(self.keeper, address))]
        settle = SettleFunding(self.keeper, address, _PER_SETTLEMENT)
        signatures.append(self.submit(settle))
        while self.exchange.markets[address].settlement is not None:
            signatures.append(self.submit(settle))
        return signatures

    def fail(self, reason: Reason = "InsufficientCollateral", market: str | None = None) -> str:
        """A transaction that fails with the error of that name."""
        address = self.market(market) if market else next(iter(self.exchange.markets))
        state = self.exchange.markets[address]
        lot, poor = state.terms.lot_size, self.wallet("pauper")
        order = PlaceOrder(poor, address, "long", lot)
        if reason == "InsufficientFunds":
            return self.submit(Withdraw(poor, 1))
        if reason == "PositionHealthy":
            return self.submit(Liquidate(poor, address, self._house))
        if reason == "InvalidSize":
            return self.submit(PlaceOrder(poor, address, "long", lot + 1))
        if reason == "PriceOutOfBounds":
            tick = state.terms.tick_size
            return self.submit(PlaceOrder(poor, address, "long", lot, 2 * state.index_price // tick * tick))
        if reason == "InsufficientCollateral":
            self._quote_house(address, "short", lot, None)
            return self.submit(order)
        return self.ledger.land_failure(order, reason)

    def skip(self, slots: int = 1) -> None:
        """Slots without a block; what was asked in them lands in the next block."""
        for _ in range(slots):
            self.ledger.close(skip=True)

    def fork(
        self,
        depth: int = 1,
        *,
        drop: Collection[str] = (),
        shuffle: bool = True,
        skip: Collection[int] = (),
    ) -> tuple[str, ...]:
        """The last `depth` slots get other blocks; returns the signatures that are gone.

        Transactions are executed again, in another order if `shuffle`, but for the signatures in `drop`. The
        slots in `skip` make no block. Closes the open slot first where it holds anything. Raises ValueError where a slot is final.
        """
        return self.ledger.fork(depth, frozenset(drop), shuffle=shuffle, skip=frozenset(skip))

    def mention(self) -> str:
        """A foreign transaction that names godark and never calls it."""
        return self.ledger.land(godark.mention(self.keeper))

    def submit(self, operation: Operation, manner: Manner = PLAIN) -> str:
        """Any operation, in any manner."""
        return self.ledger.carry_out(operation, manner)

    def upgrade(
        self, document: bytes, added: Mapping[str, Mapping[str, object]], *, known: bool = True
    ) -> tuple[int, Speech]:
        """godark_positions is upgraded: from the open slot on it says its events as this IDL has them.

        added: by event, the values of fields that the exchange knows nothing of. known: whether whoever listens has the
        IDL, which may be changed later in what is returned with the slot: until then such events are no rows in truth().
        """
        speech = Speech(document, added, known=known)
        return self.ledger.upgrade(speech), speech

    def submit_foreign(self, draft: Draft) -> str:
        """Any transaction that says nothing of the stream's; its programs may be mentioned in it or not."""
        if {POSITIONS, VAULT} & _addresses(draft):
            return self.ledger.land(draft)
        return self.chain.submit(draft)

    def instruction(self, operation: Operation) -> Instruction:
        """What a client signs and sends to have `operation` done: all accounts that localnet asks for."""
        program, accounts, data = godark.call(operation, [])
        metas = [
            AccountMeta(Pubkey.from_string(address), address == operation.by, address == operation.by)
            for address in accounts
        ]
        return Instruction(Pubkey.from_string(program), data, metas)

    # How

    def _begin(self) -> None:
        for program, document in ((POSITIONS, POSITIONS_IDL), (VAULT, VAULT_IDL)):
            self.ledger.land(deploy_idl(program, document, self.keeper))
        for symbol in self.settings.symbols:
            self.create_market(symbol)

    def _traffic(self) -> Iterator[str]:
        if not self.settings.rate:
            return
        for request in self._scenario.slot(self.ledger.exchange, self.ledger.now):
            if request.operation is None:
                yield self.mention()
            else:
                yield self.submit(request.operation, request.manner)

    def _skips(self) -> bool:
        return (
            self.settings.rate > 0
            and not self.ledger.pending
            and self._scenario.skips(self.settings.skip_probability)
        )

    def _price(self, address: str, price: int) -> str:
        now = self.ledger.now
        return self.submit(SetPrice(self.keeper, address, price, price // 2_000, now.time))

    def _against_house(
        self,
        wallet: str,
        market: str,
        side: Side,
        size: int,
        offer: int,
        price: Amount | None,
        *,
        reduce_only: bool,
    ) -> list[str]:
        signatures, limit = self._quote_house(market, other(side), size, price)
        order = PlaceOrder(wallet, market, side, size, limit, reduce_only, offer)
        return [*signatures, self.submit(order)]

    def _quote_house(self, market: str, side: Side, size: int, price: Amount | None) -> tuple[list[str], int]:
        """The house's resting order at `price`, or at the mark. Returns (signatures, price)."""
        state = self.exchange.markets[market]
        tick = state.terms.tick_size
        limit = state.mark_price // tick * tick if price is None else _units(price, 6)
        # Fully collateralized, so that no jump liquidates the house.
        worth = quote_of(limit, size)
        signatures = []
        if self.exchange.vault.free(self._house) < _FOREVER // 100:
            signatures.append(self.submit(Deposit(self._house, _FOREVER)))
        signatures.append(self.submit(PlaceOrder(self._house, market, side, size, limit, False, worth)))
        return signatures, limit


def _units(amount: Amount, decimals: int) -> int:
    """Raises ValueError for more decimals than the programs know."""
    scaled = Decimal(amount).scaleb(decimals)
    if scaled != int(scaled):
        raise ValueError(f"{amount} has more than {decimals} decimals")
    return int(scaled)


def _addresses(draft: Draft) -> set[str]:
    found = {draft.fee_payer}
    for instruction in draft.instructions:
        found.update((instruction.program, *instruction.accounts))
        for inner in instruction.inner:
            found.update((inner.program, *inner.accounts))
    return found
