"""The resources: routes, parameters and the OpenAPI page are made from this table."""

from __future__ import annotations

from heliograph_graphql.plan import Operator
from heliograph_graphql.rest.resource import Filter, Resource


def _by(*fields: str) -> tuple[Filter, ...]:
    return tuple(Filter(field, (field,)) for field in fields)


STREAM = Filter("stream", ("stream",), text="Only rows of these streams.")
MARKET = Filter("market", ("marketSymbol",), text="Symbol of the market, as in SOL-PERP.")
MARKET_ADDRESS = Filter("marketAddress", ("marketAddress",), text="Address of the market.")
_HERE = (STREAM, MARKET, MARKET_ADDRESS)


def _range(time: str, slot: str) -> tuple[Filter, ...]:
    return (
        Filter("from", (time,), Operator.GTE, "Not before this time."),
        Filter("to", (time,), Operator.LT, "Before this time."),
        Filter("fromSlot", (slot,), Operator.GTE, "Not below this slot."),
        Filter("throughSlot", (slot,), Operator.LTE, "Not above this slot."),
    )


_EVENT = (*_range("blockTime", "slot"), *_by("signature"))

RESOURCES: tuple[Resource, ...] = (
    Resource(
        "/api/positions",
        "positions",
        (*_HERE, *_by("wallet", "side", "status", "positionKey"), *_range("openedAt", "openedSlot")),
        "openedAt",
        one=True,
        address="positionKey",
    ),
    Resource("/api/markets", "markets", (STREAM, *_by("symbol", "address", "baseAsset")), "symbol"),
    Resource("/api/funding-rates", "fundingRates", (*_HERE, *_EVENT), "blockTime"),
    Resource(
        "/api/funding-payments",
        "fundingPayments",
        (*_HERE, *_by("wallet", "positionKey", "side"), *_EVENT),
        "blockTime",
    ),
    Resource(
        "/api/liquidations",
        "liquidations",
        (*_HERE, *_by("wallet", "liquidator", "positionKey", "side"), *_EVENT),
        "blockTime",
    ),
    Resource(
        "/api/trades",
        "trades",
        (
            *_HERE,
            Filter("wallet", ("taker", "maker"), text="Either of the two."),
            *_by("taker", "maker", "takerSide", "liquidation"),
            Filter("minSize", ("size",), Operator.GTE, "At least this size, in base."),
            *_EVENT,
        ),
        "blockTime",
    ),
    Resource(
        "/api/candles",
        "candles",
        (),
        within="market",
        found_by={"market": "symbol", "marketAddress": "address", "stream": "stream"},
    ),
    Resource("/api/oracle-prices", "oraclePrices", (*_HERE, *_by("source"), *_EVENT), "blockTime"),
)
