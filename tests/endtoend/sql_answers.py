"""What the queries of docs/sql.md ought to answer, computed from the books of the exchange: rows as tuples, in order.

Times are unix seconds. Each function has its query's name; all of them take the truth's tables.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

Row = dict[str, Any]
Tables = Mapping[str, Sequence[Row]]
Answer = list[tuple[Any, ...]]
HOUR, DAY = 3_600, 86_400


def half_away(value: Fraction, places: int) -> Decimal:
    """As PostgreSQL's round(): half away from zero."""
    scaled = abs(value) * 10**places
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(-whole if value < 0 else whole).scaleb(-places)


def completeness(tables: Tables, last: int) -> Answer:
    rows = tables["heliograph.transactions"]
    return [(rows[0]["stream"], last, max(row["block_time"] for row in rows), 0)]


def candles(tables: Tables) -> Answer:
    found: Answer = []
    first, end, carried = 1_790_020_800, 1_790_042_400, None
    trades = [row for row in _chain(tables["perps.trades"]) if _symbols(tables)[row["market"]] == "SOL-PERP"]
    for bucket in range(first, end, HOUR):
        inside = [row for row in trades if bucket <= row["block_time"] < bucket + HOUR]
        prices = [row["price"] for row in inside] or [carried]
        if prices != [None]:
            carried = prices[-1]
            volume = _sum(row["size"] for row in inside)
            found.append((bucket, prices[0], max(prices), min(prices), prices[-1], volume, len(inside)))
    return found


def latest_prices(tables: Tables) -> Answer:
    found = {}
    for kind, table, column in _PRICES:
        for row in _chain(tables[table]):
            if row[column] is not None:
                found[_symbols(tables)[row["market"]], kind] = row[column]
    return [(*key, price) for key, price in sorted(found.items())]


def basis(tables: Tables) -> Answer:
    closes: dict[tuple[str, str, int], Decimal] = {}
    for kind, table, column in _PRICES[1:]:
        for row in _chain(tables[table]):
            if row[column] is not None:
                closes[kind, _symbols(tables)[row["market"]], _hour(row)] = row[column]
    return [
        (
            symbol,
            hour,
            half_away(
                (Fraction(price) - Fraction(closes["oracle", symbol, hour]))
                * 10_000
                / Fraction(closes["oracle", symbol, hour]),
                4,
            ),
        )
        for (kind, symbol, hour), price in sorted(closes.items())
        if kind == "mark" and ("oracle", symbol, hour) in closes
    ]


def slippage(tables: Tables) -> Answer:
    latest: dict[str, Decimal] = {}
    cost: dict[str, list[Fraction]] = defaultdict(lambda: [Fraction(), Fraction(), Fraction()])
    said = [("oracle", row) for row in tables["perps.oracle_prices"]]
    for kind, row in sorted([*said, *(("trade", row) for row in tables["perps.trades"])], key=_place_of_pair):
        if kind == "oracle":
            latest[row["market"]] = row["price"]
        elif row["market"] in latest:
            oracle, price, size = (
                Fraction(one) for one in (latest[row["market"]], row["price"], row["size"])
            )
            worse = price - oracle if row["taker_side"] == "long" else oracle - price
            total = cost[_symbols(tables)[row["market"]]]
            total[0] += 1
            total[1] += worse * size
            total[2] += oracle * size
    return [
        (symbol, int(count), half_away(lost * 10_000 / worth, 4))
        for symbol, (count, lost, worth) in sorted(cost.items())
    ]


def funding_by_wallet(tables: Tables) -> Answer:
    groups = _grouped(
        tables["perps.funding_payments"], lambda row: (row["wallet"], _symbols(tables)[row["market"]])
    )
    found = []
    for key, rows in groups.items():
        paid = [row["amount"] for row in rows if row["amount"] < 0]
        found.append((*key, _sum(row["amount"] for row in rows), -_sum(paid) if paid else None, len(rows)))
    return sorted(found, key=lambda row: (-row[2], row[0], row[1]))


def funding_apr(tables: Tables) -> Answer:
    groups = _grouped(tables["perps.funding_rates"], lambda row: (_symbols(tables)[row["market"]], _day(row)))
    found = []
    for key, rows in sorted(groups.items()):
        mean = Fraction(round(sum(Fraction(row["rate"]) for row in rows) / len(rows) * 10**18), 10**18)
        found.append((*key, half_away(mean * 24 * 365 * 100, 6), len(rows)))
    return found


def volume_by_role(tables: Tables) -> Answer:
    totals: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in tables["perps.trades"]:
        for role in ("taker", "maker"):
            if row[role] is not None:
                mine = totals[row[role]]
                mine[role] = mine.get(role, Decimal(0)) + row["quote"]
    ranked = sorted(totals.items(), key=lambda item: (-_sum(item[1].values()), item[0]))[:20]
    return [
        (
            wallet,
            mine.get("taker"),
            mine.get("maker"),
            half_away(Fraction(mine.get("maker", 0)) / Fraction(_sum(mine.values())), 4),
        )
        for wallet, mine in ranked
    ]


def daily_volume(tables: Tables) -> Answer:
    groups = _grouped(tables["perps.trades"], lambda row: (_symbols(tables)[row["market"]], _day(row)))
    return [
        (
            *key,
            _sum(row["quote"] for row in rows),
            len(rows),
            _sum(row["quote"] for row in rows if row["liquidation"]),
        )
        for key, rows in sorted(groups.items())
    ]


def taker_flow(tables: Tables) -> Answer:
    groups = _grouped(tables["perps.trades"], lambda row: (_symbols(tables)[row["market"]], _hour(row)))
    return [
        (*key, _sum(row["quote"] if row["taker_side"] == "long" else -row["quote"] for row in rows))
        for key, rows in sorted(groups.items())
    ]


def fee_revenue(tables: Tables) -> Answer:
    groups = _grouped(tables["perps.trades"], lambda row: (row["stream"], _day(row)))
    found = []
    for key, rows in sorted(groups.items()):
        fees = _sum(row["taker_fee"] + row["maker_fee"] for row in rows)
        quote = _sum(row["quote"] for row in rows)
        found.append((*key, fees, half_away(Fraction(fees) * 10_000 / Fraction(quote), 4)))
    return found


def largest_trades(tables: Tables) -> Answer:
    columns = (
        "block_time",
        "slot",
        "tx_index",
        "ordinal",
        "taker",
        "taker_side",
        "price",
        "size",
        "quote",
    )
    ranked = sorted(tables["perps.trades"], key=lambda row: (-row["quote"], *_place(row)))
    return [tuple(row[column] for column in columns) for row in ranked[:10]]


def pnl_by_day(tables: Tables) -> Answer:
    groups = _grouped(tables["perps.position_changes"], lambda row: (row["wallet"], _day(row)))
    return [
        (
            *key,
            _sum(row["realized_pnl"] for row in rows),
            _sum(row["realized_pnl"] - row["fee"] + row["funding"] for row in rows),
        )
        for key, rows in sorted(groups.items())
    ]


def top_traders(tables: Tables) -> Answer:
    groups = _grouped(_closed(tables), lambda row: (row["wallet"],))
    found = [(*key, len(rows), _sum(map(_result, rows))) for key, rows in groups.items()]
    return sorted(found, key=lambda row: (-row[2], row[0]))[:20]


def win_rate(tables: Tables) -> Answer:
    found = []
    for (wallet,), rows in _grouped(_closed(tables), lambda row: (row["wallet"],)).items():
        if len(rows) >= 2:
            won = sum(_result(row) > 0 for row in rows)
            found.append((wallet, len(rows), won, half_away(Fraction(won, len(rows)), 4)))
    return sorted(found, key=lambda row: (-row[3], row[0]))


def holding_times(tables: Tables) -> Answer:
    groups = _grouped(
        _closed(tables), lambda row: (_symbols(tables)[row["market"]], row["side"], row["status"])
    )
    found = []
    for key, rows in sorted(groups.items()):
        held = sorted(row["closed_at"] - row["opened_at"] for row in rows)
        # percentile_disc: the first value whose share of the rows reaches a half.
        found.append((*key, len(rows), held[(len(held) + 1) // 2 - 1]))
    return found


def unrealized(tables: Tables) -> Answer:
    marks = {row["market"]: row["mark_price"] for row in tables["perps.markets"]}
    groups = _grouped(_open(tables), lambda row: (_symbols(tables)[row["market"]], row["side"]))
    return [
        (
            *key,
            _sum(row["size"] for row in rows),
            _sum(
                (marks[row["market"]] - row["entry_price"])
                * row["size"]
                * (1 if row["side"] == "long" else -1)
                for row in rows
            ),
        )
        for key, rows in sorted(groups.items())
    ]


def open_interest(tables: Tables) -> Answer:
    sizes: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    found: dict[tuple[str, int], tuple[Decimal, Decimal]] = {}
    for row in _chain(tables["perps.position_changes"]):
        if row["size_delta"]:
            symbol = _symbols(tables)[row["market"]]
            sizes[symbol, row["side"]] += row["size_delta"]
            found[symbol, _hour(row)] = (sizes[symbol, "long"], sizes[symbol, "short"])
    return [(*key, *size) for key, size in sorted(found.items())]


def open_interest_skew(tables: Tables) -> Answer:
    found = []
    for (symbol,), rows in sorted(
        _grouped(_open(tables), lambda row: (_symbols(tables)[row["market"]],)).items()
    ):
        longs = [row for row in rows if row["side"] == "long"]
        shorts = [row for row in rows if row["side"] == "short"]
        skews = [
            _sum(row[column] for row in longs) - _sum(row[column] for row in shorts)
            for column in ("size", "collateral")
        ]
        found.append((symbol, *skews, len(longs), len(shorts)))
    return found


def liquidation_cascades(tables: Tables) -> Answer:
    cascades: dict[str, list[list[Row]]] = defaultdict(list)
    for row in _chain(tables["perps.liquidations"]):
        mine = cascades[_symbols(tables)[row["market"]]]
        if mine and row["block_time"] - mine[-1][-1]["block_time"] <= 120:
            mine[-1].append(row)
        else:
            mine.append([row])
    found = [
        (
            symbol,
            rows[0]["block_time"],
            rows[-1]["block_time"],
            len(rows),
            len({row["wallet"] for row in rows}),
            _sum(row["quote"] for row in rows),
            _sum(row["bad_debt"] for row in rows),
        )
        for symbol, mine in cascades.items()
        for rows in mine
    ]
    return sorted(found, key=lambda row: (row[1], row[0]))


def liquidation_leverage(tables: Tables) -> Answer:
    changes = _chain(tables["perps.position_changes"])
    found = []
    for row in _chain(tables["perps.liquidations"]):
        before = [
            change["collateral_after"]
            for change in changes
            if change["position_key"] == row["position_key"]
            and (change["slot"], change["tx_index"]) < (row["slot"], row["tx_index"])
        ]
        if before and before[-1] > 0:
            leverage = half_away(Fraction(row["quote"]) / Fraction(before[-1]), 4)
            found.append((_symbols(tables)[row["market"]], row["wallet"], row["slot"], leverage))
    return found


def net_flow(tables: Tables) -> Answer:
    moved = [row for row in tables["perps.transfers"] if row["kind"] in ("deposit", "withdraw")]
    found = []
    for key, rows in sorted(_grouped(moved, lambda row: (row["asset"], _day(row))).items()):
        amounts = [[row["amount"] for row in rows if row["kind"] == kind] for kind in ("deposit", "withdraw")]
        sums = [_sum(one) if one else None for one in amounts]
        found.append((*key, *sums, (sums[0] or Decimal(0)) - (sums[1] or Decimal(0))))
    return found


def cohorts(tables: Tables) -> Answer:
    days: dict[str, set[int]] = defaultdict(set)
    for row in tables["perps.trades"]:
        for wallet in (row["taker"], row["maker"]):
            if wallet is not None:
                days[wallet].add(_day(row))
    counts = Counter((min(mine), day) for mine in days.values() for day in mine)
    return [(*key, count) for key, count in sorted(counts.items())]


def failures(tables: Tables) -> Counter[object]:
    """By the code of the error, which is all that the books have: two programs may use one code."""
    counts: Counter[object] = Counter()
    for row in tables["heliograph.transactions"]:
        if row["err"] is not None:
            counts[row["err"]["InstructionError"][1]["Custom"]] += 1
    return counts


def transactions(tables: Tables) -> Answer:
    """Of compute_units: what the books know of it."""
    counts = Counter(row["err"] is not None for row in tables["heliograph.transactions"])
    return sorted(counts.items())


def event_counts(tables: Tables) -> Answer:
    opened = [row for row in tables["perps.position_changes"] if row["kind"] == "open"]
    counts = Counter((row["market"], row["side"].capitalize()) for row in opened)
    return [(*key, count) for key, count in sorted(counts.items())]


_PRICES = (
    ("trade", "perps.trades", "price"),
    ("mark", "perps.funding_rates", "mark_price"),
    ("oracle", "perps.oracle_prices", "price"),
)


def _symbols(tables: Tables) -> dict[str, str]:
    return {row["market"]: row["symbol"] for row in tables["perps.markets"]}


def _place(row: Row) -> tuple[int, int, int, int]:
    return row["slot"], row["tx_index"], row["ordinal"], row["part"]


def _place_of_pair(pair: tuple[str, Row]) -> tuple[int, int, int, int]:
    return _place(pair[1])


def _chain(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=_place)


def _hour(row: Row) -> int:
    return int(row["block_time"] // HOUR * HOUR)


def _day(row: Row) -> int:
    return int(row["block_time"] // DAY * DAY)


def _closed(tables: Tables) -> list[Row]:
    return [row for row in tables["perps.positions"] if row["status"] != "open"]


def _open(tables: Tables) -> list[Row]:
    return [row for row in tables["perps.positions"] if row["status"] == "open"]


def _result(row: Row) -> Decimal:
    result: Decimal = row["realized_pnl"] - row["fees"] + row["funding"]
    return result


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, Decimal(0))


def _grouped(rows: Iterable[Row], key: Callable[[Row], tuple[Any, ...]]) -> dict[tuple[Any, ...], list[Row]]:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
