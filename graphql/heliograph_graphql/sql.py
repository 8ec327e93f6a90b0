"""Plans to SQL: the one place where SQL text is made. Pure.

Identifiers come from the entities' descriptions, response keys from validated GraphQL names, conditions that are more
than a comparison from queries/graphql.sql; every value is a bound parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heliograph_graphql.entity import Catalog, Entity, Kind
from heliograph_graphql.parameters import GivenParam, Param
from heliograph_graphql.plan import Compare, Condition, Node, Operator, Page, Root
from heliograph_graphql.scratch import Scratch
from heliograph_graphql.sql_conditions import Conditions, conjuncts
from heliograph_graphql.sql_rows import WINDOW, Rows
from heliograph_graphql.sql_text import fill, quote, quote_table
from heliograph_sql.queries import load

__all__ = ["WINDOW", "Statement", "live_statement", "root_statement", "window_statement"]


@dataclass(frozen=True)
class Statement:
    """text returns one row of one column of JSON text (live ones: see live_statement); params are its $1, $2, …"""

    text: str
    params: tuple[Param, ...]


def root_statement(root: Root, catalog: Catalog, most_rows: int) -> Statement:
    """The statement of one root field."""
    scratch, rows = _begin(catalog, most_rows)
    value = rows.page(root, None, None) if isinstance(root, Page) else rows.row(root)
    return Statement(f"SELECT ({value})::text", tuple(scratch.params))


def _begin(catalog: Catalog, most_rows: int, windowed: Page | None = None) -> tuple[Scratch, Rows]:
    scratch = Scratch(catalog)
    return scratch, Rows(scratch, Conditions(scratch), most_rows, windowed)


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
    if root.sorts[0].field.name != root.entity.key[0] or any(map(_bounds_below, conjuncts(root.where))):
        return None
    scratch, rows = _begin(catalog, most_rows, windowed=root)
    value = rows.page(root, None, None)
    return Statement(f"SELECT ({value})::text", tuple(scratch.params)) if rows.is_windowed else None


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
    scratch = Scratch(catalog)
    conditions = Conditions(scratch, bounds=False)
    objects = Rows(scratch, conditions, 0)
    table = scratch.alias()
    values = {name: scratch.param(GivenParam(name), kind) for name, kind in LIVE_GIVEN.items()}
    condition = fill(load("graphql.sql")["changed_slots"], row=table, **values)
    order = ", ".join(f"{table}.{quote(name)}" for name in ("slot", "tx_index", "ordinal", "part"))
    rows = (
        f"SELECT {table}.* FROM {quote_table(entity.table)} {table} "
        f"WHERE {condition} AND {conditions.condition(where, entity, table)} ORDER BY {order} LIMIT {values['limit']}"
    )
    row = scratch.alias()
    lists_sql = [objects.object(entity, items, row) for items in lists.values()]
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
    return Statement(text, tuple(scratch.params))
