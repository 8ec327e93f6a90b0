"""The rows that the trading session must leave in the canonical tables, worked out by hand from what is sent.

Nothing here reads the code under test: amounts are in human units, ordinals are counted by eye over the steps of
`trading.py` (each `Program data`, each `Program log` and each self-CPI of a transaction is one).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.surfpool.godark import POSITIONS, VAULT
from tests.surfpool.trading import ALICE, ALICE_POSITION, BOB, BOB_POSITION, MARKET, MINT, ORACLE

Row = dict[str, Any]

D = Decimal
ZERO = D(0)


@dataclass(frozen=True)
class Place:
    """Where the cluster put a transaction. block_time: unix seconds."""

    slot: int
    tx_index: int
    block_time: int
    signature: str


_WITHOUT: Mapping[str, Row] = {
    "perps.liquidations": {"kind": "perp"},
    "perps.markets": {"borrow_rate": None},
    "perps.position_changes": {"settled_pnl": ZERO, "borrow_fee": None, "price_impact_fee": None},
    "perps.positions": {
        "entry_quote": None,
        "settled_pnl": ZERO,
        "borrow_fees": None,
        "price_impact_fees": None,
    },
    "perps.transfers": {"sub_account": None},
}
"""What the tables say where a protocol has no borrowing, no sub-accounts and one kind of liquidation."""


@dataclass(frozen=True)
class Expectation:
    """stream: the stream's name; places: by the name of the act."""

    stream: str
    places: Mapping[str, Place]

    def tables(self) -> dict[str, list[Row]]:
        return {
            table: [{**_WITHOUT.get(table, {}), **row} for row in rows]
            for table, rows in self._tables().items()
        }

    def _tables(self) -> dict[str, list[Row]]:
        return {
            "perps.markets": [self._market()],
            "perps.oracle_prices": [self._oracle_price()],
            "perps.funding_rates": [self._funding_rate("create", 2), self._funding_rate("last rate", 0)],
            "perps.transfers": self._transfers(),
            "perps.balances": self._balances(),
            "perps.trades": self._trades(),
            "perps.position_changes": self._position_changes(),
            "perps.funding_payments": self._funding_payments(),
            "perps.liquidations": [self._liquidation()],
            "perps.positions": self._positions(),
            "heliograph.transactions": self._transactions(),
        }

    def _at(self, act: str, ordinal: int, program: str = POSITIONS) -> Row:
        place = self.places[act]
        return {
            "stream": self.stream,
            "block_time": place.block_time,
            "slot": place.slot,
            "tx_index": place.tx_index,
            "ordinal": ordinal,
            "part": 0,
            "signature": place.signature,
            "program": program,
        }

    def _transactions(self) -> list[Row]:
        err = {"InstructionError": [1, {"Custom": 6000}]}
        return [
            {
                "stream": self.stream,
                "block_time": place.block_time,
                "slot": place.slot,
                "tx_index": place.tx_index,
                "signature": place.signature,
                "err": err if act == "failed" else None,
            }
            for act, place in self.places.items()
        ]

    def _market(self) -> Row:
        created = self.places["create"]
        return {
            "stream": self.stream,
            "market": MARKET,
            "program": POSITIONS,
            "symbol": "SOL-PERP",
            "base_asset": "SOL",
            "quote_asset": "USDC",
            "oracle": ORACLE,
            "tick_size": D("0.01"),
            "lot_size": D("0.001"),
            "initial_margin_ratio": D("0.1"),
            "maintenance_margin_ratio": D("0.05"),
            "taker_fee_rate": D("0.0005"),
            "maker_fee_rate": D("-0.0001"),
            "funding_interval_seconds": 28_800,
            "created_slot": created.slot,
            "created_at": created.block_time,
            "mark_price": D("166.1"),
            "index_price": D("166"),
            "funding_rate": D("0.00001375"),
            "open_interest_long": ZERO,
            "open_interest_short": ZERO,
        }

    def _oracle_price(self) -> Row:
        return {
            **self._at("create", 1),
            "market": MARKET,
            "source": "godark",
            "oracle": ORACLE,
            "price": D("150.25"),
            "confidence": D("0.05"),
            "publish_time": 1_795_000_001,
        }

    def _funding_rate(self, act: str, ordinal: int) -> Row:
        return {
            **self._at(act, ordinal),
            "market": MARKET,
            "mark_price": D("150.3"),
            "index_price": D("150.25"),
            "premium": D("0.0000125"),
            "interest": D("0.00000125"),
            "rate": D("0.00001375"),
            "interval_seconds": 28_800,
            "interval_rate": D("0.00011"),
        }

    def _transfers(self) -> list[Row]:
        # act, ordinal, wallet, kind, amount, free delta, locked delta, free after, locked after
        moved = [
            ("deposit of Alice", 1, ALICE, "deposit", "1000", "1000", "0", "1000", "0"),
            ("deposit of Bob", 1, BOB, "deposit", "800", "800", "0", "800", "0"),
            ("open", 3, ALICE, "lock", "40", "-40", "40", "960", "40"),
            ("open of Bob", 0, BOB, "lock", "40", "-40", "40", "760", "40"),
            ("forged by text", 4, BOB, "deposit", "5", "5", "0", "765", "40"),
            ("decrease", 3, ALICE, "release", "10", "10.962", "-10", "970.962", "30"),
            ("decrease of Bob", 1, BOB, "release", "10", "9.0076", "-10", "774.0076", "30"),
            ("liquidation", 2, BOB, "release", "30", "4.6935", "-30", "778.7011", "0"),
            ("close", 1, ALICE, "release", "30", "53.8419", "-30", "1024.8039", "0"),
            ("withdrawal", 1, ALICE, "withdraw", "24.8039", "-24.8039", "0", "1000", "0"),
        ]
        return [
            {
                **self._at(act, ordinal, VAULT),
                "wallet": wallet,
                "asset": MINT,
                "kind": kind,
                "amount": D(amount),
                "free_delta": D(free_delta),
                "locked_delta": D(locked_delta),
                "free_after": D(free_after),
                "locked_after": D(locked_after),
                "position_key": _position_of(wallet) if kind in ("lock", "release") else None,
            }
            for act, ordinal, wallet, kind, amount, free_delta, locked_delta, free_after, locked_after in moved
        ]

    def _balances(self) -> list[Row]:
        last = [(ALICE, "1000", "withdrawal", 1), (BOB, "778.7011", "liquidation", 2)]
        return [
            {
                "stream": self.stream,
                "wallet": wallet,
                "asset": MINT,
                "sub_account": "",
                "free": D(free),
                "locked": ZERO,
                **self._updated(act, ordinal),
            }
            for wallet, free, act, ordinal in last
        ]

    def _updated(self, act: str, ordinal: int) -> Row:
        place = self.places[act]
        return {
            "updated_at": place.block_time,
            "updated_slot": place.slot,
            "updated_tx_index": place.tx_index,
            "updated_ordinal": ordinal,
        }

    def _trades(self) -> list[Row]:
        # act, ordinal, number, taker, taker side, price, size, quote, taker fee, maker fee
        filled = [
            ("open", 2, 1, ALICE, "long", "150", "2", "300", "0.15", "-0.03"),
            ("decrease", 1, 2, ALICE, "short", "152", "0.5", "76", "0.038", "-0.0076"),
            ("liquidation", 0, 3, BOB, "long", "166", "1.5", "249", "0.1245", "-0.0249"),
        ]
        return [
            {
                **self._at(act, ordinal),
                "market": MARKET,
                "trade_id": str(number),
                "taker": taker,
                "taker_side": side,
                "maker": _other(taker),
                "price": D(price),
                "size": D(size),
                "quote": D(quote),
                "taker_fee": D(taker_fee),
                "maker_fee": D(maker_fee),
                "taker_position_key": _position_of(taker),
                "maker_position_key": _position_of(_other(taker)),
                "taker_order_id": str(2 * number),
                "maker_order_id": str(2 * number - 1),
                "liquidation": act == "liquidation",
            }
            for act, ordinal, number, taker, side, price, size, quote, taker_fee, maker_fee in filled
        ]

    def _position_changes(self) -> list[Row]:
        # act, ordinal, wallet, kind, then in the order of _CHANGE
        changed: list[tuple[str, int, str, str, list[str | None]]] = [
            ("open", 4, ALICE, "open", ["2", "2", "150", "150", "39.85", "39.85", "0", "0.15", "0", "133", "1"]),
            ("open of Bob", 1, BOB, "open", ["2", "2", "150", "150", "40.03", "40.03", "0", "-0.03", "0", "166", "1"]),
            ("funding", 0, ALICE, "funding",
             ["0", "2", None, None, "-0.033", "39.817", "0", "0", "-0.033", "133.0165", None]),
            ("funding", 1, BOB, "funding",
             ["0", "2", None, None, "0.033", "40.063", "0", "0", "0.033", "166.0315", None]),
            ("decrease", 2, ALICE, "decrease",
             ["-0.5", "1.5", "152", "150", "-10", "29.817", "1", "0.038", "0", None, "2"]),
            ("decrease of Bob", 0, BOB, "decrease",
             ["-0.5", "1.5", "152", "150", "-10", "30.063", "-1", "-0.0076", "0", "166.4", "2"]),
            ("liquidation", 1, BOB, "liquidation",
             ["-1.5", "0", "166", None, "-30.063", "0", "-24", "1.3695", "0", None, "3"]),
            ("close", 0, ALICE, "close",
             ["-1.5", "0", "166", None, "-29.817", "0", "24", "-0.0249", "0", None, "3"]),
        ]  # fmt: skip
        return [
            {
                **self._at(act, ordinal),
                "market": MARKET,
                "wallet": wallet,
                "position_key": _position_of(wallet),
                "kind": kind,
                "side": _side_of(wallet),
                **{
                    column: value if value is None or column == "trade_id" else D(value)
                    for column, value in zip(_CHANGE, values, strict=True)
                },
            }
            for act, ordinal, wallet, kind, values in changed
        ]

    def _funding_payments(self) -> list[Row]:
        return [
            {
                **self._at("funding", ordinal),
                "market": MARKET,
                "wallet": wallet,
                "position_key": _position_of(wallet),
                "side": _side_of(wallet),
                "size": D(2),
                "rate": D("0.00001375"),
                "interval_seconds": 28_800,
                "amount": D(amount),
            }
            for ordinal, wallet, amount in [(0, ALICE, "-0.033"), (1, BOB, "0.033")]
        ]

    def _liquidation(self) -> Row:
        return {
            **self._at("liquidation", 3),
            "market": MARKET,
            "liquidation_id": "3",
            "wallet": BOB,
            "liquidator": ALICE,
            "position_key": BOB_POSITION,
            "side": "short",
            "size": D("1.5"),
            "price": D("166"),
            "mark_price": D("166.1"),
            "quote": D("249"),
            "fee": D("1.245"),
            "realized_pnl": D("-24"),
            "bad_debt": ZERO,
        }

    def _positions(self) -> list[Row]:
        # wallet, opening (act, ordinal), close (act, ordinal), status, profit, fees, funding
        folded = [
            (ALICE, ("open", 4), ("close", 0), "closed", "25", "0.1631", "-0.033"),
            (BOB, ("open of Bob", 1), ("liquidation", 1), "liquidated", "-25", "1.3319", "0.033"),
        ]
        return [
            {
                "stream": self.stream,
                "position_key": _position_of(wallet),
                "opened_slot": self.places[opened].slot,
                "opened_tx_index": self.places[opened].tx_index,
                "opened_ordinal": ordinal,
                "lifecycle": 1,
                "program": POSITIONS,
                "market": MARKET,
                "wallet": wallet,
                "side": _side_of(wallet),
                "status": status,
                "size": ZERO,
                "max_size": D(2),
                "entry_price": D(150),
                "exit_price": D(166),
                "collateral": ZERO,
                "liquidation_price": None,
                "realized_pnl": D(profit),
                "fees": D(fees),
                "funding": D(funding),
                "changes": 4,
                "opened_at": self.places[opened].block_time,
                **self._updated(closed, last),
                "closed_at": self.places[closed].block_time,
                "closed_slot": self.places[closed].slot,
                "complete": True,
                "settled": True,
            }
            for wallet, (opened, ordinal), (closed, last), status, profit, fees, funding in folded
        ]


_CHANGE = (
    "size_delta",
    "size_after",
    "price",
    "entry_price_after",
    "collateral_delta",
    "collateral_after",
    "realized_pnl",
    "fee",
    "funding",
    "liquidation_price_after",
    "trade_id",
)


def _other(wallet: str) -> str:
    return BOB if wallet == ALICE else ALICE


def _position_of(wallet: str) -> str:
    return ALICE_POSITION if wallet == ALICE else BOB_POSITION


def _side_of(wallet: str) -> str:
    return "long" if wallet == ALICE else "short"
