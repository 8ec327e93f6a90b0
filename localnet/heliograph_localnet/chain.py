"""A deterministic cluster without a network: drafts in, blocks out, forks on demand. Does no I/O."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence

import msgspec
from solders.hash import Hash
from solders.transaction import VersionedTransaction

from heliograph_localnet import wire
from heliograph_localnet.accounts import AccountStore
from heliograph_localnet.block import Block, Executed, memo_of, render_meta
from heliograph_localnet.chain_event import ChainEvent, Confirmed, Forked, Processed, Rooted
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.draft import (
    COMPUTE_BUDGET_PROGRAM,
    SIGNATURE_FEE,
    SYSTEM_PROGRAM,
    VOTE_PROGRAM,
    AccountData,
    Draft,
)
from heliograph_localnet.logs import LOG_LIMIT, collect

__all__ = ["Chain", "ChainEvent", "Confirmed", "Executor", "Forked", "Processed", "Rooted"]

NATIVE_LOADER = "NativeLoader1111111111111111111111111111111"
ENDOWMENT = 1_000_000_000_000
"""Lamports of a fee payer that nobody funded: localnet is no economy of SOL."""
_PRUNE_EVERY = 256


Executor = Callable[[VersionedTransaction], Draft]
"""What a sent transaction does. Raises executor.Rejected where a node's preflight would refuse it."""


class Chain:
    """seed: makes every blockhash and signature. genesis_time: unix seconds at first_slot.

    The block before first_slot is the genesis block, final and empty. A block is confirmed `confirmed_lag`
    slots after its own closed, final after `finalized_lag`; both may be set while it runs, and are never
    undone by a longer lag. retention_slots: how many final slots of history stay (None: all). account_slots:
    how far below the final slot account state can still be read, which a node that lags needs. log_limit:
    bytes of log lines a transaction, None for no limit.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        genesis_time: int = 1_700_000_000,
        slot_ms: int = 400,
        first_slot: int = 1,
        confirmed_lag: int = 1,
        finalized_lag: int = 32,
        retention_slots: int | None = None,
        account_slots: int = 256,
        log_limit: int | None = LOG_LIMIT,
        executor: Executor | None = None,
    ) -> None:
        if first_slot < 1 or slot_ms < 1:
            raise ValueError(f"first_slot {first_slot} and slot_ms {slot_ms} must be at least 1")
        self.seed = seed
        self.genesis_time = genesis_time
        self.slot_ms = slot_ms
        self.first_slot = first_slot
        self.confirmed_lag = confirmed_lag
        self.finalized_lag = finalized_lag
        self.retention_slots = retention_slots
        self.account_slots = account_slots
        self.log_limit = log_limit
        self.executor = executor
        self.accounts = AccountStore()
        self.genesis_hash = self._hash("genesis", genesis_time, slot_ms, first_slot)
        self.open_slot = first_slot
        self.executions = 0
        self._forks = 0
        self._leaps: list[tuple[int, int]] = []
        self._blocks: list[Block] = []
        self._by_slot: dict[int, Block] = {}
        self._by_signature: dict[str, Executed] = {}
        self._by_address: dict[str, list[Executed]] = {}
        self._by_blockhash: dict[str, Block] = {}
        self._open: list[Executed] = []
        self._listeners: list[Callable[[ChainEvent], None]] = []
        genesis = first_slot - 1
        for name, program in _NATIVE.items():
            self.accounts.place(genesis, program, AccountData(NATIVE_LOADER, 1, name.encode(), True))
        parent = self._hash("parent")
        self._append(
            Block(
                genesis, max(genesis - 1, 0), self.genesis_hash, parent, genesis, self.time_of(genesis), 0, ()
            )
        )
        self._confirmed = self._finalized = genesis

    # What is

    def slot_at(self, commitment: Commitment) -> int:
        """The newest block's slot."""
        if commitment is Commitment.PROCESSED:
            return self._blocks[-1].slot
        return self._confirmed if commitment is Commitment.CONFIRMED else self._finalized

    def block(self, slot: int) -> Block | None:
        """None for a slot that is skipped, open, in the future or pruned."""
        return self._by_slot.get(slot)

    def block_with_hash(self, blockhash: str) -> Block | None:
        return self._by_blockhash.get(blockhash)

    def blocks(self, first: int, last: int, limit: int | None = None) -> Sequence[Block]:
        """Blocks of first..last (inclusive), ascending, at most `limit`."""
        start = bisect_left(self._blocks, first, key=_slot)
        end = bisect_right(self._blocks, last, key=_slot)
        return self._blocks[start : end if limit is None else min(end, start + limit)]

    def newest_block(self, slot: int) -> Block:
        """The newest block at or below `slot`, or the oldest that is kept."""
        return self._blocks[max(bisect_right(self._blocks, slot, key=_slot) - 1, 0)]

    @property
    def first_available(self) -> int:
        """The oldest slot whose block is still kept."""
        return self._blocks[0].slot

    def time_of(self, slot: int) -> int:
        """Unix seconds; several slots share one."""
        leapt = sum(seconds for first, seconds in self._leaps if first <= slot)
        return self.genesis_time + (slot - self.first_slot) * self.slot_ms // 1000 + leapt

    def transaction(self, signature: str) -> Executed | None:
        """A transaction of a closed slot, or None."""
        return self._by_signature.get(signature)

    def pending(self) -> tuple[Executed, ...]:
        """What the open slot has executed so far."""
        return tuple(self._open)

    def history(
        self,
        address: str,
        newest: int,
        limit: int,
        before: Executed | None = None,
        until: Executed | None = None,
    ) -> list[Executed]:
        """Transactions that load `address` in slots up to `newest`, newest first; both cursors exclusive."""
        entries = self._by_address.get(address, [])
        end = bisect_right(entries, newest, key=_slot)
        if before is not None:
            end = min(end, bisect_left(entries, before.place, key=_place))
        start = 0 if until is None else bisect_right(entries, until.place, key=_place)
        page = entries[max(start, end - limit) : end] if end > start else []
        page.reverse()
        return page

    def listen(self, listener: Callable[[ChainEvent], None]) -> Callable[[], None]:
        """Call `listener` with everything that happens, in order; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # What happens

    def set_account(self, address: str, account: AccountData) -> None:
        """Let an account have been there from the beginning: programs, mints, funds. No fork undoes it.

        Raises ValueError where the account was written already: then only a transaction may change it.
        """
        self.accounts.place(self._finalized, address, account)

    def submit(self, draft: Draft) -> str:
        """Execute a draft in the open slot, after all that it holds already; returns the signature.

        Raises ValueError where the draft's own wire was executed before.
        """
        executed = self._execute(draft)
        self._open.append(executed)
        return executed.signature

    def produce(self, skip: bool = False) -> Block | None:
        """Close the open slot. A skipped one makes no block; what it had executed is executed in the next."""
        slot = self.open_slot
        if skip:
            again = self._take_open(slot)
            self.open_slot += 1
            self._reopen(again)
            self._settle(slot)
            return None
        self.open_slot += 1
        block = self._close(slot, self._open)
        self._open = []
        self._settle(slot, block)
        return block

    def leap(self, seconds: int) -> None:
        """The cluster's clock is `seconds` ahead of what its slots take, from the open slot on. Raises ValueError below 0."""
        if seconds < 0:
            raise ValueError(f"block times never go back: {seconds} s")
        if seconds:
            self._leaps.append((self.open_slot, seconds))

    def replace(self, from_slot: int, blocks: Sequence[Sequence[Draft] | None] = ()) -> tuple[Block, ...]:
        """A fork: the blocks from from_slot on are gone, account state with them, and `blocks` stand instead.

        blocks: the drafts of from_slot, of the slot after it, and so on; None skips one, and closed slots
        beyond them count as skipped. What the open slot had executed is executed again. Returns the blocks
        that are gone.
        Raises ValueError for a finalized or open slot, or for more blocks than closed slots.
        """
        if not self._finalized < from_slot < self.open_slot:
            raise ValueError(
                f"slot {from_slot} cannot be replaced: only {self._finalized + 1}..{self.open_slot - 1} are"
                " closed and not yet final"
            )
        if from_slot + len(blocks) > self.open_slot:
            raise ValueError(f"{len(blocks)} blocks from {from_slot} on reach the open slot {self.open_slot}")
        self._forks += 1
        again = self._take_open(from_slot)
        dropped = self._unwind(from_slot)
        self._emit(Forked(dropped))
        for slot, drafts in enumerate(blocks, from_slot):
            if drafts is None:
                continue
            opened = self._reexecute(drafts, slot)
            block = self._close(slot, opened)
            self._emit(Processed(block))
        self._reopen(again)
        self._settle(self.open_slot - 1)
        return dropped

    def drop(self, slots: Collection[int]) -> tuple[Block, ...]:
        """A fork in which these slots were skipped; the blocks after the first of them are made anew."""
        first = min(slots)
        remade: list[Sequence[Draft] | None] = []
        for slot in range(first, self._blocks[-1].slot + 1):
            block = self._by_slot.get(slot)
            gone = block is None or slot in slots
            remade.append(None if block is None or gone else [t.again() for t in block.transactions])
        return self.replace(first, remade)

    # How

    def _execute(self, draft: Draft) -> Executed:
        slot = self.open_slot
        parent = self._blocks[-1]
        serial = self.executions
        if draft.wire is None:
            wired = wire.build(draft, parent.blockhash, self.seed, serial)
        else:
            wired = wire.read(draft, draft.wire)
            if wired.signature in self._by_signature or wired.signature in {t.signature for t in self._open}:
                raise ValueError(f"transaction {wired.signature} was executed already")
        self.executions += 1
        fee = SIGNATURE_FEE * wired.signatures + draft.priority_fee
        payer = self.accounts.latest(draft.fee_payer) or AccountData(SYSTEM_PROGRAM, ENDOWMENT)
        self.accounts.write(slot, draft.fee_payer, payer)
        before = self._balances(wired.keys)
        charged = msgspec.structs.replace(payer, lamports=max(payer.lamports - fee, 0))
        self.accounts.write(slot, draft.fee_payer, charged)
        if draft.err is None:
            for address, account in draft.writes.items():
                self.accounts.write(slot, address, account)
        collected = collect(draft.logs, self.log_limit)
        return Executed(
            signature=wired.signature,
            slot=slot,
            index=len(self._open),
            serial=serial,
            err=draft.err,
            vote=draft.vote,
            version=wired.version,
            memo=memo_of(draft),
            wire=wired.wire,
            lost=collected.lost,
            draft=draft,
            _keys=wired.keys,
            _logs=collected.lines,
            _meta=render_meta(draft, wired, collected, fee, before, self._balances(wired.keys)),
        )

    def _balances(self, keys: tuple[str, ...]) -> list[int]:
        return [0 if (held := self.accounts.latest(address)) is None else held.lamports for address in keys]

    def _take_open(self, from_slot: int) -> list[Draft]:
        again = [executed.again() for executed in self._open]
        self._open = []
        self.accounts.rollback(from_slot)
        return again

    def _reopen(self, drafts: Sequence[Draft]) -> None:
        self._open = self._reexecute(drafts, self.open_slot)

    def _reexecute(self, drafts: Sequence[Draft], slot: int) -> list[Executed]:
        held, self._open, self.open_slot = (self._open, self.open_slot), [], slot
        try:
            for draft in drafts:
                self._open.append(self._execute(draft))
            return self._open
        finally:
            self._open, self.open_slot = held

    def _close(self, slot: int, transactions: Sequence[Executed]) -> Block:
        parent = self._blocks[-1]
        block = Block(
            slot=slot,
            parent_slot=parent.slot,
            blockhash=self._hash("block", slot, self._forks, parent.blockhash),
            previous_blockhash=parent.blockhash,
            height=parent.height + 1,
            time=self.time_of(slot),
            total=parent.total + len(transactions),
            transactions=tuple(transactions),
        )
        self._append(block)
        return block

    def _append(self, block: Block) -> None:
        self._blocks.append(block)
        self._by_slot[block.slot] = block
        self._by_blockhash[block.blockhash] = block
        for executed in block.transactions:
            self._by_signature[executed.signature] = executed
            for address in executed.keys:
                self._by_address.setdefault(address, []).append(executed)

    def _unwind(self, from_slot: int) -> tuple[Block, ...]:
        start = bisect_left(self._blocks, from_slot, key=_slot)
        dropped = tuple(self._blocks[start:])
        del self._blocks[start:]
        for block in reversed(dropped):
            del self._by_slot[block.slot], self._by_blockhash[block.blockhash]
            for executed in reversed(block.transactions):
                del self._by_signature[executed.signature]
                for address in executed.keys:
                    self._by_address[address].pop()
        self._confirmed = min(self._confirmed, self._blocks[-1].slot)
        return dropped

    def _settle(self, closed: int, block: Block | None = None) -> None:
        """Move confirmed and final as far as the lags allow, then tell."""
        confirmed = self._reach(closed - self.confirmed_lag, self._confirmed)
        rooted = self._reach(closed - max(self.finalized_lag, self.confirmed_lag), self._finalized)
        if confirmed:
            self._confirmed = confirmed[-1].slot
        if rooted:
            self._finalized = rooted[-1].slot
            self.accounts.root(self._finalized - self.account_slots)
        if block is not None:
            self._emit(Processed(block))
        for each in confirmed:
            self._emit(Confirmed(each))
        for each in rooted:
            self._emit(Rooted(each))
            for executed in each.transactions:
                executed.pack()
        if closed % _PRUNE_EVERY == 0:
            self._prune()

    def _reach(self, newest: int, reached: int) -> Sequence[Block]:
        return self.blocks(reached + 1, newest) if newest > reached else ()

    def _prune(self) -> None:
        if self.retention_slots is None:
            return
        oldest = self._finalized - self.retention_slots
        end = bisect_left(self._blocks, oldest, key=_slot)
        if not end:
            return
        for block in self._blocks[:end]:
            del self._by_slot[block.slot], self._by_blockhash[block.blockhash]
            for executed in block.transactions:
                del self._by_signature[executed.signature]
        del self._blocks[:end]
        first = self._blocks[0].slot
        for address in list(self._by_address):
            entries = self._by_address[address]
            del entries[: bisect_left(entries, first, key=_slot)]
            if not entries:
                del self._by_address[address]

    def _emit(self, event: ChainEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def _hash(self, kind: str, *parts: object) -> str:
        return str(Hash.from_bytes(wire.derive(kind, self.seed, *parts)[:32]))


_NATIVE = {
    "system_program": SYSTEM_PROGRAM,
    "vote_program": VOTE_PROGRAM,
    "compute_budget_program": COMPUTE_BUDGET_PROGRAM,
}


def _slot(entry: Block | Executed) -> int:
    return entry.slot


def _place(entry: Executed) -> tuple[int, int]:
    return entry.place
