"""Rows to SQL: objects, connections, edges. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from heliograph_graphql.entity import Entity, Field, Relation
from heliograph_graphql.json_text import (
    JsonText,
    json_array,
    json_items,
    json_object,
    json_string,
    made,
    quoted,
    verbatim,
)
from heliograph_graphql.parameters import (
    Cursor,
    CursorParam,
    GivenParam,
    Identity,
    IdentityParam,
    LimitParam,
    ValueParam,
    sql_type,
)
from heliograph_graphql.plan import (
    Aggregates,
    EdgeCursor,
    Edges,
    Leaf,
    Node,
    Nodes,
    One,
    Page,
    PageFact,
    PageInfo,
    PartOf,
    Row,
    Source,
    TotalCount,
    Typename,
    read,
)
from heliograph_graphql.scratch import Scratch
from heliograph_graphql.sql_aggregates import AggregateWriter
from heliograph_graphql.sql_completeness import Completeness, Range
from heliograph_graphql.sql_conditions import Conditions
from heliograph_graphql.sql_text import (
    columns_read,
    key_array,
    key_json,
    opaque,
    order_by,
    quote,
    shown,
    source_of,
)

WINDOW = "@window"
"""What a windowed page asks of its caller: a timestamptz. No variable can be called so."""
STREAMS, SLOTS, FOLDED, LIMIT = "@streams", "@slots", "@folded", "@limit"
"""What a page of the past asks for: names of streams, the slot of each, objects as JSON, and how many may be folded."""
_ALL = {"limit": "NULL", "behind": "NULL"}


class Rows:
    """Writes the rows of one statement. windowed: the page that is to look only so far back.

    variables: those that say how many rows, which then stand in the text; None: they are parameters.
    """

    def __init__(
        self,
        scratch: Scratch,
        conditions: Conditions,
        variables: Mapping[str, object] | None,
        windowed: Page | None = None,
    ) -> None:
        self.is_windowed = False
        self._windowed = windowed
        self._scratch = scratch
        self._conditions = conditions
        self._completeness = Completeness(scratch)
        self._aggregates = AggregateWriter(scratch, self._first)
        self._variables = variables

    def object(self, entity: Entity, items: Mapping[str, Node], row: str) -> JsonText:
        """An object of the row at alias `row`, keys in the order of `items`."""
        return json_object({key: self._value(node, entity, row) for key, node in items.items()})

    def _value(self, node: Node, entity: Entity, row: str) -> JsonText:
        if isinstance(node, Typename):
            return json_string(node.name)
        if isinstance(node, Leaf):
            return self._leaf(node.field, entity, row)
        if isinstance(node, One):
            return self._one(node, row)
        return made(self.page(node, entity, row))

    def _leaf(self, field: Field, entity: Entity, row: str) -> JsonText:
        if field.fragment == "id":
            return quoted(self._scratch.identity(entity, row))
        if field.fragment is not None:
            return shown(self._scratch.fragment(field.fragment, row=row), field)
        return shown(f"{row}.{quote(field.name)}", field)

    def _one(self, node: One, parent: str) -> JsonText:
        row = self._scratch.alias()
        tie = self._conditions.tie(node.relation, node.entity, row, parent)
        value = self.object(node.entity, node.items, row).sql
        found = f"(SELECT {value} FROM {source_of(node.entity)} {row} WHERE {tie} LIMIT 1)"
        return made(f"coalesce({found}, 'null')")

    def row(self, root: Row) -> str:
        """A SELECT of the object's text; of no row where there is none."""
        entity, table = root.entity, self._scratch.alias()
        parts = [self._conditions.condition(root.where, entity, table)]
        named: dict[str, str] = {}
        if root.identity is not None:
            fields = tuple(entity.by_column[name] for name in entity.identity)
            identity = Identity(root.identity, entity.name, fields)
            for index, field in enumerate(fields):
                named[field.name] = self._scratch.param(IdentityParam(identity, index), sql_type(field))
            parts.extend(f"{table}.{quote(name)} = {value}" for name, value in named.items())
        row = self._scratch.alias()
        # What a whole identity names is one row.
        end = "" if root.identity is not None else f" {order_by(root.sorts, table)} LIMIT 1"
        found = f"SELECT {table}.* FROM {self._rows_of(entity, root.arguments, named=named)} {table} WHERE {' AND '.join(parts)}{end}"
        return f"SELECT {self.object(entity, root.items, row).sql} FROM ({found}) {row}"

    def _rows_of(
        self,
        entity: Entity,
        arguments: Mapping[str, Source],
        relation: Relation | None = None,
        parent: str | None = None,
        few: Mapping[str, str] = _ALL,
        named: Mapping[str, str] = {},
    ) -> str:
        """What FROM reads: the table, or what the entity's part of queries/graphql.sql computes.

        named: written values of an id, by column, which are those of the arguments of these names.
        """
        if not entity.arguments:
            return source_of(entity)
        values = {
            argument.name: self._scratch.param(ValueParam(arguments[argument.name]), sql_type(argument))
            for argument in entity.arguments
            if argument.name in arguments
        } | {argument.name: named[argument.name] for argument in entity.arguments if argument.name in named}
        if relation is not None and parent is not None:
            values |= {name: f"{parent}.{quote(column)}" for name, column in relation.given}
        return f"LATERAL ({self._scratch.fragment(entity.table, **values, **few)})"

    def _past_of(self, entity: Entity) -> list[str]:
        """The same of the past, where there are two sources."""
        past = entity.past
        assert past is not None
        kinds = {"streams": (STREAMS, "text[]"), "slots": (SLOTS, "bigint[]"), "folded": (FOLDED, "text")}
        given = {name: self._scratch.param(GivenParam(value), kind) for name, (value, kind) in kinds.items()}
        return [f"({self._scratch.fragment(part, **given)})" for part in (past.kept, past.folded)]

    # -- pages

    def page(self, page: Page, parent_entity: Entity | None, parent: str | None) -> str:
        """A connection: an expression of JSON text, NULL where it is windowed and the window too short."""
        entity, table = page.entity, self._scratch.alias()

        @cache
        def matching(limit: str = "NULL", behind: str = "NULL") -> list[str]:
            """FROM and WHERE of each source of rows; no row is in two."""
            # Written only where rows are read or counted: PostgreSQL refuses a parameter that is used nowhere.
            parts = []
            if page.relation is not None and parent is not None:
                parts.append(self._conditions.tie(page.relation, entity, table, parent))
            parts.append(self._conditions.condition(page.where, entity, table))
            few = {"limit": limit, "behind": behind}
            sources = (
                [self._rows_of(entity, page.arguments, page.relation, parent, few)]
                if page.as_of is None
                else self._past_of(entity)
            )
            return [f"FROM {source} {table} WHERE {' AND '.join(parts) or 'true'}" for source in sources]

        def alternatives() -> list[str]:
            """What must hold besides, in the branches in which rows are looked for."""
            if page.relation is None or parent is None:
                return []
            return self._conditions.alternatives(page.relation, table, parent)

        asked = self._completeness.asked(page, parent_entity, parent)
        wants_next = _wants(page, PageFact.HAS_NEXT)
        lists: list[JsonText] = []

        def counted() -> str:
            held = " OR ".join(f"({condition})" for condition in alternatives())
            also = f" AND ({held})" if held else ""
            return " + ".join(f"(SELECT count(*) {found}{also})" for found in matching())

        row = self._scratch.alias()
        cursor = _cursor(page, row)

        def listed(value: JsonText) -> JsonText:
            lists.append(value)
            return json_array(f'"@a"."@{len(lists)}"')

        def summed(node: Aggregates) -> JsonText:
            each = [f" AND {condition}" for condition in alternatives()] or [""]
            found = [f"SELECT {table}.* {rows}{condition}" for rows in matching() for condition in each]
            return self._aggregates.value(node, entity, found)

        values = {
            key: summed(node)
            if isinstance(node, Aggregates)
            else self._page_value(node, page, row, cursor, listed, counted, asked)
            for key, node in page.items.items()
        }
        needs_rows = bool(lists) or any(isinstance(node, PageInfo) for node in page.items.values())
        if not needs_rows:
            return json_object(values).sql
        branches = [f" AND {condition}" for condition in alternatives()] or [""]
        first = self._first(page.first)
        return self._page_of_rows(page, table, row, matching, branches, values, lists, first, wants_next)

    def _first(self, asked: Source) -> str:
        """How many rows: as text, because PostgreSQL keeps no plan whose number of rows it does not know."""
        if self._variables is None:
            return self._scratch.param(LimitParam(asked), "bigint")
        first = read(asked, self._variables)
        if not isinstance(first, int) or isinstance(first, bool):
            raise TypeError(f"first is {first!r}: the cost was not counted before the statement was made")
        return str(first)

    def _page_of_rows(
        self,
        page: Page,
        table: str,
        row: str,
        matching: Callable[..., list[str]],
        branches: list[str],
        values: Mapping[str, JsonText],
        lists: list[JsonText],
        first: str,
        wants_next: bool,
    ) -> str:
        after = f" AND {self._conditions.after(page, table)}" if page.after is not None else ""
        limit = f"{first} + 1" if wants_next else first
        windowed = page is self._windowed
        if windowed:
            self.is_windowed = True
            start = self._scratch.param(GivenParam(WINDOW), "timestamptz")
            after += f" AND {table}.{quote(page.sorts[0].field.name)} >= {start}"
        end = f"{order_by(page.sorts, table)} LIMIT {limit}"
        behind = "NULL"
        if page.entity.paged and page.after is not None:
            lead = CursorParam(Cursor(page.after, page.order, page.sorts), 0)
            behind = self._scratch.param(lead, sql_type(page.sorts[0].field))
        sources = matching(limit, behind) if page.entity.paged else matching()
        wants_ends = _wants(page, PageFact.START) or _wants(page, PageFact.END)
        columns, facts = [], []
        kept = f' FILTER (WHERE "@r"."@n" <= {first})' if wants_next else ""
        for index, value in enumerate(lists, 1):
            columns.append(f'{value.sql} AS "@{index}"')
            items = json_items(f'"@r"."@{index}"')
            facts.append(f'{items}{kept} AS "@{index}"')
        if wants_next or wants_ends:
            columns.append(f'{row}."@n", {row}."@c"')
        if wants_next:
            facts.append(f'coalesce(max("@r"."@c") > {first}, false)::text AS "@more"')
        if wants_ends:
            last = f'least("@c", {first})'
            ends = quoted(_cursor(page, row)).sql
            columns.append(f'CASE WHEN "@n" = 1 OR "@n" = {last} THEN {ends} END AS "@k"')
            for name, number in (("start", "1"), ("end", '"@r"."@c"')):
                only = f'FILTER (WHERE "@r"."@n" = least({number}, {first}))'
                facts.append(f'coalesce(max("@r"."@k") {only}, \'null\') AS "@{name}"')
        rows = [f"{source}{after}{branch}" for source in sources for branch in branches]
        # No columns but those that are read: a window copies each row.
        found = _first_of(rows, columns_read(page.entity, row, ", ".join(columns)), page, table, end)
        if wants_next or wants_ends:
            found = f'SELECT {table}.*, row_number() OVER () AS "@n", count(*) OVER () AS "@c" FROM ({found}) {table}'
        answer = json_object(values).sql
        if windowed:
            facts.append('count(*) AS "@found"')
            answer = f'CASE WHEN "@a"."@found" >= {limit} THEN {answer} END'
        facts = facts or ["1"]
        inner = f"SELECT {', '.join(columns) or '1'} FROM ({found}) {row}"
        return f'(SELECT {answer} FROM (SELECT {", ".join(facts)} FROM ({inner}) "@r") "@a")'

    def _page_value(
        self,
        node: Nodes | Edges | PageInfo | TotalCount | PartOf | Typename,
        page: Page,
        row: str,
        cursor: str,
        listed: Callable[[JsonText], JsonText],
        counted: Callable[[], str],
        asked: Range,
    ) -> JsonText:
        if isinstance(node, Typename):
            return json_string(node.name)
        if isinstance(node, Nodes):
            return listed(self.object(page.entity, node.items, row))
        if isinstance(node, Edges):
            return listed(self._edge(node, page, row, cursor))
        if isinstance(node, TotalCount):
            return made(f"({counted()})")
        if isinstance(node, PartOf):
            return self._completeness.part(node, asked)
        return self._page_info(node, page)

    def _edge(self, node: Edges, page: Page, row: str, cursor: str) -> JsonText:
        items = {}
        for key, item in node.items.items():
            if isinstance(item, EdgeCursor):
                items[key] = quoted(cursor)
            elif isinstance(item, Typename):
                items[key] = json_string(item.name)
            else:
                items[key] = self.object(page.entity, item.items, row)
        return json_object(items)

    @staticmethod
    def _page_info(node: PageInfo, page: Page) -> JsonText:
        facts = {
            PageFact.HAS_NEXT: made('"@a"."@more"'),
            PageFact.HAS_PREVIOUS: verbatim("false" if page.after is None else "true"),
            PageFact.START: made('"@a"."@start"'),
            PageFact.END: made('"@a"."@end"'),
        }
        return json_object(
            {
                key: json_string(item.name) if isinstance(item, Typename) else facts[item]
                for key, item in node.items.items()
            }
        )


def _first_of(rows: list[str], names: list[str], page: Page, table: str, end: str) -> str:
    """The page's rows, of these columns. rows: FROM and WHERE of each part of them; end: their order and limit."""
    if len(rows) > 1:
        names = list(dict.fromkeys([*names, *(sort.field.name for sort in page.sorts)]))
    columns = ", ".join(f"{table}.{quote(name)}" for name in names)
    each = [f"SELECT {columns} {part} {end}" for part in rows]
    if len(each) == 1:
        return each[0]
    return f"SELECT {columns} FROM ({' UNION ALL '.join(f'({one})' for one in each)}) {table} {end}"


def _wants(page: Page, fact: PageFact) -> bool:
    infos = (node for node in page.items.values() if isinstance(node, PageInfo))
    return any(fact in info.items.values() for info in infos)


def _cursor(page: Page, row: str) -> str:
    """The row's keyset cursor, as core's decode_keyset reads it."""
    values = key_array(*(key_json(f"{row}.{quote(sort.field.name)}", sort.field) for sort in page.sorts))
    return opaque("k", key_array(json_string(page.order), values))
