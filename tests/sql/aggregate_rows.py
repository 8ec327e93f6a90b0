"""What aggregates ought to say, computed in Python from the rows as they are; knows nothing of buckets in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

WIDTHS: Mapping[str, int] = {"1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400, "1d": 86_400}
Row = Mapping[str, Any]
Aggregates = dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]
"""View -> (market, …, bucket in unix seconds) -> the other columns, in their order."""

COLUMNS: Mapping[str, str] = {
    **{f"candles_{step}": "open, high, low, close, volume, quote, points" for step in WIDTHS},
    **{
        f"funding_{step}": "rate, rate_min, rate_max, rate_last, rates, long_amount, short_amount, payments"
        for step in ("1h", "1d")
    },
    "volume_1h": "volume, quote, bought_quote, sold_quote, liquidated_quote, taker_fees, maker_fees, trades",
    **{
        f"open_interest_{step}": "long_change, short_change, long_size, short_size, changes"
        for step in ("1h", "1d")
    },
}


def compute(tables: Mapping[str, Sequence[Row]]) -> Aggregates:
    """tables: rows of schema perps by name without it, block_time in unix seconds."""
    found: Aggregates = {}
    trades, rates = _ordered(tables["trades"]), _ordered(tables["funding_rates"])
    prices = [
        *(("trade", row, row["price"], row["size"], row["quote"]) for row in trades),
        *(
            ("mark", row, row["mark_price"], Decimal(0), Decimal(0))
            for row in rates
            if row["mark_price"] is not None
        ),
        *(("oracle", row, row["price"], Decimal(0), Decimal(0)) for row in _ordered(tables["oracle_prices"])),
    ]
    for step, width in WIDTHS.items():
        buckets = _grouped(prices, _by_market_and_kind(width))
        found[f"candles_{step}"] = {at: _candle(group) for at, group in buckets.items()}
    for step in ("1h", "1d"):
        width = WIDTHS[step]
        both = [*rates, *tables["funding_payments"]]
        found[f"funding_{step}"] = {
            at: _funding(group) for at, group in _grouped(both, _by_market(width)).items()
        }
        found[f"open_interest_{step}"] = _open_interest(tables["position_changes"], width)
    found["volume_1h"] = {at: _volume(group) for at, group in _grouped(trades, _by_market(3_600)).items()}
    return found


def half_even(value: Fraction) -> Decimal:
    """At 18 places."""
    return Decimal(round(value * 10**18)).scaleb(-18)


def _ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["slot"], row["tx_index"], row["ordinal"], row["part"]))


def _bucket(row: Row, width: int) -> int:
    at: int = row["block_time"]
    return at - at % width


def _by_market(width: int) -> Callable[[Row], tuple[Any, ...]]:
    return lambda row: (row["market"], _bucket(row, width))


def _by_market_and_kind(width: int) -> Callable[[Any], tuple[Any, ...]]:
    return lambda one: (one[1]["market"], one[0], _bucket(one[1], width))


def _grouped(rows: Iterable[Any], key: Callable[[Any], tuple[Any, ...]]) -> dict[tuple[Any, ...], list[Any]]:
    found: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _candle(group: Sequence[tuple[str, Row, Decimal, Decimal, Decimal]]) -> tuple[Any, ...]:
    prices = [price for _, _, price, _, _ in group]
    volume, quote = sum((one[3] for one in group), Decimal(0)), sum((one[4] for one in group), Decimal(0))
    return prices[0], max(prices), min(prices), prices[-1], volume, quote, len(group)


def _funding(group: Sequence[Row]) -> tuple[Any, ...]:
    rates = [row["rate"] for row in group if "interval_rate" in row]
    paid = [row for row in group if "amount" in row]
    amounts = [_total(row["amount"] for row in paid if row["side"] == side) for side in ("long", "short")]
    if not rates:
        return None, None, None, None, 0, *amounts, len(paid)
    mean = half_even(sum(map(Fraction, rates), Fraction()) / len(rates))
    return mean, min(rates), max(rates), rates[-1], len(rates), *amounts, len(paid)


def _volume(group: Sequence[Row]) -> tuple[Any, ...]:
    return (
        _total(row["size"] for row in group),
        _total(row["quote"] for row in group),
        _total(row["quote"] for row in group if row["taker_side"] == "long"),
        _total(row["quote"] for row in group if row["taker_side"] == "short"),
        _total(row["quote"] for row in group if row["liquidation"]),
        _total(row["taker_fee"] for row in group),
        _total(row["maker_fee"] for row in group),
        len(group),
    )


def _open_interest(rows: Sequence[Row], width: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    found = {}
    sizes: dict[tuple[str, str], Decimal] = {}
    changing = sorted((row for row in rows if row["size_delta"]), key=lambda row: row["block_time"])
    for (market, bucket), group in _grouped(changing, _by_market(width)).items():
        changes = [
            _total(row["size_delta"] for row in group if row["side"] == side) for side in ("long", "short")
        ]
        for side, change in zip(("long", "short"), changes, strict=True):
            sizes[market, side] = sizes.get((market, side), Decimal(0)) + change
        found[market, bucket] = (*changes, sizes[market, "long"], sizes[market, "short"], len(group))
    return found


def _total(values: Iterable[Decimal]) -> Decimal:
    return sum(values, Decimal(0))


TABLES = ("trades", "funding_rates", "funding_payments", "oracle_prices", "position_changes")


async def read_rows(connection: Any, stream: str) -> dict[str, list[dict[str, Any]]]:
    """The rows that aggregates are made of."""
    found = {}
    for table in TABLES:
        rows = await connection.fetch(f"SELECT * FROM perps.{table} WHERE stream = $1", stream)
        found[table] = [
            {name: int(value.timestamp()) if name == "block_time" else value for name, value in row.items()}
            for row in rows
        ]
    return found


async def read_aggregates(connection: Any, stream: str) -> Aggregates:
    """What the views say."""
    found: Aggregates = {}
    for view, columns in COLUMNS.items():
        key = "market, price_kind" if view.startswith("candles") else "market"
        keys = key.count(",") + 2
        rows = await connection.fetch(
            f"SELECT {key}, extract(epoch FROM bucket)::bigint, {columns} FROM perps.{view} WHERE stream = $1",
            stream,
        )
        found[view] = {tuple(row)[:keys]: tuple(row)[keys:] for row in rows}
        assert len(found[view]) == len(rows), f"{view} has a bucket twice"
    return found


def differences(wanted: Aggregates, told: Aggregates) -> str:
    """The first buckets that differ, by view; empty where all are equal."""
    lines = []
    for view in COLUMNS:
        for at in sorted({*wanted[view], *told[view]}, key=str):
            one, other = wanted[view].get(at), told[view].get(at)
            if one != other:
                lines.append(f"{view} {at}: the rows say {one}, the view says {other}")
    return "\n".join(lines[:10])
