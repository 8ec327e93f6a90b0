"""What counts as a difference between slots as they are stored and as the record has them."""

from __future__ import annotations

import msgspec
import pytest

from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.audit import Seen, is_same, suspects
from heliograph_indexer.rpc.cluster import SignatureRow
from heliograph_sql.audit import StoredSlot, StoredTransaction

FAILED = {"InstructionError": [0, {"Custom": 6001}]}
STORED = StoredSlot("hash", (StoredTransaction("a", 2, None), StoredTransaction("b", 5, FAILED)))
ROWS = {
    "a": SignatureRow("a", 7, transaction_index=2),
    "b": SignatureRow("b", 7, err=FAILED, transaction_index=5),
}
BLOCK = Seen("hash")


def test_what_is_stored_as_listed_is_no_suspect() -> None:
    assert suspects({7: STORED}, {7: ROWS}, {7: BLOCK}) == []


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"a": ROWS["a"]},
        {**ROWS, "c": SignatureRow("c", 7, transaction_index=9)},
        {"a": ROWS["a"], "c": SignatureRow("c", 7, err=FAILED, transaction_index=5)},
        {**ROWS, "a": SignatureRow("a", 7, transaction_index=3)},
        {**ROWS, "b": SignatureRow("b", 7, err=None, transaction_index=5)},
        {
            **ROWS,
            "b": SignatureRow("b", 7, err={"InstructionError": [0, {"Custom": 6002}]}, transaction_index=5),
        },
    ],
)
def test_a_lost_added_moved_or_otherwise_ended_transaction_is_found(rows: dict[str, SignatureRow]) -> None:
    assert suspects({7: STORED}, {7: rows}, {7: BLOCK}) == [7]


def test_the_same_transactions_in_another_block_are_found_by_its_hash() -> None:
    assert suspects({7: STORED}, {7: ROWS}, {7: Seen("other")}) == [7]
    assert suspects({7: STORED}, {7: ROWS}, {}) == [7]


def test_where_no_hash_is_stored_none_is_compared() -> None:
    assert suspects({7: msgspec.structs.replace(STORED, blockhash=None)}, {7: ROWS}, {}) == []


def test_a_slot_that_only_one_side_has_is_found() -> None:
    assert suspects({}, {7: ROWS}, {}) == [7]
    assert suspects({7: STORED, 8: STORED}, {8: ROWS}, {8: BLOCK}) == [7]


def test_an_emptied_slot_that_lists_nothing_is_as_it_should_be() -> None:
    assert suspects({7: StoredSlot(None, ())}, {}, {}) == []


def test_places_come_from_the_block_where_the_list_has_none() -> None:
    rows = {name: msgspec.structs.replace(row, transaction_index=None) for name, row in ROWS.items()}
    right = Seen("hash", ("x", "y", "a", "z", "w", "b"))
    moved = Seen("hash", ("x", "a", "y", "z", "w", "b"))
    assert suspects({7: STORED}, {7: rows}, {7: right}) == []
    assert suspects({7: STORED}, {7: rows}, {7: moved}) == [7]
    assert suspects({7: STORED}, {7: rows}, {}) == [7]


def test_a_slot_is_the_same_by_signatures_places_errors_and_hash() -> None:
    transactions = (
        Transaction("a", 2, None, (), None),
        Transaction("b", 5, FAILED, (), None),
    )
    slot = Slot(7, 1, transactions, "hash", 6)
    assert is_same(STORED, slot)
    assert is_same(msgspec.structs.replace(STORED, blockhash=None), slot)
    assert not is_same(STORED, msgspec.structs.replace(slot, blockhash="other"))
    assert not is_same(STORED, msgspec.structs.replace(slot, transactions=transactions[:1]))
    moved = msgspec.structs.replace(transactions[1], tx_index=6)
    assert not is_same(STORED, msgspec.structs.replace(slot, transactions=(transactions[0], moved)))
