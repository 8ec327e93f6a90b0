"""The judge is judged: tables that differ are told apart, and how they differ can be read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.endtoend.comparison import KEYS, Row, differences

from heliograph_core import records

STATE_TABLES = ("perps.markets", "perps.positions", "perps.balances")
ROW = {"slot": 7, "tx_index": 0, "ordinal": 2, "part": 0, "size": Decimal("1.5"), "liquidation": True}


def one(**changes: object) -> dict[str, list[Row]]:
    return {"perps.trades": [{**ROW, **changes}]}


def test_equal_tables_have_no_difference() -> None:
    assert differences(one(), one(size=Decimal("1.50"))) == ""


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({"perps.trades": []}, "lost: slot 7, tx_index 0, ordinal 2, part 0"),
        (one(size=Decimal("-1.5")), "size: expected Decimal('1.5'), stored Decimal('-1.5')"),
        (one(size="1.5"), "size: expected Decimal('1.5'), stored '1.5'"),
        (one(liquidation=1), "liquidation: expected True, stored 1"),
        (one(fee=None), "fee: expected no such column, stored None"),
        ({"perps.trades": [*one()["perps.trades"], *one(part=1)["perps.trades"]]}, "invented: slot 7"),
        ({"perps.trades": one()["perps.trades"] * 2}, "twice in the table: slot 7"),
        ({**one(), "perps.transfers": one()["perps.trades"]}, "perps.transfers: 0 rows expected, 1 stored"),
    ],
)
def test_a_difference_is_told(stored: dict[str, list[Row]], told: str) -> None:
    assert told in differences(one(), stored)


def test_only_the_first_rows_are_shown_and_all_are_counted() -> None:
    many = {"perps.trades": [{**ROW, "part": part} for part in range(9)]}
    text = differences(many, {}, most=2)
    assert "9 differences; the first 2" in text
    assert text.count("lost: ") == 2


def test_every_canonical_table_is_compared() -> None:
    # Flows are what changes are folded from: books tell what a position became, and a wrong flow shows there.
    event_like = set(records.EventRecord.__subclasses__()) - {records.Flow}
    assert len([table for table in KEYS if table.startswith("perps.")]) == len(event_like) + len(STATE_TABLES)
