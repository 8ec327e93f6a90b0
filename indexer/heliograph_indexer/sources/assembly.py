"""From listed signatures to whole slots: block order, block time, records; each checked against the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import structlog

from heliograph_core.errors import RpcError, RpcUnavailable, TransactionError
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.backoff import Backoff
from heliograph_indexer.rpc.cluster import BlockHead, Cluster, SignatureRow
from heliograph_indexer.transaction_json import parse_transaction

SOLANA_GENESIS = 1_580_000_000
"""Unix seconds before the first block of Solana: one runtime's getBlock gives times divided by 1000."""
EARLIER_SLOTS = 64
"""Slots below one without a time that are asked for theirs, where no earlier time is known."""
NULL_FIRST_S = 0.05
NULL_MOST_S = 1.0
PATIENT_TRIES = 3
"""Tries in a row with all their rounds; a transaction that is null even then is asked for once a try."""

CachedLines = Callable[[str, int], tuple[str, ...] | None]
"""(signature, slot) to log lines that may stand in for the record, None where it must be fetched."""

_log = structlog.get_logger(__name__)


class Contradiction(RpcUnavailable):
    """Two answers of the endpoint exclude each other, as at a fork: what was listed has to be listed anew."""


class Assembly:
    """Makes slots of rows. Holds the latest block time that it saw, and the records of a try that lacked others."""

    def __init__(
        self, cluster: Cluster, lines: CachedLines, null_rounds: int, *, records: Cluster | None = None
    ) -> None:
        """cluster: the endpoint whose listing the rows are. records: all endpoints, where transactions may come from
        too; one that contradicts the listing is asked of `cluster`.
        """
        self._cluster = cluster
        self._records_of = records
        self._lines = lines
        self._null_rounds = null_rounds
        self._in_vain = 0
        self._kept: dict[tuple[str, int, str | None], Transaction] = {}
        self._time: tuple[int, int] | None = None

    async def time_of(self, slot: int, head: BlockHead) -> int | None:
        """Unix seconds of a block, None where it has none."""
        if head.block_time is not None and head.block_time >= SOLANA_GENESIS:
            return head.block_time
        return await self._cluster.block_time(slot)

    async def slots(
        self,
        rows: Iterable[SignatureRow],
        heads: Mapping[int, BlockHead] | None = None,
        *,
        hashes: bool = False,
    ) -> tuple[Slot, ...]:
        """Whole slots, ascending. heads: blocks that are known already.

        hashes: the slots may not be final. None may lack its blockhash, by which it is audited later, and so its
        transactions come from nobody who has another block in that slot. Without it all of them are final.

        Raises RpcUnavailable where something is not answered yet, Contradiction where answers exclude each other.
        """
        by_slot: dict[int, dict[str, SignatureRow]] = {}
        for row in rows:
            by_slot.setdefault(row.slot, {})[row.signature] = row
        heads = await self._heads(by_slot, dict(heads or {}), hashes)
        listed = [row for slot in by_slot.values() for row in slot.values()]
        records = await self._records(listed, heads if hashes else None)
        return tuple(
            [
                await self._slot(number, by_slot[number], heads.get(number), records)
                for number in sorted(by_slot)
            ]
        )

    async def _heads(
        self, by_slot: Mapping[int, Mapping[str, SignatureRow]], heads: dict[int, BlockHead], hashes: bool
    ) -> dict[int, BlockHead]:
        wanted = [
            number
            for number, rows in by_slot.items()
            if number not in heads and (hashes or any(row.transaction_index is None for row in rows.values()))
        ]
        for number, head in zip(wanted, await self._cluster.blocks(wanted), strict=True) if wanted else ():
            if isinstance(head, RpcError):
                if head.code in faults.MISSING:
                    raise Contradiction(
                        f"slot {number} is listed with transactions and then called skipped: {head}"
                    )
                raise head
            heads[number] = head
        return heads

    async def _records(
        self, rows: Sequence[SignatureRow], heads: Mapping[int, BlockHead] | None
    ) -> dict[str, Transaction]:
        """Everything but tx_index, which is 0 here: from cached lines, else from getTransaction.

        heads: the blocks that the records must belong to, None where all are final.
        """
        found: dict[str, Transaction] = {}
        wanted: dict[str, SignatureRow] = {}
        for row in rows:
            lines = self._lines(row.signature, row.slot)
            kept = self._kept.get(_place(row, heads))
            if lines is not None:
                found[row.signature] = Transaction(row.signature, 0, row.err, lines, None)
            elif kept is not None and kept.failed == (row.err is not None):
                found[row.signature] = kept
            else:
                wanted[row.signature] = row
        try:
            await self._take_in_rounds(heads, wanted, found)
        finally:
            self._in_vain = self._in_vain + 1 if wanted else 0
            # A node that lacks now this one and now that would else never give all of them at once.
            self._kept = {_place(row, heads): found[row.signature] for row in rows if row.signature in found}
            if not wanted:
                self._kept.clear()
        if wanted:
            signature, row = next(iter(wanted.items()))
            # Not there yet, or dropped with its block after it was listed: only a new listing tells which.
            raise Contradiction(
                f"getTransaction at {self._cluster.endpoint} returns null for {len(wanted)} listed transactions, "
                f"the first is {signature} of slot {row.slot}: they are listed and asked for until this ends"
            )
        return found

    async def _take_in_rounds(
        self,
        heads: Mapping[int, BlockHead] | None,
        wanted: dict[str, SignatureRow],
        found: dict[str, Transaction],
    ) -> None:
        """Asks for what is null again, a few times."""
        backoff = Backoff(NULL_FIRST_S, NULL_MOST_S)
        rounds = self._null_rounds if self._in_vain < PATIENT_TRIES else 0
        for round_ in range(rounds + 1):
            if not wanted:
                break
            if round_:
                await asyncio.sleep(backoff.next())
            if heads is not None:
                await self._take_of_blocks(heads, wanted, found)
            else:
                await self._take_final(wanted, found)

    async def _take_final(self, wanted: dict[str, SignatureRow], found: dict[str, Transaction]) -> None:
        """From any endpoint. Raises Contradiction where the one that listed them contradicts itself."""
        anyone = self._records_of.finalized() if self._records_of is not None else self._cluster
        doubted = await self._take_records(anyone, list(wanted), wanted, found)
        if doubted is not None and anyone is not self._cluster:
            doubted = await self._take_records(self._cluster, list(wanted), wanted, found)
        if doubted is not None:
            raise doubted

    async def _take_of_blocks(
        self,
        heads: Mapping[int, BlockHead],
        wanted: dict[str, SignatureRow],
        found: dict[str, Transaction],
    ) -> None:
        """From the endpoint that gave the blocks; what it lacks, from others that have the same blocks."""
        doubted = await self._take_unmoved(self._cluster, list(wanted), heads, wanted, found)
        if doubted is not None:
            raise doubted
        for other in self._records_of.each() if wanted and self._records_of is not None else ():
            if other.endpoint == self._cluster.endpoint or not wanted:
                continue
            slots = sorted({row.slot for row in wanted.values()})
            hashes = dict(zip(slots, await other.blockhashes(slots), strict=True))
            same = [name for name, row in wanted.items() if hashes[row.slot] == heads[row.slot].blockhash]
            try:
                # What contradicts the listing stays wanted: it is asked again of the endpoint that listed it.
                await self._take_unmoved(other, same, heads, wanted, found)
            except RpcError as error:
                _log.debug("record_not_given", rpc=other.endpoint, why=str(error))

    async def _take_unmoved(
        self,
        source: Cluster,
        signatures: Sequence[str],
        heads: Mapping[int, BlockHead],
        wanted: dict[str, SignatureRow],
        found: dict[str, Transaction],
    ) -> Contradiction | None:
        """As _take_records, of blocks that still stand once the records are here.

        A record does not say of which block it is: after a fork it is of the new one, in the old one's slot.
        """
        taken: dict[str, Transaction] = {}
        doubted = await self._take_records(
            source, signatures, {signature: wanted[signature] for signature in signatures}, taken
        )
        slots = sorted({wanted[signature].slot for signature in taken})
        for slot, blockhash in zip(slots, await source.blockhashes(slots), strict=True) if slots else ():
            if isinstance(blockhash, RpcError) and blockhash.code not in faults.NOT_YET | faults.MISSING:
                raise blockhash
            if blockhash != heads[slot].blockhash:
                return Contradiction(
                    f"slot {slot} at {source.endpoint} had block {heads[slot].blockhash} before its transactions were "
                    f"fetched, and afterwards {blockhash}"
                )
        for signature, transaction in taken.items():
            found[signature] = transaction
            del wanted[signature]
        return doubted

    async def _take_records(
        self,
        source: Cluster,
        signatures: Sequence[str],
        wanted: dict[str, SignatureRow],
        found: dict[str, Transaction],
    ) -> Contradiction | None:
        """Moves what `source` has from wanted to found; returns what one of its records contradicts, if any."""
        doubted: Contradiction | None = None
        if not signatures:
            return None
        for signature, answer in zip(signatures, await source.transactions(signatures), strict=True):
            if isinstance(answer, RpcError):
                raise answer
            if answer is None:
                continue
            try:
                found[signature] = self._parsed(wanted[signature], answer)
            except Contradiction as error:
                doubted = error
            else:
                del wanted[signature]
        return doubted

    @staticmethod
    def _parsed(row: SignatureRow, answer: dict[str, Any]) -> Transaction:
        if answer.get("slot") != row.slot:
            raise Contradiction(
                f"{row.signature} is listed in slot {row.slot} and recorded in slot {answer.get('slot')}"
            )
        try:
            transaction = parse_transaction(answer, 0)
        except TransactionError as error:
            # Nothing advances past a record that cannot be read; another answer may be whole.
            raise Contradiction(f"getTransaction gave a record that is none: {error}") from error
        if transaction.signature != row.signature:
            raise Contradiction(f"{row.signature} was asked for and {transaction.signature} came")
        if transaction.failed != (row.err is not None):
            raise Contradiction(
                f"{row.signature} is listed with err {row.err} and recorded with {transaction.err}"
            )
        return transaction

    async def _slot(
        self,
        number: int,
        rows: Mapping[str, SignatureRow],
        head: BlockHead | None,
        records: Mapping[str, Transaction],
    ) -> Slot:
        order = _block_order(number, rows, head)
        transactions = tuple(
            msgspec.structs.replace(records[signature], tx_index=tx_index) for tx_index, signature in order
        )
        time = next((row.block_time for row in rows.values() if row.block_time is not None), None)
        if time is None:
            time = await self._missing_time(number, head)
        self._time = max(self._time or (number, time), (number, time))
        if head is None:
            return Slot(number, time, transactions)
        # One runtime names a block its own parent.
        parent = head.parent_slot if head.parent_slot < number else None
        return Slot(number, time, transactions, head.blockhash, parent)

    async def _missing_time(self, number: int, head: BlockHead | None) -> int:
        if head is not None:
            time = await self.time_of(number, head)
        else:
            time = await self._cluster.block_time(number)
        if time is not None:
            return time
        if self._time is not None and self._time[0] < number:
            return self._time[1]
        for earlier in range(number - 1, max(-1, number - 1 - EARLIER_SLOTS), -1):
            try:
                time = await self._cluster.block_time(earlier)
            except RpcError as error:
                if error.code in faults.MISSING | faults.NOT_YET:
                    continue
                if error.code == faults.BLOCK_CLEANED_UP:
                    break
                raise
            if time is not None:
                return time
        raise RpcUnavailable(
            f"{self._cluster.endpoint} gives no time for slot {number} nor for {EARLIER_SLOTS} slots before it"
        )


def _place(row: SignatureRow, heads: Mapping[int, BlockHead] | None) -> tuple[str, int, str | None]:
    """What a record belongs to: another block of the same slot may have executed it otherwise."""
    return row.signature, row.slot, None if heads is None else heads[row.slot].blockhash


def _block_order(
    number: int, rows: Mapping[str, SignatureRow], head: BlockHead | None
) -> list[tuple[int, str]]:
    """(index in the block, signature), ascending; as listed and as the block has it, where both are known."""
    listed = {signature: row.transaction_index for signature, row in rows.items()}
    if head is not None:
        place = {signature: at for at, signature in enumerate(head.signatures)}
        for signature, index in listed.items():
            if signature not in place or index not in (None, place[signature]):
                raise Contradiction(
                    f"{signature} is listed in slot {number} at {index} and its block has it at {place.get(signature)}"
                )
        return sorted((place[signature], signature) for signature in rows)
    order = sorted((index, signature) for signature, index in listed.items() if index is not None)
    if len({index for index, _ in order}) < len(rows):
        raise Contradiction(f"slot {number}: two transactions are listed at one place of the block")
    return order
