"""Account versions by slot."""

from __future__ import annotations

import pytest

from heliograph_localnet.accounts import AccountStore
from heliograph_localnet.draft import AccountData

OLD, NEW = AccountData("owner", 1, b"old"), AccountData("owner", 1, b"new")


def test_a_slot_sees_what_was_written_at_or_before_it() -> None:
    store = AccountStore()
    store.write(5, "a", OLD)
    store.write(8, "a", NEW)
    assert store.read("a", 4) is None
    assert store.read("a", 7) == (5, OLD)
    assert store.read("a", 9) == (8, NEW)


def test_the_last_write_of_a_slot_counts() -> None:
    store = AccountStore()
    store.write(5, "a", OLD)
    store.write(5, "a", NEW)
    assert store.read("a", 5) == (5, NEW)
    assert list(store.modified(5)) == [("a", NEW)]


def test_an_account_cannot_be_written_in_the_past() -> None:
    store = AccountStore()
    store.write(5, "a", OLD)
    with pytest.raises(ValueError, match="already written at slot 5"):
        store.write(4, "a", NEW)


def test_a_rollback_brings_the_older_state_back_and_removes_what_is_newer() -> None:
    store = AccountStore()
    store.write(5, "a", OLD)
    store.write(8, "a", NEW)
    store.write(8, "b", NEW)
    store.rollback(8)
    assert store.latest("a") == OLD
    assert store.latest("b") is None
    assert [address for address, _ in store.owned_by("owner", 9)] == ["a"]
    assert list(store.modified(8)) == []


def test_a_placed_account_survives_every_rollback() -> None:
    store = AccountStore()
    store.place(3, "mint", OLD)
    store.rollback(1)
    assert store.read("mint", 3) == (3, OLD)
    with pytest.raises(ValueError, match="written already"):
        store.place(3, "mint", NEW)


def test_the_root_forgets_what_only_older_slots_could_see() -> None:
    store = AccountStore()
    store.write(5, "a", OLD)
    store.write(8, "a", NEW)
    store.root(8)
    assert store.read("a", 7) is None
    assert store.read("a", 8) == (8, NEW)


def test_accounts_of_a_program_follow_owner_and_life() -> None:
    store = AccountStore()
    store.write(1, "a", OLD)
    store.write(1, "b", OLD)
    store.write(2, "a", AccountData("other", 1))
    store.write(3, "b", None)
    assert [address for address, _ in store.owned_by("owner", 1)] == ["a", "b"]
    assert [address for address, _ in store.owned_by("owner", 2)] == ["b"]
    assert list(store.owned_by("owner", 3)) == []
    store.root(3)
    assert list(store.owned_by("owner", 3)) == []
    assert store.read("b", 3) is None
    assert [address for address, _ in store.owned_by("other", 3)] == ["a"]
