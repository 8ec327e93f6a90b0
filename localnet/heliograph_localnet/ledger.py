"""The exchange under a chain: carries operations out, keeps what is needed to take them back after a fork."""

from __future__ import annotations

import pickle

import msgspec
from solders.transaction import VersionedTransaction

from heliograph_localnet import godark, sent
from heliograph_localnet.addresses import USDC, market_address, position_address
from heliograph_localnet.block import Executed
from heliograph_localnet.chain import Chain
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.draft import Draft
from heliograph_localnet.encoding import Speech
from heliograph_localnet.exchange.arithmetic import RATIO
from heliograph_localnet.exchange.exchange import Exchange
from heliograph_localnet.exchange.facts import Terms
from heliograph_localnet.exchange.refusal import Reason, Refusal
from heliograph_localnet.executor import Rejected
from heliograph_localnet.godark import Sent
from heliograph_localnet.manner import PLAIN, Manner
from heliograph_localnet.now import Now
from heliograph_localnet.operation import CreateMarket, Operation
from heliograph_localnet.truth import Told, Truth, view

_CHECKPOINT_SLOTS = 16
_LIMITS = {"amount": 10**15, "price": 10**13, "confidence": 10**13, "size": 10**14}
"""Largest numbers a client may send, so that no product of two leaves the 64 bits of an event."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One transaction as it was asked for. operation None: a finished draft, which no book knows of.

    slot, time: of its execution, which a skipped slot may part from the slot it landed in.
    """

    signature: str
    slot: int
    time: int
    operation: Operation | None
    manner: Manner = PLAIN
    sent: Sent | None = None
    draft: Draft | None = None


class Ledger:
    """Owns the exchange; every change of it goes through `carry_out`, `land` or a client's transaction."""

    def __init__(self, chain: Chain, truth: Truth) -> None:
        self.chain = chain
        self.truth = truth
        self.exchange = Exchange(mint=USDC, position_key=position_address)
        self._open: list[Entry] = []
        self._closed: dict[int, list[Entry]] = {}
        self._checkpoints: dict[int, bytes] = {}
        self._speeches: list[tuple[int, Speech]] = []
        self._checkpoint()
        chain.executor = self.execute

    @property
    def now(self) -> Now:
        """Slot and time of what happens next."""
        return Now(self.chain.open_slot, self.chain.time_of(self.chain.open_slot))

    @property
    def pending(self) -> bool:
        return bool(self._open)

    def upgrade(self, speech: Speech) -> int:
        """The programs speak so from the open slot on, which is returned; a fork of earlier slots does not change it."""
        self._speeches.append((self.chain.open_slot, speech))
        return self.chain.open_slot

    def carry_out(self, operation: Operation, manner: Manner = PLAIN) -> str:
        """Lands an operation in the open slot, as a failed transaction where the exchange refuses it."""
        now = self.now
        draft, told = self._speak(operation, manner, None, now)
        signature = self.chain.submit(draft)
        self._remember(signature, told, Entry(signature, now.slot, now.time, operation, manner))
        return signature

    def land(self, draft: Draft) -> str:
        """Lands a transaction that changes nothing on the exchange, such as one of foreign programs."""
        now = self.now
        signature = self.chain.submit(draft)
        self._remember(signature, Told(), Entry(signature, now.slot, now.time, None, draft=draft))
        return signature

    def land_failure(self, operation: Operation, reason: Reason) -> str:
        """Lands an operation as one that fails for `reason`, whatever the exchange would say."""
        return self.land(godark.failed(operation, reason, ()))

    def execute(self, transaction: VersionedTransaction) -> Draft:
        """A client's transaction, as the chain's executor. Raises Rejected for what no leader would take."""
        owners = {held.key: held.wallet for held in self.exchange.clearing.positions.values()}
        request = sent.read(transaction, owners.get)
        self._check(request.operation)
        now, signature = self.now, str(transaction.signatures[0])
        choice = Sent(request.accounts, request.keys)
        draft, told = self._speak(request.operation, request.manner, choice, now)
        entry = Entry(signature, now.slot, now.time, request.operation, request.manner, choice)
        self._remember(signature, told, entry)
        return draft

    def close(self, *, skip: bool = False) -> None:
        """Closes the open slot. What a skipped slot had executed lands in the next one."""
        slot = self.chain.open_slot
        self.chain.produce(skip=skip)
        if not skip:
            # A client's transaction that failed in preflight was remembered and never landed.
            landed = {executed.signature for executed in self._block_of(slot)}
            self._closed[slot] = [entry for entry in self._open if entry.signature in landed]
            self._open = []
        if self.chain.open_slot % _CHECKPOINT_SLOTS == 0 and not self._open:
            self._checkpoint()

    def fork(
        self, depth: int, drop: frozenset[str], *, shuffle: bool, skip: frozenset[int] = frozenset()
    ) -> tuple[str, ...]:
        """Other blocks for the last `depth` closed slots; returns the signatures that are gone.

        What is not in `drop` is asked for again, in another order if `shuffle`; the exchange answers as it then
        stands. Slots in `skip` get no block, and nothing of them is asked for again. Raises ValueError where a slot is
        final.
        """
        if self._open:
            self.close()
        first = self.chain.open_slot - depth
        if not self.chain.slot_at(Commitment.FINALIZED) < first < self.chain.open_slot:
            raise ValueError(f"the last {depth} slots cannot be forked: {first} is final or not closed")
        slots = range(first, self.chain.open_slot)
        old = {slot: self._closed.get(slot, []) for slot in slots}
        was = {entry.signature: self._executed(entry) for entries in old.values() for entry in entries}
        self._rewind(first)
        blocks: list[list[Draft] | None] = []
        retold: dict[int, list[tuple[Entry, Told]]] = {}
        for slot in slots:
            kept = [entry for entry in old[slot] if entry.signature not in drop and slot not in skip]
            if shuffle:
                kept = kept[1:] + kept[:1]
            now = Now(slot, self.chain.time_of(slot))
            drafts: list[Draft] = []
            retold[slot] = []
            for entry in kept:
                draft, told = self._again(entry, now, was[entry.signature])
                drafts.append(draft)
                retold[slot].append((entry, told))
            blocks.append(None if slot in skip or self.chain.block(slot) is None else drafts)
        self.chain.replace(first, blocks)
        after: set[str] = set()
        for slot, entries in retold.items():
            self._closed[slot] = []
            now = Now(slot, self.chain.time_of(slot))
            for executed, (entry, told) in zip(self._block_of(slot), entries, strict=True):
                fresh = msgspec.structs.replace(
                    entry, signature=executed.signature, slot=now.slot, time=now.time
                )
                self.truth.tell(executed.signature, told)
                self._closed[slot].append(fresh)
                after.add(executed.signature)
        return tuple(signature for signature in was if signature not in after)

    def _speak(
        self, operation: Operation, manner: Manner, choice: Sent | None, now: Now
    ) -> tuple[Draft, Told]:
        speech = next((each for slot, each in reversed(self._speeches) if slot <= now.slot), None)
        try:
            facts = operation.run(self.exchange, now)
        except Refusal as refusal:
            return godark.failed(operation, refusal.reason, refusal.said, manner, choice, speech), Told()
        spoken = godark.succeeded(operation, facts, self.exchange, manner, choice, speech)
        views = tuple(view(self.exchange.markets[market]) for market in spoken.markets)
        return spoken.draft, Told(spoken.said, views, spoken.candidates, speech)

    def _again(self, entry: Entry, now: Now, was: Executed) -> tuple[Draft, Told]:
        """The same transaction in another block: with its old signature where its bytes still fit."""
        if entry.operation is not None:
            draft, told = self._speak(entry.operation, entry.manner, entry.sent, now)
        else:
            assert entry.draft is not None
            draft, told = entry.draft, Told()
        old = was.draft
        if old is not None and draft.loaded == old.loaded and _mentions(draft) <= set(was.keys or ()):
            draft = msgspec.structs.replace(draft, wire=was.wire)
        return draft, told

    def _remember(self, signature: str, told: Told, entry: Entry) -> None:
        self.truth.tell(signature, told)
        self._open.append(entry)

    def _rewind(self, slot: int) -> None:
        """The exchange as it was before `slot`: a checkpoint, and what was asked since."""
        start = max(at for at in self._checkpoints if at <= slot)
        self.exchange = pickle.loads(self._checkpoints[start])
        for at in [at for at in self._checkpoints if at > slot]:
            del self._checkpoints[at]
        for passed in range(start, slot):
            for entry in self._closed.get(passed, ()):
                if entry.operation is not None:
                    try:
                        entry.operation.run(self.exchange, Now(entry.slot, entry.time))
                    except Refusal:
                        continue

    def _checkpoint(self) -> None:
        """Keeps the state before the open slot, and no more than what a fork may still need."""
        self._checkpoints[self.chain.open_slot] = pickle.dumps(self.exchange)
        final = self.chain.slot_at(Commitment.FINALIZED)
        needed = max((at for at in self._checkpoints if at <= final + 1), default=0)
        self._checkpoints = {at: state for at, state in self._checkpoints.items() if at >= needed}
        self._closed = {at: entries for at, entries in self._closed.items() if at >= needed}

    def _check(self, operation: Operation) -> None:
        """What the programs' account constraints would refuse before any of godark's own code runs."""
        market = getattr(operation, "market", None)
        if isinstance(operation, CreateMarket):
            if not sane(operation.terms) or market != market_address(operation.terms.symbol):
                raise _refused(2006, f"{market} is not the address of a market on these terms")
            if market in self.exchange.markets:
                raise _refused(0, f"the market {operation.terms.symbol} exists already")
        elif market is not None and market not in self.exchange.markets:
            raise _refused(3012, f"{market} is no market")
        for name, most in _LIMITS.items():
            value = getattr(operation, name, None)
            if value is not None and value > most:
                raise _refused(6005, f"{name} {value} is above {most}")

    def _block_of(self, slot: int) -> tuple[Executed, ...]:
        block = self.chain.block(slot)
        return () if block is None else block.transactions

    def _executed(self, entry: Entry) -> Executed:
        executed = self.chain.transaction(entry.signature)
        if executed is None:
            raise ValueError(f"transaction {entry.signature} is in no block")
        return executed


def sane(terms: Terms) -> bool:
    """Whether a market can trade on these terms."""
    return (
        0 < len(terms.symbol.encode()) <= 32
        and len(terms.base_asset.encode()) <= 16
        and len(terms.quote_asset.encode()) <= 16
        and 0 < terms.tick_size <= 10**12
        and 0 < terms.lot_size <= 10**12
        and 0 < terms.maintenance_margin_ratio < terms.initial_margin_ratio <= RATIO
        and abs(terms.taker_fee_rate) <= RATIO // 10
        and abs(terms.maker_fee_rate) <= RATIO // 10
        and terms.funding_interval_seconds > 0
    )


def _mentions(draft: Draft) -> set[str]:
    found = {draft.fee_payer, *draft.writes}
    for instruction in draft.instructions:
        found.update((instruction.program, *instruction.accounts))
        for inner in instruction.inner:
            found.update((inner.program, *inner.accounts))
    return found


def _refused(code: int, text: str) -> Rejected:
    return Rejected(f"Error processing Instruction: {text}", err={"InstructionError": [0, {"Custom": code}]})
