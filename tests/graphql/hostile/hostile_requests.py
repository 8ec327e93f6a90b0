"""What hostile clients send: requests as values, each a name and a GraphQL body, a path or raw bytes. Pure."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

from heliograph_core.cursor import encode_keyset
from heliograph_graphql.entities import load_catalog
from heliograph_graphql.entity import Choice, Entity, Field, Kind
from heliograph_graphql.node_id import encode_id

SQL = (
    "'; DROP TABLE perps.trades; --",
    "' OR '1'='1",
    '"; DELETE FROM perps.trades; --',
    "1) UNION SELECT secret FROM heliograph.api_secret --",
    "$1",
    "\\'; SELECT pg_sleep(10); --",
    "x' || pg_sleep(10) || '",
    "{id.Position.p}",
    "{query.coverage}",
    "%s %(a)s",
)
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, -0.0, 1e308, 10**400, 2**31, 2**63, -(2**63) - 1, "", " ", "NaN", "Infinity", "-Infinity", "1e400",
    "1e-400", "٣", "0x10", "1_000", "\0", "\u202e", "😀" * 50, "\ud800", "9" * 5000, "a" * 20_000, [], [[]], [None], {}, {"eq": 1},
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+14:00", "infinity", "epoch", "now", "2026-11-21T25:00:00Z", "LONG", "long", *SQL,
)  # fmt: skip

Body = dict[str, Any] | list[Any]


def operations() -> Iterator[tuple[str, Body]]:
    """Deep, wide, aliased, batched, huge and slow ones."""
    relations = "market { trades(first: 1000) { nodes { transaction { id } } } } "
    deep = "nodes { market { trades { " * 60 + "totalCount" + " } } }" * 60
    yield "deep", {"query": f"{{ trades {{ {deep} }} }}"}
    yield "deep braces", {"query": "{ a " * 3000}
    yield "deep list", {"query": "{ trades(where: {and: " + "[" * 1500 + "]" * 1500 + "}) { totalCount } }"}
    nested: Any = {}
    for _ in range(60):
        nested = {"not": nested}
    asked = "query ($w: TradeFilter) { trades(where: $w) { totalCount } }"
    yield "deep filter", {"query": asked, "variables": {"w": nested}}
    yield "deep type", {"query": "query ($w: " + "[" * 1000 + "Int" + "]" * 1000 + ") { __typename }"}
    yield "wide", {"query": "{ trades { nodes { " + "id slot price " * 2000 + "} } }"}
    yield (
        "wide fragments",
        {
            "query": "{ trades { nodes { ...F0 } } } "
            + "".join(f"fragment F{n} on Trade {{ ...F{n + 1} ...F{n + 1} }} " for n in range(100))
            + "fragment F100 on Trade { id }"
        },
    )
    yield "fragment cycle", {"query": "{ trades { nodes { ...A } } } fragment A on Trade { ...A }"}
    yield (
        "wide filter",
        {
            "query": asked,
            "variables": {"w": {"or": [{"size": {"gt": str(n)}} for n in range(600)]}},
        },
    )
    yield "wide list", {"query": asked, "variables": {"w": {"taker": {"in": ["x"] * 4900}}}}
    yield (
        "many variables",
        {"query": "query (" + " ".join(f"$v{n}: Int" for n in range(900)) + ") { __typename }"},
    )
    yield "aliased", {"query": "{ " + " ".join(f"a{n}: trades {{ totalCount }}" for n in range(400)) + " }"}
    yield (
        "aliased within",
        {
            "query": "{ "
            + " ".join(f"a{n}: trades(first: 1000) {{ nodes {{ id }} }}" for n in range(99))
            + " }"
        },
    )
    yield "aliased long", {"query": "{ trades { nodes { " + "a" * 64 + ": id } } }"}
    yield (
        "aliased introspection",
        {"query": "{ " + " ".join(f"a{n}: __schema {{ types {{ name }} }}" for n in range(90)) + " }"},
    )
    yield (
        "hidden introspection",
        {"query": "{ ...{ " + " ".join(f"a{n}: eventTypes {{ root }}" for n in range(90)) + " } }"},
    )
    evil = '"; DROP SCHEMA perps CASCADE; --'
    yield (
        "events of nowhere",
        {
            "query": "query ($s: String!, $n: String) { events(stream: $s, name: $n) { nodes { data } } }",
            "variables": {"s": evil * 1000, "n": evil},
        },
    )
    yield "batched", [{"query": "{ __typename }"}] * 1000
    yield "several operations", {"query": " ".join(f"query Q{n} {{ __typename }}" for n in range(500))}
    yield "huge rows", {"query": f"{{ trades(first: 1000) {{ nodes {{ {relations} }} }} }}"}
    yield "huge string", {"query": '{ market(symbol: "' + "a" * 900_000 + '") { id } }'}
    yield "huge number", {"query": "{ trades(first: " + "9" * 500_000 + ") { totalCount } }"}
    yield "huge block string", {"query": '{ market(symbol: """' + "\n" * 400_000 + '""") { id } }'}
    yield "huge comment", {"query": "#" + "a" * 900_000 + "\n{ __typename }"}
    yield "huge variables", {"query": asked, "variables": {str(n): n for n in range(80_000)}}
    yield "huge", {"query": "{ __typename }" + " " * 3_000_000}
    yield "nothing", {"query": ""}
    yield (
        "introspection",
        {
            "query": "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
        },
    )
    slow = " ".join(
        f's{n}: trades(where: {{or: [{{price: {{gt: "{n}"}}}}, {{not: {{taker: {{in: ["a", "b"]}}}}}}]}}, orderBy: [{{price: ASC}}]) {{ totalCount }}'
        for n in range(40)
    )
    yield "slow", {"query": f"{{ {slow} }}"}
    yield (
        "slow nested",
        {
            "query": "{ positions(first: 400) { nodes { trades(first: 400, orderBy: [{price: ASC}]) { totalCount nodes { id } } } } }"
        },
    )
    every = "aggregates(by: [STREAM, TAKER, MAKER, MARKET], bucket: ONE_MINUTE, first: 1000, orderBy: {avg: {price: DESC}})"
    figures = (
        "groups { key { taker } count sum { price size quote } avg { price } min { price } max { price } }"
    )
    yield (
        "slow aggregates",
        {"query": f"{{ {' '.join(f'a{n}: trades {{ {every} {{ {figures} }} }}' for n in range(30))} }}"},
    )
    yield (
        "many aggregates",
        {"query": f"{{ {' '.join(f'a{n}: trades {{ {every} {{ hasMore }} }}' for n in range(90))} }}"},
    )
    nested_aggregates = f"nodes {{ market {{ trades {{ {every} {{ {figures} }} }} }} }}"
    yield "nested aggregates", {"query": f"{{ trades(first: 1000) {{ {nested_aggregates} }} }}"}
    yield (
        "aggregates by all",
        {"query": "{ trades { aggregates(by: [" + "TAKER " * 3000 + "]) { hasMore } } }"},
    )
    then = 'positions(asOf: {slot: "1"}) { totalCount }'
    yield "many pasts", {"query": f"{{ {' '.join(f'p{n}: {then}' for n in range(30))} }}"}
    yield "subscription by POST", {"query": "subscription { trades { cursor } }"}
    yield "mutation", {"query": "mutation { drop }"}


def filters(seed: int, count: int) -> Iterator[tuple[str, Body]]:
    """Every type of filter with every strange value once, then `count` random ones."""
    entities = load_catalog().entities
    seen: set[tuple[object, str]] = set()
    for entity in entities:
        for field in entity.fields:
            if not field.can_filter:
                continue
            kind = field.type.name if isinstance(field.type, Choice) else field.type.value
            if (kind, "eq") in seen:
                continue
            seen.add((kind, "eq"))
            for value in STRANGE:
                for operator in ("eq", "in", "gt"):
                    yield f"filter {kind}", _filter(entity, field, operator, value)
    dice = random.Random(seed)
    for _ in range(count):
        entity = dice.choice(entities)
        field = dice.choice([field for field in entity.fields if field.can_filter])
        operator = dice.choice(("eq", "in", "gt", "gte", "lt", "lte", "like", "and"))
        yield "random filter", _filter(entity, field, operator, _random_value(dice, field))


def _filter(entity: Entity, field: Field, operator: str, value: Any) -> Body:
    return {
        "query": f"query ($w: {entity.name}Filter) {{ {entity.root}(where: $w, first: 2) {{ nodes {{ id }} }} }}",
        "variables": {"w": {field.key: {operator: value}}},
    }


def _random_value(dice: random.Random, field: Field) -> Any:
    match dice.randrange(6):
        case 0:
            return dice.choice(STRANGE)
        case 1:
            return [dice.choice(STRANGE) for _ in range(dice.randrange(4))]
        case 2:
            return "".join(
                chr(dice.choice((dice.randrange(32, 127), dice.randrange(0xD800))))
                for _ in range(dice.randrange(40))
            )
        case 3:
            return dice.choice((1, -1)) * dice.getrandbits(dice.randrange(1, 300))
        case 4:
            return str(dice.uniform(-1, 1) * 10 ** dice.randrange(-120, 120))
        case _:
            return (
                "LONG" if isinstance(field.type, Choice) else ("150" if field.type is not Kind.BOOL else True)
            )


def arguments() -> Iterator[tuple[str, Body]]:
    """Strange values where an argument says what the statement is, or from when."""
    asked = {
        "asOf: {slot: $v}": ("Slot!", "positions", "nodes { id }"),
        "asOf: {time: $v}": ("DateTime!", "positions", "nodes { id }"),
        "by: $v": ("[TradeGroupBy!]", "trades", "hasMore"),
        "bucket: $v": ("BucketResolution", "trades", "hasMore"),
        "first: $v": ("Int", "trades", "hasMore"),
        "orderBy: $v": ("TradeGroupOrder", "trades", "hasMore"),
    }
    for argument, (kind, root, inner) in asked.items():
        field = f"{root}({argument}) {{ {inner} }}"
        if root == "trades":
            field = f"trades {{ aggregates({argument}) {{ {inner} }} }}"
        for value in (
            *STRANGE,
            {"sum": {"price": "ASC"}},
            {"sum": {"price": SQL[0]}},
            ["TAKER"] * 500,
            [SQL[0]],
        ):
            yield (
                f"argument {argument}",
                {"query": f"query ($v: {kind}) {{ {field} }}", "variables": {"v": value}},
            )


def forgeries(seed: int, count: int) -> Iterator[tuple[str, Body]]:
    """Cursors and ids that nobody made, or that were changed on the way."""
    dice = random.Random(seed)
    order = "Trade:-block_time,-slot,-tx_index,-ordinal,-stream,-part"
    good = encode_keyset(order, [1_795_000_000_000_000, 100, 0, 0, "godark", 0])
    cursors = [
        "", "k", good[:-1], good + "A", good[::-1], encode_keyset(order, []), encode_keyset(order, [None] * 6),
        encode_keyset(order, ["x", "x", "x", "x", "x", "x"]), encode_keyset(order, [2**62, 2**62, 2**31 - 1, 2**31 - 1, "\0", 0]),
        encode_keyset(order, [-(2**62), -1, -1, -1, SQL[0], -1]), encode_keyset("Position:opened_at", [1]),
        base64.urlsafe_b64encode(b"k" + b"[" * 3000).decode(), base64.urlsafe_b64encode(b'k["a",[1e999]]').decode(), "é", "A" * 70_000, *SQL,
    ]  # fmt: skip
    for _ in range(count):
        letters = list(good)
        for _ in range(dice.randrange(1, 4)):
            letters[dice.randrange(len(letters))] = dice.choice("ABCDEFGHabcdefgh0123456789-_=")
        cursors.append("".join(letters))
    for cursor in cursors:
        yield (
            "forged cursor",
            {
                "query": "query ($a: String) { trades(after: $a) { nodes { id } } }",
                "variables": {"a": cursor},
            },
        )
    ids = [
        "", "n", encode_id("Trade", ["x"]), encode_id("Position", ["a", "b", 2**62, 2**31 - 1, -5]), encode_id("Position", [1, 2, "3", "4", "5"]),
        encode_id("Position", ["godark", SQL[0], 1, 1, 1]), encode_id("Position", ["\0", "\0", 1, 1, 1]), "é", "A" * 5000, *SQL,
    ]  # fmt: skip
    for name in ids:
        yield "forged id", {"query": "query ($i: ID) { position(id: $i) { id } }", "variables": {"i": name}}


def injections() -> Iterator[tuple[str, Body]]:
    """SQL in every text that a client can send."""
    for text in SQL:
        quoted = json.dumps(text)
        yield "SQL as symbol", {"query": f"{{ market(symbol: {quoted}) {{ id }} }}"}
        yield (
            "SQL as stream",
            {
                "query": f'{{ trades(where: {{stream: {{in: [{quoted}, "godark"]}}}}) {{ totalCount completeThrough {{ slot }} coverage {{ settled }} }} }}'
            },
        )
        yield (
            "SQL as signature",
            {"query": f"{{ trades(where: {{signature: {{eq: {quoted}}}}}) {{ totalCount }} }}"},
        )
        yield "SQL as operation name", {"query": "{ __typename }", "operationName": text}
        yield "SQL as variable name", {"query": "{ __typename }", "variables": {text: text}}
        yield "SQL as alias", {"query": f"{{ {text}: trades {{ totalCount }} }}"}
        yield "SQL as document", {"documentId": text}


def paths() -> Iterator[str]:
    """The same for REST."""
    from urllib.parse import quote

    for text in SQL:
        for path in (
            "/api/trades?wallet=",
            "/api/trades?stream=",
            "/api/trades?after=",
            "/api/trades?order=",
            "/api/trades?minSize=",
            "/api/positions/",
            "/api/",
        ):
            yield path + quote(text, safe="")
    yield "/api/trades?" + "&".join(f"wallet{n}=x" for n in range(1000))
    yield "/api/trades?wallet=" + ",".join(["a"] * 1000)
    yield "/api/positions/%00"
    yield "/api/positions/%ff%fe"
    yield "/api/../../etc/passwd"
    yield "/explorer/../settings.py"
    yield "/explorer/%2e%2e/settings.py"
