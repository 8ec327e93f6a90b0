"""What the chain remembers: blocks and executed transactions, compact once they are final."""

from __future__ import annotations

import zlib

import msgspec
import orjson
from solders.transaction import VersionedTransaction

from heliograph_localnet import base58
from heliograph_localnet.draft import Draft
from heliograph_localnet.logs import Collected
from heliograph_localnet.wire import Wired

MEMO_PROGRAM = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"


class Executed(msgspec.Struct, gc=False):
    """One transaction that a block holds (or the open slot will).

    slot, index: its place; index counts all transactions of the block. serial: counts executions of the whole
    chain, so that a re-execution after a fork is a later one. lost: which of the draft's log lines the log
    limit swallowed. draft is None once the block is final and packed.
    """

    signature: str
    slot: int
    index: int
    serial: int
    err: object | None
    vote: bool
    version: str
    memo: str | None
    wire: bytes
    lost: frozenset[int]
    draft: Draft | None
    _keys: tuple[str, ...] | None
    _logs: tuple[str, ...] | None
    _meta: bytes
    _packed: bool = False

    @property
    def place(self) -> tuple[int, int]:
        return self.slot, self.index

    @property
    def truncated(self) -> bool:
        return bool(self.lost)

    @property
    def meta(self) -> bytes:
        """The JSON text of `meta` as getTransaction shows it."""
        return zlib.decompress(self._meta) if self._packed else self._meta

    @property
    def logs(self) -> tuple[str, ...]:
        """The lines a node shows."""
        return self._logs if self._logs is not None else tuple(orjson.loads(self.meta)["logMessages"])

    @property
    def keys(self) -> tuple[str, ...]:
        """Every account it loads: static, then from lookup tables."""
        if self._keys is not None:
            return self._keys
        static = VersionedTransaction.from_bytes(self.wire).message.account_keys
        loaded = orjson.loads(self.meta)["loadedAddresses"]
        return (*map(str, static), *loaded["writable"], *loaded["readonly"])

    def again(self) -> Draft:
        """The draft that lands this very transaction, signature and all, again. Not once it is final."""
        if self.draft is None:
            raise ValueError(f"transaction {self.signature} is final: it cannot be landed again")
        return msgspec.structs.replace(self.draft, wire=self.wire)

    def pack(self) -> None:
        """Drop what only live blocks need; history keeps about a third of the bytes."""
        if not self._packed:
            self._meta = zlib.compress(self._meta, 1)
            self._packed = True
            self.draft = self._logs = self._keys = None


class Block(msgspec.Struct, frozen=True, gc=False):
    """One block. time: unix seconds. total: transactions of the chain up to and including this block."""

    slot: int
    parent_slot: int
    blockhash: str
    previous_blockhash: str
    height: int
    time: int
    total: int
    transactions: tuple[Executed, ...]


def render_meta(
    draft: Draft, wired: Wired, collected: Collected, fee: int, before: list[int], after: list[int]
) -> bytes:
    """The JSON text of `meta`; before, after: lamports by key. Fields in Agave's order."""
    place = {address: at for at, address in enumerate(wired.keys)}
    inner = [
        {
            "index": at,
            "instructions": [
                {
                    "programIdIndex": place[i.program],
                    "accounts": [place[address] for address in i.accounts],
                    "data": base58.encode(i.data),
                    "stackHeight": i.depth,
                }
                for i in instruction.inner
            ],
        }
        for at, instruction in enumerate(draft.instructions)
        if instruction.inner
    ]
    return orjson.dumps(
        {
            "err": draft.err,
            "status": {"Ok": None} if draft.err is None else {"Err": draft.err},
            "fee": fee,
            "preBalances": before,
            "postBalances": after,
            "innerInstructions": inner,
            "logMessages": collected.lines,
            "preTokenBalances": [],
            "postTokenBalances": [],
            "rewards": [],
            "loadedAddresses": {"writable": wired.loaded_writable, "readonly": wired.loaded_readonly},
            "computeUnitsConsumed": draft.compute_units,
            "costUnits": draft.compute_units + 720 * wired.signatures,
        }
    )


def memo_of(draft: Draft) -> str | None:
    """`[length] text` of each memo instruction, as getSignaturesForAddress shows it."""
    memos = [
        f"[{len(instruction.data)}] {instruction.data.decode(errors='replace')}"
        for instruction in draft.instructions
        if instruction.program == MEMO_PROGRAM
    ]
    return "; ".join(memos) or None
