"""Statements of subscriptions to whole objects: all that match now, and what a commit changed of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heliograph_graphql.entity import Catalog, Entity
from heliograph_graphql.json_text import json_array, json_items
from heliograph_graphql.live_plan import Followed, Lists
from heliograph_graphql.parameters import GivenParam, Param
from heliograph_graphql.scratch import Scratch
from heliograph_graphql.sql import SharedScratch
from heliograph_graphql.sql_conditions import Conditions
from heliograph_graphql.sql_rows import Rows
from heliograph_graphql.sql_text import quote, quote_table

STREAMS, LIMIT = "streams", "limit"
"""What the caller gives to a snapshot: names or NULL for all, and the most objects."""
STREAM, SEQ = "stream", "seq"
"""What the caller gives for changes: the commit."""


@dataclass(frozen=True)
class ObjectSnapshot:
    """text returns one row, and of one moment: for each of what is followed each list as JSON text, and how many objects there are,

    at most one more than LIMIT.
    """

    text: str
    params: tuple[Param, ...]


@dataclass(frozen=True)
class ObjectChanges:
    """What one commit changed, for many subscriptions at once.

    text returns, for each that is concerned: its number, then for each of what is followed each list of changed objects as
    JSON text, and the JSON list of the ids that matched before and do so no longer. Parameters are as of SharedStatement.
    """

    text: str
    given: tuple[str, ...]
    params: tuple[Param, ...]
    lists: tuple[bool, ...]


def object_snapshot(followed: Sequence[Followed], catalog: Catalog) -> ObjectSnapshot:
    """All objects that match, in the order of their identity."""
    scratch = Scratch(catalog)
    found = [f"({_all(each, scratch)}) {scratch.alias()}" for each in followed]
    return ObjectSnapshot(f"SELECT * FROM {' CROSS JOIN '.join(found)}", tuple(scratch.params))


def _all(followed: Followed, scratch: Scratch) -> str:
    entity = followed.entity
    conditions = Conditions(scratch, bounds=False)
    table, row = scratch.alias(), scratch.alias()
    streams = scratch.param(GivenParam(STREAMS), "text[]")
    limit = scratch.param(GivenParam(LIMIT), "bigint")
    found = (
        f"SELECT {table}.* FROM {quote_table(entity.table)} {table} "
        f"WHERE ({streams} IS NULL OR {table}.{quote(entity.stream)} = ANY ({streams})) "
        f"AND {conditions.condition(followed.where, entity, table)} LIMIT {limit} + 1"
    )
    told = _told(entity, followed.lists, Rows(scratch, conditions, None), row)
    return f"SELECT {', '.join([*told, 'count(*)'])} FROM ({found}) {row}"


def object_changes(followed: Sequence[Followed], catalog: Catalog) -> ObjectChanges:
    """Read after the commit, so an object may be newer than it; then a later commit tells it again."""
    scratch = SharedScratch(catalog)
    parts: list[str] = []
    names: list[str] = []
    columns: list[str] = []
    for number, each in enumerate(followed, 1):
        parts += _changed(each, scratch, number)
        names += [f'"@n{number}"', f'"@x{number}"']
        columns += [f'coalesce("@n{number}"."@{place}", \'[]\')' for place in range(len(each.lists))]
        columns.append(f"coalesce(\"@x{number}\".removed, '[]')")
    first, *others = names
    joined = first + "".join(f' FULL JOIN {name} USING ("@i")' for name in others)
    return ObjectChanges(
        f'WITH "@f" AS MATERIALIZED ({scratch.subscriptions()}), {", ".join(parts)} '
        f'SELECT "@i", {", ".join(columns)} FROM {joined}',
        scratch.given,
        tuple(scratch.params),
        tuple(kind.endswith("[]") for kind in scratch.kinds),
    )


def _changed(followed: Followed, scratch: SharedScratch, number: int) -> list[str]:
    """Parts of WITH: "@n…" has the lists of each subscription that is concerned, "@x…" what is removed."""
    entity, where = followed.entity, followed.where
    conditions = Conditions(scratch, bounds=False, finds=False)
    table, row, before = scratch.alias(), scratch.alias(), scratch.alias()
    name = quote_table(entity.table)
    noted, keys, now, was = (f'"@{letter}{number}"' for letter in "okcb")
    changed = scratch.fragment(
        "changed_objects",
        table=f"'{entity.table.partition('.')[2]}'",
        stream=scratch.param(GivenParam(STREAM), "text"),
        seq=scratch.param(GivenParam(SEQ), "bigint"),
    )
    key = ", ".join(
        f"(jsonb_populate_record(NULL::{name}, {noted}.key)).{quote(each)} AS {quote(each)}"
        for each in entity.identity
    )
    same = " AND ".join(f"{keys}.{quote(each)} = {table}.{quote(each)}" for each in entity.identity)
    told = _told(entity, followed.lists, Rows(scratch, Conditions(scratch, bounds=False), None), row)
    nodes = "".join(f', {text} AS "@{place}"' for place, text in enumerate(told))
    still = " AND ".join(f"{row}.{quote(each)} = {before}.{quote(each)}" for each in entity.identity)
    matches, matched, match_still = (
        conditions.condition(where, entity, alias) for alias in (row, before, row)
    )
    formerly = (
        f"SELECT b.* FROM {noted} CROSS JOIN LATERAL jsonb_populate_record(NULL::{name}, {noted}.before) b"
    )
    left = f"NOT EXISTS (SELECT FROM {now} {row} WHERE {still} AND {match_still})"
    removed = f"json_agg(DISTINCT {scratch.identity(entity, before)})::text AS removed"
    return [
        f"{noted} AS MATERIALIZED ({changed})",
        f"{keys} AS MATERIALIZED (SELECT DISTINCT {key} FROM {noted})",
        f"{now} AS MATERIALIZED (SELECT {table}.* FROM {keys} JOIN {name} {table} ON {same})",
        f"{was} AS MATERIALIZED ({formerly} WHERE {noted}.before IS NOT NULL)",
        f'"@n{number}" AS (SELECT "@f"."@i"{nodes} FROM "@f" JOIN {now} {row} ON {matches} GROUP BY "@f"."@i")',
        f'"@x{number}" AS (SELECT "@f"."@i", {removed} FROM "@f" JOIN {was} {before} ON {matched} WHERE {left} GROUP BY "@f"."@i")',
    ]


def _told(entity: Entity, lists: Lists, objects: Rows, row: str) -> list[str]:
    order = f"ORDER BY {', '.join(f'{row}.{quote(each)}' for each in entity.identity)}"
    return [
        json_array(json_items(objects.object(entity, items, row).sql, order)).sql for items in lists.values()
    ]
