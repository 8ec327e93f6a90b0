"""Plans to SQL: the one place where SQL text is made. Pure.

Identifiers come from the entities' descriptions, response keys from validated GraphQL names, conditions that are more
than a comparison from queries/graphql.sql; every value is a bound parameter. Aliases hold an `@`, which no GraphQL name
can, because `row_to_json(x)` means a column x where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from heliograph_graphql.entity import Bound, Catalog, Choice, Entity, Field, Kind, Relation
from heliograph_graphql.parameters import (
    CursorParam,
    GivenParam,
    IdentityParam,
    LimitParam,
    LookupParam,
    Param,
    ValueParam,
    sql_type,
)
from heliograph_graphql.plan import (
    All,
    Any_,
    Compare,
    Condition,
    EdgeCursor,
    Edges,
    Leaf,
    Node,
    Nodes,
    Not,
    One,
    Operator,
    Page,
    PageFact,
    PageInfo,
    PageNode,
    PartList,
    PartOf,
    Root,
    Row,
    Sort,
    TotalCount,
    Typename,
)
from heliograph_sql.queries import load

_SYMBOLS = {Operator.EQ: "=", Operator.GT: ">", Operator.GTE: ">=", Operator.LT: "<", Operator.LTE: "<="}
_TOKEN = re.compile(r"\{(id|query)\.(\w+)(?:\.(\w+))?\}")


@dataclass(frozen=True)
class Statement:
    """text returns one row of one column of JSON text (live ones: see live_statement); params are its $1, $2, …"""

    text: str
    params: tuple[Param, ...]


def root_statement(root: Root, catalog: Catalog, most_rows: int) -> Statement:
    """The statement of one root field."""
    writer = _Writer(catalog, most_rows)
    value = writer.page(root, None, None) if isinstance(root, Page) else writer.row(root)
    return Statement(f"SELECT ({value})::text", tuple(writer.params))


WINDOW = "window_start"
"""What `window_statement` asks of its caller: a timestamptz."""


def window_statement(root: Root, catalog: Catalog, most_rows: int) -> Statement | None:
    """The same for newest rows alone, those not older than WINDOW; it returns NULL where they do not fill the page.

    None for what is not a page of newest rows, or says itself how far back to look. Tables that are cut by time
    answer it from a few chunks, however many there are.
    """
    if (
        not isinstance(root, Page)
        or not root.sorts[0].descending
        or root.sorts[0].field.type is not Kind.TIME
    ):
        return None
    if root.sorts[0].field.name != root.entity.key[0] or any(map(_bounds_below, _conjuncts(root.where))):
        return None
    writer = _Writer(catalog, most_rows, windowed=root)
    value = writer.page(root, None, None)
    return Statement(f"SELECT ({value})::text", tuple(writer.params)) if writer.is_windowed else None


def _bounds_below(compare: Compare) -> bool:
    """Whether the comparison says from which time on rows can match."""
    if compare.value is None or compare.operator in (Operator.LT, Operator.LTE):
        return False
    return compare.field.bound is not None or compare.field.type is Kind.TIME


# What the caller gives for each message, and its type.
LIVE_GIVEN = {
    "stream": "text",
    "seq": "bigint",
    "whole": "boolean",
    "first_slot": "bigint",
    "last_slot": "bigint",
    "first_time": "timestamptz",
    "last_time": "timestamptz",
    "slot": "bigint",
    "tx_index": "integer",
    "ordinal": "integer",
    "part": "integer",
    "limit": "bigint",
}


def live_statement(
    entity: Entity, lists: Mapping[str, Mapping[str, Node]], where: Condition, catalog: Catalog
) -> Statement:
    """Rows of one commit that match: first a JSON array text for each list, then the row count and the last row's key.

    Its parameters include those of LIVE_GIVEN, which the caller gives for each message.
    """
    # The commit's own times bound the rows already.
    writer = _Writer(catalog, 0, bounds=False)
    table = writer.alias()
    values = {name: writer.param(GivenParam(name), kind) for name, kind in LIVE_GIVEN.items()}
    condition = _fill(load("graphql.sql")["changed_slots"], row=table, **values)
    order = ", ".join(f"{table}.{quote(name)}" for name in ("slot", "tx_index", "ordinal", "part"))
    rows = (
        f"SELECT {table}.* FROM {quote_table(entity.table)} {table} "
        f"WHERE {condition} AND {writer.condition(where, entity, table)} ORDER BY {order} LIMIT {values['limit']}"
    )
    row = writer.alias()
    lists_sql = [writer.object(entity, items, row) for items in lists.values()]
    made = "".join(f'{value} AS "@{index}", ' for index, value in enumerate(lists_sql))
    arrays = "".join(
        f'coalesce(json_agg("@r"."@{index}" ORDER BY "@r"."@n"), \'[]\'::json)::text, '
        for index in range(len(lists_sql))
    )
    keys = ", ".join(
        f'(array_agg("@r"."@{name}" ORDER BY "@r"."@n" DESC))[1] AS "{name}"'
        for name in ("slot", "tx_index", "ordinal", "part")
    )
    text = (
        f'SELECT {arrays}count(*) AS "rows", {keys} FROM (SELECT {made}row_number() OVER () AS "@n", '
        f'{row}.slot AS "@slot", {row}.tx_index AS "@tx_index", {row}.ordinal AS "@ordinal", {row}.part AS "@part" '
        f'FROM ({rows}) {row}) "@r"'
    )
    return Statement(text, tuple(writer.params))


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def quote_table(name: str) -> str:
    return ".".join(quote(part) for part in name.split("."))


def _fill(text: str, **values: str) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


# What completeness of a page is asked for: how to write the streams and bounds; what is absent was not asked.
_Range = Mapping[str, Callable[[], str]]
_RANGE_NAMES = ("streams", "from_slot", "through_slot", "from_time", "through_time")


class _Writer:
    """Writes one statement: hands out aliases and collects parameters."""

    def __init__(
        self, catalog: Catalog, most_rows: int, windowed: Page | None = None, bounds: bool = True
    ) -> None:
        self.params: list[Param] = []
        self._bounds = bounds
        self.is_windowed = False
        self._windowed = windowed
        self._catalog = catalog
        self._most_rows = most_rows
        self._aliases = 0

    def alias(self) -> str:
        self._aliases += 1
        return quote(f"@{self._aliases}t")

    def param(self, param: Param, kind: str) -> str:
        self.params.append(param)
        return f"${len(self.params)}::{kind}"

    # -- objects

    def object(self, entity: Entity, items: Mapping[str, Node], row: str) -> str:
        """A JSON object of the row at alias `row`, keys in the order of `items`."""
        return _json_object({key: self._value(node, entity, row) for key, node in items.items()})

    def _value(self, node: Node, entity: Entity, row: str) -> str:
        if isinstance(node, Typename):
            return _constant(node.name)
        if isinstance(node, Leaf):
            return self._leaf(node.field, entity, row)
        if isinstance(node, One):
            return self._one(node, row)
        return self.page(node, entity, row)

    def _leaf(self, field: Field, entity: Entity, row: str) -> str:
        if field.fragment == "id":
            return self.identity(entity, row)
        if field.fragment is not None:
            return _shown(self._fragment(field.fragment, row=row), field)
        return _shown(f"{row}.{quote(field.name)}", field)

    def identity(self, entity: Entity, row: str) -> str:
        """The row's global id, as node_id.py reads it."""
        values = ", ".join(_key(f"{row}.{quote(name)}", entity.by_column[name]) for name in entity.identity)
        return _opaque("n", f"json_build_array({_constant(entity.name)}, {values})")

    def _fragment(self, name: str, **values: str) -> str:
        def replace(match: re.Match[str]) -> str:
            what, first, second = match.groups()
            if what == "query":
                return self._fragment(first)
            return self.identity(self._catalog.by_name[first], second)

        return _fill(_TOKEN.sub(replace, load("graphql.sql")[name]), **values)

    def _one(self, node: One, parent: str) -> str:
        row = self.alias()
        tie = self._tie(node.relation, node.entity, row, parent)
        value = self.object(node.entity, node.items, row)
        return f"(SELECT {value} FROM {quote_table(node.entity.table)} {row} WHERE {tie} LIMIT 1)"

    def row(self, root: Row) -> str:
        entity, table = root.entity, self.alias()
        parts = [self.condition(root.where, entity, table)]
        if root.identity is not None:
            fields = tuple(entity.by_column[name] for name in entity.identity)
            for index, field in enumerate(fields):
                value = self.param(IdentityParam(root.identity, entity.name, fields, index), sql_type(field))
                parts.append(f"{table}.{quote(field.name)} = {value}")
        row = self.alias()
        found = (
            f"SELECT {table}.* FROM {quote_table(entity.table)} {table} "
            f"WHERE {' AND '.join(parts)} {_order_by(root.sorts, table)} LIMIT 1"
        )
        return f"SELECT {self.object(entity, root.items, row)} FROM ({found}) {row}"

    # -- pages

    def page(self, page: Page, parent_entity: Entity | None, parent: str | None) -> str:
        """A connection as one JSON object."""
        entity, table = page.entity, self.alias()

        @cache
        def matching() -> str:
            # Written only where rows are read or counted: PostgreSQL refuses a parameter that is used nowhere.
            parts = []
            if page.relation is not None and parent is not None:
                parts.append(self._tie(page.relation, entity, table, parent))
            parts.append(self.condition(page.where, entity, table))
            return f"FROM {quote_table(entity.table)} {table} WHERE {' AND '.join(parts)}"

        asked = self._asked(page, parent_entity, parent)
        wants_next = _wants(page, PageFact.HAS_NEXT)
        lists: list[str] = []

        row = self.alias()
        cursor = _cursor(page, row)

        def listed(value: str) -> str:
            lists.append(value)
            name = f'"@a"."@{len(lists)}"'
            return name

        values = {
            key: self._page_value(node, page, row, cursor, listed, matching, asked)
            for key, node in page.items.items()
        }
        needs_rows = bool(lists) or any(isinstance(node, PageInfo) for node in page.items.values())
        if not needs_rows:
            return _json_object(values)
        first = self.param(LimitParam(page.first, self._most_rows), "bigint")
        return self._page_of_rows(page, table, row, matching, values, lists, first, wants_next)

    def _page_of_rows(
        self,
        page: Page,
        table: str,
        row: str,
        matching: Callable[[], str],
        values: Mapping[str, str],
        lists: list[str],
        first: str,
        wants_next: bool,
    ) -> str:
        after = f" AND {self._after(page, table)}" if page.after is not None else ""
        limit = f"{first} + 1" if wants_next else first
        windowed = page is self._windowed
        if windowed:
            self.is_windowed = True
            start = self.param(GivenParam(WINDOW), "timestamptz")
            after += f" AND {table}.{quote(page.sorts[0].field.name)} >= {start}"
        found = f"SELECT {table}.* {matching()}{after} {_order_by(page.sorts, table)} LIMIT {limit}"
        wants_ends = _wants(page, PageFact.START) or _wants(page, PageFact.END)
        if wants_next or wants_ends:
            found = f'SELECT {table}.*, row_number() OVER () AS "@n", count(*) OVER () AS "@c" FROM ({found}) {table}'
        made = [f'{value} AS "@{index}"' for index, value in enumerate(lists, 1)]
        kept = f' FILTER (WHERE "@r"."@n" <= {first})' if wants_next else ""
        facts = [
            f'coalesce(json_agg("@r"."@{index}"){kept}, \'[]\'::json) AS "@{index}"'
            for index in range(1, len(lists) + 1)
        ]
        if wants_next or wants_ends:
            made.append(f'{row}."@n", {row}."@c"')
        if wants_next:
            facts.append(f'coalesce(max("@r"."@c") > {first}, false) AS "@more"')
        if wants_ends:
            last = f'least("@c", {first})'
            made.append(f'CASE WHEN "@n" = 1 OR "@n" = {last} THEN {_cursor(page, row)} END AS "@k"')
            facts.append(f'max("@r"."@k") FILTER (WHERE "@r"."@n" = least(1, {first})) AS "@start"')
            facts.append(f'max("@r"."@k") FILTER (WHERE "@r"."@n" = least("@r"."@c", {first})) AS "@end"')
        answer = _json_object(values)
        if windowed:
            facts.append('count(*) AS "@found"')
            answer = f'CASE WHEN "@a"."@found" >= {limit} THEN {answer} END'
        facts = facts or ["1"]
        inner = f"SELECT {', '.join(made) or '1'} FROM ({found}) {row}"
        return f'(SELECT {answer} FROM (SELECT {", ".join(facts)} FROM ({inner}) "@r") "@a")'

    def _page_value(
        self,
        node: PageNode,
        page: Page,
        row: str,
        cursor: str,
        listed: Callable[[str], str],
        matching: Callable[[], str],
        asked: _Range,
    ) -> str:
        if isinstance(node, Typename):
            return _constant(node.name)
        if isinstance(node, Nodes):
            return listed(self.object(page.entity, node.items, row))
        if isinstance(node, Edges):
            return listed(self._edge(node, page, row, cursor))
        if isinstance(node, TotalCount):
            return f"(SELECT count(*) {matching()})"
        if isinstance(node, PartOf):
            return self._part(node, asked)
        return self._page_info(node, page)

    def _edge(self, node: Edges, page: Page, row: str, cursor: str) -> str:
        items = {}
        for key, item in node.items.items():
            if isinstance(item, EdgeCursor):
                items[key] = cursor
            elif isinstance(item, Typename):
                items[key] = _constant(item.name)
            else:
                items[key] = self.object(page.entity, item.items, row)
        return _json_object(items)

    @staticmethod
    def _page_info(node: PageInfo, page: Page) -> str:
        facts = {
            PageFact.HAS_NEXT: '"@a"."@more"',
            PageFact.HAS_PREVIOUS: "false" if page.after is None else "true",
            PageFact.START: '"@a"."@start"',
            PageFact.END: '"@a"."@end"',
        }
        return _json_object(
            {
                key: _constant(item.name) if isinstance(item, Typename) else facts[item]
                for key, item in node.items.items()
            }
        )

    def _part(self, node: PartOf, asked: _Range) -> str:
        source = self._asked_query(node.part.fragment, asked)
        items = {}
        for key, item in node.items.items():
            if isinstance(item, Typename):
                items[key] = _constant(item.name)
            elif isinstance(item, PartList):
                leaves = {k: self._part_leaf(leaf) for k, leaf in item.items.items()}
                nested = self._asked_query(item.part.fragment, asked)
                items[key] = (
                    f"(SELECT coalesce(json_agg({_json_object(leaves)}), '[]'::json) FROM ({nested}) \"@f\")"
                )
            else:
                items[key] = self._part_leaf(item)
        return f'(SELECT {_json_object(items)} FROM ({source}) "@f")'

    @staticmethod
    def _part_leaf(item: Leaf | Typename) -> str:
        return (
            _constant(item.name)
            if isinstance(item, Typename)
            else _shown(f'"@f".{quote(item.field.name)}', item.field)
        )

    def _asked_query(self, fragment: str, asked: _Range) -> str:
        text = self._fragment(fragment)
        for name in _RANGE_NAMES:
            token = "{" + name + "}"
            if token in text:
                text = text.replace(token, asked[name]() if name in asked else "NULL")
        return text

    def _asked(self, page: Page, parent_entity: Entity | None, parent: str | None) -> _Range:
        """The range that the filter asks for, as far as comparisons that all must hold say; the narrowest counts."""
        found: dict[str, list[Callable[[], str]]] = {}
        for part in _conjuncts(page.where):
            if part.value is None:
                continue
            field = part.field
            kind = "slot" if field.bound is Bound.SLOT else "time" if field.name == "block_time" else None
            if field.name == page.entity.stream and part.operator in (Operator.EQ, Operator.IN):
                write = partial(self.param, ValueParam(part.value, many=True), "text[]")
                found.setdefault("streams", []).append(write)
            elif kind is not None and part.operator is not Operator.IN:
                write = partial(self.param, ValueParam(part.value), sql_type(field))
                if part.operator in (Operator.EQ, Operator.GT, Operator.GTE):
                    found.setdefault(f"from_{kind}", []).append(write)
                if part.operator in (Operator.EQ, Operator.LT, Operator.LTE):
                    found.setdefault(f"through_{kind}", []).append(write)
        if parent_entity is not None and parent is not None:
            stream = f"ARRAY[{parent}.{quote(parent_entity.stream)}]"
            found["streams"] = [lambda: stream]
        return {name: partial(_meet, name, writes) for name, writes in found.items()}

    # -- conditions

    def _tie(self, relation: Relation, entity: Entity, row: str, parent: str) -> str:
        parts = [f"{row}.{quote(there)} = {parent}.{quote(here)}" for there, here in relation.on]
        if relation.fragment is not None:
            parts.append(f"({self._fragment(relation.fragment, row=row, parent=parent)})")
        return " AND ".join(parts)

    def condition(self, condition: Condition, entity: Entity, row: str) -> str:
        """Two-valued: a comparison with a missing value is false, and its negation true."""
        if isinstance(condition, Compare):
            return self._compare(condition, row)
        if isinstance(condition, Not):
            return f"({self.condition(condition.part, entity, row)}) IS NOT TRUE"
        parts = [f"({self.condition(part, entity, row)})" for part in condition.parts]
        if isinstance(condition, Any_):
            return " OR ".join(parts).join("()") if parts else "false"
        return " AND ".join(parts).join("()") if parts else "true"

    def _compare(self, compare: Compare, row: str) -> str:
        field, through = compare.field, compare.field.through
        if through is None:
            return self._compare_column(compare, f"{row}.{quote(field.name)}", row)
        there = self.alias()
        source = f"{quote_table(through.table)} {there}"
        key = f"{there}.{quote(through.key)}"
        same = f'{there}."stream" = {row}."stream" AND {key} = {row}.{quote(through.column)}'
        if compare.value is None:
            return f"NOT EXISTS (SELECT FROM {source} WHERE {same} AND {there}.{quote(through.field)} IS NOT NULL)"
        inner = self._compare_column(compare, f"{there}.{quote(through.field)}", None)
        # The array lets an index on the column find the rows; EXISTS holds each to its own stream.
        keys = f"{row}.{quote(through.column)} = ANY (ARRAY(SELECT {key} FROM {source} WHERE {inner}))"
        return f"{keys} AND EXISTS (SELECT FROM {source} WHERE {same} AND {inner})"

    def _compare_column(self, compare: Compare, column: str, row: str | None) -> str:
        field, operator = compare.field, compare.operator
        if compare.value is None:
            return f"{column} IS NULL"
        kind = sql_type(field)
        if operator is Operator.IN:
            value = self.param(ValueParam(compare.value, many=True), f"{kind}[]")
            return f"{column} = ANY ({value}){self._bound(compare, row)}"
        value = self.param(ValueParam(compare.value), kind)
        return f"{column} {_SYMBOLS[operator]} {value}{self._bound(compare, row)}"

    def _bound(self, compare: Compare, row: str | None) -> str:
        """A bound on the time that the comparison implies anyway, so that only a few chunks are opened."""
        field, operator = compare.field, compare.operator
        if field.bound is None or row is None or not self._bounds or compare.value is None:
            return ""
        time = f"{row}.block_time"

        def bound(sign: str, name: str) -> str:
            assert compare.value is not None
            return f" AND {time} {sign} {self.param(LookupParam(name, compare.value), 'timestamptz')}"

        if field.bound is Bound.SIGNATURE:
            if operator not in (Operator.EQ, Operator.IN):
                return ""
            return bound(">=", "first_time_of_signatures") + bound("<=", "last_time_of_signatures")
        text = ""
        if operator in (Operator.EQ, Operator.IN, Operator.GT, Operator.GTE):
            text += bound(">=", "time_before_slots")
        if operator in (Operator.EQ, Operator.IN, Operator.LT, Operator.LTE):
            text += bound("<=", "time_behind_slots")
        return text

    def _after(self, page: Page, row: str) -> str:
        """Rows behind the cursor in the page's order; missing values stand above all others."""
        assert page.after is not None
        terms = []
        for index, sort in enumerate(page.sorts):
            param = CursorParam(page.after, page.order, page.sorts, index)
            terms.append((f"{row}.{quote(sort.field.name)}", self.param(param, sql_type(sort.field)), sort))
        plain = all(not sort.field.nullable for sort in page.sorts)
        if plain and len({sort.descending for sort in page.sorts}) == 1:
            sign = "<" if page.sorts[0].descending else ">"
            columns = ", ".join(column for column, _, _ in terms)
            values = ", ".join(value for _, value, _ in terms)
            return f"({columns}) {sign} ({values})"
        behind = "false"
        for column, value, sort in reversed(terms):
            if not sort.field.nullable:
                sign = "<" if sort.descending else ">"
                behind = f"({column} {sign} {value} OR ({column} = {value} AND {behind}))"
                continue
            if sort.descending:
                beyond = f"({column} < {value} OR ({column} IS NOT NULL AND {value} IS NULL))"
            else:
                beyond = f"({column} > {value} OR ({column} IS NULL AND {value} IS NOT NULL))"
            behind = f"({beyond} OR ({column} IS NOT DISTINCT FROM {value} AND {behind}))"
        column, value, lead = terms[0]
        if not lead.field.nullable:
            # What an index can begin at.
            behind = f"{column} {'<=' if lead.descending else '>='} {value} AND {behind}"
        return behind


def _conjuncts(condition: Condition) -> Iterator[Compare]:
    """The comparisons that must hold for the condition to hold, however deep `and` nests them."""
    if isinstance(condition, Compare):
        yield condition
    elif isinstance(condition, All):
        for part in condition.parts:
            yield from _conjuncts(part)


def _meet(name: str, writes: Sequence[Callable[[], str]]) -> str:
    """One bound for several: the highest beginning, the lowest end, the streams that all of them name."""
    written = [write() for write in writes]
    if len(written) == 1:
        return written[0]
    if name == "streams":
        return f"ARRAY({' INTERSECT '.join(f'SELECT unnest({each})' for each in written)})"
    return f"{'GREATEST' if name.startswith('from_') else 'LEAST'}({', '.join(written)})"


def _json_object(values: Mapping[str, str]) -> str:
    columns = ", ".join(f"{value} AS {quote(key)}" for key, value in values.items())
    return f'(SELECT row_to_json("@o") FROM (SELECT {columns}) "@o")'


def _wants(page: Page, fact: PageFact) -> bool:
    infos = (node for node in page.items.values() if isinstance(node, PageInfo))
    return any(fact in info.items.values() for info in infos)


def _constant(name: str) -> str:
    """A name of the schema as text."""
    return f"'{name}'::text"


def _shown(value: str, field: Field) -> str:
    """The value as JSON shows it: exact numbers and 64-bit integers as text, enums in capitals."""
    if isinstance(field.type, Choice):
        return f"upper({value})"
    if field.type is Kind.DECIMAL:
        return f"trim_scale({value})::text"
    if field.type in (Kind.BIGINT, Kind.SLOT):
        return f"{value}::text"
    return value


def _key(value: str, field: Field) -> str:
    """The value as cursors and ids hold it: times as microseconds since 1970, decimals as text."""
    if field.type is Kind.TIME:
        return f"(extract(epoch FROM {value}) * 1000000)::bigint"
    return f"{value}::text" if field.type is Kind.DECIMAL else value


def _opaque(prefix: str, value: str) -> str:
    """JSON as URL-safe base64 text without padding."""
    return f"translate(encode(convert_to('{prefix}' || {value}::text, 'UTF8'), 'base64'), E'+/=\\n', '-_')"


def _cursor(page: Page, row: str) -> str:
    """The row's keyset cursor, as core's decode_keyset reads it."""
    values = ", ".join(_key(f"{row}.{quote(sort.field.name)}", sort.field) for sort in page.sorts)
    return _opaque("k", f"json_build_array('{page.order}'::text, json_build_array({values}))")


def _order_by(sorts: tuple[Sort, ...], row: str) -> str:
    columns = (f"{row}.{quote(sort.field.name)}{' DESC' if sort.descending else ''}" for sort in sorts)
    return f"ORDER BY {', '.join(columns)}"
