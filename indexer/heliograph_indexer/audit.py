"""What an audit compares: slots as they are stored with slots as the record has them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from heliograph_core.slot import Slot
from heliograph_indexer.rpc.cluster import SignatureRow
from heliograph_sql.audit import StoredSlot, StoredTransaction

NOTHING = StoredSlot(None, ())


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What an endpoint says of a block. signatures: in block order, None where only the hash was asked for."""

    blockhash: str
    signatures: tuple[str, ...] | None = None


def suspects(
    stored: Mapping[int, StoredSlot],
    listed: Mapping[int, Mapping[str, SignatureRow]],
    seen: Mapping[int, Seen],
) -> list[int]:
    """Slots, ascending, that are not stored as the record lists them.

    seen: the blocks of slots whose blockhash is stored or whose rows have no index in the block.
    """
    return [
        slot
        for slot in sorted({*stored, *listed})
        if _differs(stored.get(slot, NOTHING), listed.get(slot, {}), seen.get(slot))
    ]


def is_same(stored: StoredSlot, slot: Slot) -> bool:
    """Whether a slot is stored as its records say: signatures, places and errors, and the blockhash where stored."""
    if stored.blockhash is not None and slot.blockhash != stored.blockhash:
        return False
    return stored.transactions == tuple(
        StoredTransaction(each.signature, each.tx_index, each.err) for each in slot.transactions
    )


def _differs(stored: StoredSlot, listed: Mapping[str, SignatureRow], seen: Seen | None) -> bool:
    if len(stored.transactions) != len(listed):
        return True
    if not listed:
        return False
    if stored.blockhash is not None and (seen is None or seen.blockhash != stored.blockhash):
        return True
    place = {} if seen is None else {name: at for at, name in enumerate(seen.signatures or ())}
    for each in stored.transactions:
        row = listed.get(each.signature)
        if row is None or row.err != each.err:
            return True
        index = row.transaction_index if row.transaction_index is not None else place.get(each.signature)
        if index != each.tx_index:
            return True
    return False
