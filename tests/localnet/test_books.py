"""What books expect: every statement at the place of the transaction that stands."""

from __future__ import annotations

from typing import Any

from heliograph_localnet.act import Act, Stated
from heliograph_localnet.books import Books
from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import Draft, DraftInstruction

PROGRAM = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
PAYER = "AVzP2GeRmqGphJsMxWoqjpUifPpCret7LqWhD8NWQK49"


def act(*stated: Stated, err: object | None = None) -> Act:
    return Act(Draft(PAYER, (DraftInstruction(PROGRAM, (), b""),), err=err), stated)


def said(table: str, ordinal: int | None, **row: Any) -> Stated:
    return Stated(table, row, PROGRAM, ordinal, "E")


class Told:
    def __init__(self) -> None:
        self.chain = Chain(seed=3, genesis_time=1_800_000_000, slot_ms=1_000, first_slot=10)
        self.books = Books("s")
        self.chain.listen(self.books.follow)

    def land(self, *acts: Act) -> list[str]:
        signatures = []
        for each in acts:
            signatures.append(self.chain.submit(each.draft))
            self.books.tell(signatures[-1], each)
        self.chain.produce()
        return signatures


def test_a_row_stands_at_the_place_of_its_event() -> None:
    told = Told()
    told.land(act())
    told.land(act(), act(said("perps.trades", 4, price=1), said("perps.trades", 4, price=2, part=1)))
    first, second = told.books.rows()["perps.trades"]
    place = {
        "stream": "s",
        "program": PROGRAM,
        "block_time": 1_800_000_001,
        "slot": 11,
        "tx_index": 1,
        "ordinal": 4,
    }
    assert {key: first[key] for key in place} == place
    assert (first["part"], first["price"], second["part"], second["price"]) == (0, 1, 1, 2)


def test_of_a_failed_transaction_only_the_transaction_is_known() -> None:
    told = Told()
    err = {"InstructionError": [0, {"Custom": 1}]}
    [signature] = told.land(act(said("perps.trades", 0, price=1), err=err))
    rows = told.books.rows()
    assert rows["perps.trades"] == []
    assert [(row["signature"], row["err"]) for row in rows["heliograph.transactions"]] == [(signature, err)]


def test_a_lifecycle_begins_with_its_first_statement_and_ends_with_the_one_that_says_so() -> None:
    told = Told()

    def position(status: str, lifecycle: int = 1) -> Stated:
        return said("perps.positions", 2, position_key="k", lifecycle=lifecycle, status=status)

    told.land(act(position("open")))
    told.land(act(position("open")))
    [row] = told.books.rows()["perps.positions"]
    assert (row["changes"], row["opened_slot"], row["updated_slot"], row["closed_slot"]) == (2, 10, 11, None)
    told.land(act(position("closed")))
    told.land(act(position("open", 2)))
    first, second = told.books.rows()["perps.positions"]
    assert (first["changes"], first["closed_slot"], first["closed_at"]) == (3, 12, 1_800_000_002)
    assert (second["changes"], second["opened_slot"], second["opened_ordinal"]) == (1, 13, 2)


def test_accounts_tell_of_markets_from_their_slot_on() -> None:
    told = Told()
    told.land(act(said("perps.markets", None, market="m", symbol="S")))
    told.land(act(said("perps.markets", None, market="m", mark_price=2)))
    [row] = told.books.rows()["perps.markets"]
    assert (row["symbol"], row["mark_price"], row["account_slot"], row["created_slot"]) == ("S", 2, 11, 10)
    assert told.books.rows(10)["perps.markets"][0]["account_slot"] == 10


def test_what_a_fork_dropped_is_expected_no_more_and_what_it_moved_stands_elsewhere() -> None:
    told = Told()
    told.land(act(said("perps.trades", 0, price=1)))
    told.land(act(said("perps.trades", 0, price=2)))
    told.chain.drop([10])
    assert [row["price"] for row in told.books.rows()["perps.trades"]] == [2]


def test_what_nobody_can_read_is_left_out() -> None:
    told = Told()
    told.land(
        act(said("perps.trades", 0, price=1), Stated("perps.trades", {"price": 2}, PROGRAM, 1, "E", layout=1))
    )
    readable = told.books.rows(known=lambda stated: stated.layout == 0)
    assert [row["price"] for row in readable["perps.trades"]] == [1]


def test_a_value_that_follows_from_the_place_is_asked_for_it() -> None:
    told = Told()
    [signature] = told.land(
        act(said("perps.trades", 7, trade_id=lambda place: (place["signature"], place["ordinal"])))
    )
    assert told.books.rows()["perps.trades"][0]["trade_id"] == (signature, 7)
