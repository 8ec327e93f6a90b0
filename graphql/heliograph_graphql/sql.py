"""Plans to SQL: the one place where SQL text is made. Pure.

Identifiers come from the entities' descriptions, response keys from validated GraphQL names, conditions that are more
than a comparison from queries/graphql.sql; every value is a bound parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from heliograph_graphql.entity import Catalog, Entity, Kind
from heliograph_graphql.json_text import json_array, json_items
from heliograph_graphql.live_plan import Lists
from heliograph_graphql.parameters import GivenParam, LookupParam, Param
from heliograph_graphql.plan import AsOf, Compare, Condition, Operator, Page, Root
from heliograph_graphql.scratch import Scratch
from heliograph_graphql.sql_conditions import Conditions, conjuncts, implied
from heliograph_graphql.sql_rows import LIMIT, SLOTS, STREAMS, WINDOW, Rows
from heliograph_graphql.sql_text import quote, source_of
from heliograph_sql.queries import load

__all__ = [
    "WINDOW",
    "SharedStatement",
    "Statement",
    "live_statement",
    "root_statement",
    "shared_statement",
    "window_statement",
]


@dataclass(frozen=True)
class PastStatement:
    """What is read before a statement about the past. text lists what changed since; params are its $1, $2, …"""

    as_of: AsOf
    text: str
    params: tuple[Param, ...]


@dataclass(frozen=True)
class Statement:
    """text returns one row of one column of JSON text (live ones: see live_statement); params are its $1, $2, …"""

    text: str
    params: tuple[Param, ...]
    past: PastStatement | None = None

    @cached_property
    def with_commits(self) -> str:
        """The same, and in a second column at which commits the answer stands."""
        return f"{self.text}, {load('graphql.sql')['commits']}"

    @cached_property
    def looks_up(self) -> bool:
        """Whether a value is read before the statement itself, in the same snapshot."""
        return self.past is not None or any(isinstance(param, LookupParam) for param in self.params)


def root_statement(root: Root, catalog: Catalog, variables: Mapping[str, object]) -> Statement:
    """The statement of one root field. variables: those that say how many rows, which stands in the text."""
    scratch, rows = _begin(catalog, variables)
    value = rows.page(root, None, None) if isinstance(root, Page) else rows.row(root)
    return replace(_answer(value, scratch), past=_past_statement(root, catalog))


def _answer(value: str, scratch: Scratch) -> Statement:
    return Statement(scratch.statement(f"({value})"), tuple(scratch.params))


def _past_statement(root: Root, catalog: Catalog) -> PastStatement | None:
    if not isinstance(root, Page) or root.as_of is None:
        return None
    past, scratch = root.entity.past, Scratch(catalog)
    assert past is not None
    row = scratch.alias()
    fixed = Conditions(scratch).condition(implied(root.where, past.fixed), root.entity, row)
    text = scratch.fragment(
        past.changed,
        row=row,
        where=fixed,
        streams=scratch.param(GivenParam(STREAMS), "text[]"),
        slots=scratch.param(GivenParam(SLOTS), "bigint[]"),
        limit=scratch.param(GivenParam(LIMIT), "bigint"),
    )
    return PastStatement(root.as_of, text, tuple(scratch.params))


def _begin(
    catalog: Catalog, variables: Mapping[str, object], windowed: Page | None = None
) -> tuple[Scratch, Rows]:
    scratch = Scratch(catalog, shares=True)
    return scratch, Rows(scratch, Conditions(scratch), variables, windowed)


def window_statement(root: Root, catalog: Catalog, variables: Mapping[str, object]) -> Statement | None:
    """The same for newest rows alone, those not older than WINDOW; it returns NULL where they do not fill the page.

    None for what is not a page of newest rows, or says itself how far back to look. Tables that are cut by time
    answer it from a few chunks, however many there are.
    """
    if (
        not isinstance(root, Page)
        or root.as_of is not None
        or not root.sorts[0].descending
        or root.sorts[0].field.type is not Kind.TIME
    ):
        return None
    if root.sorts[0].field.name != root.entity.key[0] or any(map(_bounds_below, conjuncts(root.where))):
        return None
    scratch, rows = _begin(catalog, variables, windowed=root)
    value = rows.page(root, None, None)
    return _answer(value, scratch) if rows.is_windowed else None


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
    entity: Entity,
    lists: Lists,
    where: Condition,
    catalog: Catalog,
) -> Statement:
    """Rows of one commit that match: first a JSON array text for each list, then the row count and the last row's key.

    Its parameters include those of LIVE_GIVEN, which the caller gives for each message.
    """
    scratch = Scratch(catalog)
    conditions = _of_commit(scratch)
    table = scratch.alias()
    changed = _changed(scratch, entity, table)
    limit = scratch.param(GivenParam("limit"), LIVE_GIVEN["limit"])
    rows = (
        f"SELECT {table}.* {changed} AND {conditions.condition(where, entity, table)} "
        f"ORDER BY {_chain_order(entity, table)} LIMIT {limit}"
    )
    row = scratch.alias()
    objects = Rows(scratch, Conditions(scratch, bounds=False), None)
    found = [objects.object(entity, items, row).sql for items in lists.values()]
    return Statement(f"SELECT {_told(entity, found, row)} FROM ({rows}) {row}", tuple(scratch.params))


@dataclass(frozen=True)
class SharedStatement:
    """One statement for many subscriptions that differ in bound values alone.

    text returns, for each subscription that has rows: its number, then what a live statement returns. given: names of
    LIVE_GIVEN, as $1, $2, … in order. $n behind them is the array of the subscriptions' numbers, then comes an array a
    parameter: one value a subscription, a list as JSON text of its values' texts.
    """

    text: str
    given: tuple[str, ...]
    params: tuple[Param, ...]
    lists: tuple[bool, ...]


def shared_statement(
    entity: Entity,
    lists: Lists,
    where: Condition,
    catalog: Catalog,
) -> SharedStatement:
    """As live_statement, for any number of subscriptions at once and without a limit."""
    scratch = SharedScratch(catalog)
    conditions = _of_commit(scratch)
    table, row = scratch.alias(), scratch.alias()
    changed = _changed(scratch, entity, table)
    matches = conditions.condition(where, entity, row)
    objects = Rows(scratch, Conditions(scratch, bounds=False), None)
    found = [objects.object(entity, items, row).sql for items in lists.values()]
    told = _told(entity, found, row)
    return SharedStatement(
        f'WITH "@f" AS MATERIALIZED ({scratch.subscriptions()}), "@c" AS MATERIALIZED (SELECT {table}.* {changed}) '
        f'SELECT "@f"."@i", {told} FROM "@f" JOIN "@c" {row} ON {matches} GROUP BY "@f"."@i"',
        scratch.given,
        tuple(scratch.params),
        tuple(kind.endswith("[]") for kind in scratch.kinds),
    )


class SharedScratch(Scratch):
    """Parameters become columns of "@f", a row a subscription; what the server gives stays a parameter."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self.kinds: list[str] = []
        self._given: dict[str, None] = {}

    @property
    def given(self) -> tuple[str, ...]:
        return tuple(self._given)

    def param(self, param: Param, kind: str) -> str:
        if isinstance(param, GivenParam):
            self._given.setdefault(param.name)
            return f"${list(self._given).index(param.name) + 1}::{kind}"
        self.params.append(param)
        self.kinds.append(kind)
        return f'"@f"."@p{len(self.params)}"'

    def subscriptions(self) -> str:
        """Each subscription's number and values. After everything else was written."""
        columns, arrays, first = ['"@i"'], [], len(self._given) + 1
        for number, kind in enumerate(self.kinds, 1):
            name = f'"@p{number}"'
            # unnest takes arrays of arrays apart to their values.
            texts = f"ARRAY(SELECT jsonb_array_elements_text({name}::jsonb))::{kind} AS {name}"
            columns.append(texts if kind.endswith("[]") else name)
            arrays.append(f"${first + number}::{'text' if kind.endswith('[]') else kind}[]")
        names = ", ".join(['"@i"', *(f'"@p{number}"' for number in range(1, len(self.kinds) + 1))])
        return f"SELECT {', '.join(columns)} FROM unnest({', '.join([f'${first}::integer[]', *arrays])}) AS u ({names})"


def _key(entity: Entity) -> dict[str, str]:
    """What tells the rows of a commit apart, and in which column it is."""
    return {"slot": "slot", "tx_index": "tx_index", "ordinal": "ordinal", "part": entity.part}


def _chain_order(entity: Entity, row: str) -> str:
    return ", ".join(f"{row}.{quote(column)}" for column in _key(entity).values())


def _of_commit(scratch: Scratch) -> Conditions:
    """Conditions on the rows of one commit: its own times and slots have found them already."""
    return Conditions(scratch, bounds=False, finds=False)


def _changed(scratch: Scratch, entity: Entity, table: str) -> str:
    """FROM and WHERE of the rows that the commit wrote, behind what was delivered of it."""
    values = {
        name: scratch.param(GivenParam(name), kind) for name, kind in LIVE_GIVEN.items() if name != "limit"
    }
    columns = {"row": table, "stream_column": quote(entity.stream), "part_column": quote(entity.part)}
    return f"FROM {source_of(entity)} {table} WHERE {scratch.fragment('changed_slots', **columns, **values)}"


def _told(entity: Entity, lists: Sequence[str], row: str) -> str:
    """The columns of a message: each list as JSON text, how many rows, the key of the last."""
    order = _chain_order(entity, row)
    arrays = [json_array(json_items(made, f"ORDER BY {order}")).sql for made in lists]
    key = _key(entity)
    behind = ", ".join(f"{row}.{quote(column)} DESC" for column in key.values())
    keys = [
        f"(array_agg({row}.{quote(column)} ORDER BY {behind}))[1] AS {quote(name)}"
        for name, column in key.items()
    ]
    return ", ".join([*arrays, 'count(*) AS "rows"', *keys])
