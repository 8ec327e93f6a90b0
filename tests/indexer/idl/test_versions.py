"""Which of a program's IDLs reads some bytes: the one in force, else the one that alone fits, else none."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_core.errors import DecodeError
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.idl.versions import Version, Versions


def version(first_slot: int, **fields: str) -> Version:
    document: dict[str, Any] = {
        "address": "11111111111111111111111111111112",
        "metadata": {"name": "made", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [],
        "accounts": [{"name": "Said", "discriminator": [8]}],
        "events": [{"name": "Said", "discriminator": [7]}],
        "types": [
            {
                "name": "Said",
                "type": {
                    "kind": "struct",
                    "fields": [{"name": name, "type": kind} for name, kind in fields.items()],
                },
            }
        ],
    }
    return Version(first_slot, f"{first_slot:064x}", Decoder(read_idl(document)))


SHORT = version(0, x="u8")
LONG = version(100, x="u8", y="u8")
OTHER = version(200, y="u16")
"""As long as LONG: what one reads the other reads differently."""


@pytest.mark.parametrize(("slot", "first"), [(0, 0), (99, 0), (100, 100), (199, 100), (10_000, 200)])
def test_the_one_in_force_is_the_latest_that_has_begun(slot: int, first: int) -> None:
    assert Versions([OTHER, SHORT, LONG]).at(slot).first_slot == first


def test_before_all_of_them_the_first_is_in_force() -> None:
    assert Versions([LONG, OTHER]).at(5) is LONG


def test_the_one_in_force_reads_what_fits_it() -> None:
    assert Versions([SHORT, LONG]).event(b"\7\1", 50) == ("Said", {"x": 1}, None)
    assert Versions([SHORT, LONG]).event(b"\7\1\2", 100) == ("Said", {"x": 1, "y": 2}, None)


def test_what_the_one_in_force_refuses_is_read_by_the_one_that_fits_and_told() -> None:
    name, fields, choice = Versions([SHORT, LONG]).event(b"\7\1\2", 50)
    assert (name, fields) == ("Said", {"x": 1, "y": 2})
    assert choice is not None
    assert (choice.taken, choice.other) == (LONG, SHORT)
    assert "from slot 100" in choice.reason


def test_the_one_in_force_wins_over_another_that_fits_and_the_choice_is_told() -> None:
    _, fields, choice = Versions([SHORT, LONG, OTHER]).event(b"\7\1\2", 100)
    assert fields == {"x": 1, "y": 2}
    assert choice is not None
    assert (choice.taken, choice.other) == (LONG, OTHER)


def test_two_that_fit_and_are_not_in_force_are_an_error_that_names_both() -> None:
    with pytest.raises(DecodeError, match=r"from slot 100 .* and the IDL from slot 200 .* both read"):
        Versions([SHORT, LONG, OTHER]).event(b"\7\1\2", 50)


def test_two_that_say_the_same_are_no_ambiguity() -> None:
    again = version(300, x="u8", y="u8")
    _, fields, choice = Versions([SHORT, LONG, again]).event(b"\7\1\2", 50)
    assert fields == {"x": 1, "y": 2}
    assert choice is not None
    assert choice.taken is LONG


def test_what_fits_none_is_refused_as_the_one_in_force_refuses_it() -> None:
    with pytest.raises(DecodeError, match="more bytes follow"):
        Versions([SHORT, LONG]).event(b"\7\1\2\3", 50)


def test_accounts_are_read_by_the_same_rule() -> None:
    assert Versions([SHORT, LONG]).account(b"\x08\1\2", 50)[1] == {"x": 1, "y": 2}


def test_events_of_any_version_are_known() -> None:
    assert Versions([SHORT, LONG]).knows_event(b"\7")
    assert not Versions([SHORT, LONG]).knows_event(b"\6")


def test_two_cannot_begin_at_one_slot() -> None:
    with pytest.raises(ValueError, match="slot of its own"):
        Versions([SHORT, version(0, y="u8")])
