"""Statements of subscriptions to whole objects: all that match now, and what a commit changed of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heliograph_graphql.entity import Catalog, Entity
from heliograph_graphql.json_text import json_array, json_items
from heliograph_graphql.parameters import GivenParam, Param
from heliograph_graphql.plan import Condition, Node
from heliograph_graphql.scratch import Scratch
from heliograph_graphql.sql import SharedScratch
from heliograph_graphql.sql_conditions import Conditions
from heliograph_graphql.sql_rows import Rows
from heliograph_graphql.sql_text import quote, quote_table

STREAMS, LIMIT = "streams", "limit"
"""What the caller gives to a snapshot: names or NULL for all, and the most objects."""
STREAM, SEQ = "stream", "seq"
"""What the caller gives for changes: the commit."""

Lists = Mapping[str, Mapping[str, Node]]


@dataclass(frozen=True)
class ObjectSnapshot:
    """text returns one row: each list as JSON text, and how many objects there are, at most one more than LIMIT."""

    text: str
    params: tuple[Param, ...]


@dataclass(frozen=True)
class ObjectChanges:
    """What one commit changed, for many subscriptions at once.

    text returns, for each that is concerned: its number, each list of changed objects as JSON text, and the JSON list of
    the ids that matched before and do so no longer. Parameters are as of SharedStatement.
    """

    text: str
    given: tuple[str, ...]
    params: tuple[Param, ...]
    lists: tuple[bool, ...]


def object_snapshot(entity: Entity, lists: Lists, where: Condition, catalog: Catalog) -> ObjectSnapshot:
    """All objects that match, in the order of their identity."""
    scratch = Scratch(catalog)
    conditions = Conditions(scratch, bounds=False)
    table, row = scratch.alias(), scratch.alias()
    streams = scratch.param(GivenParam(STREAMS), "text[]")
    limit = scratch.param(GivenParam(LIMIT), "bigint")
    found = (
        f"SELECT {table}.* FROM {quote_table(entity.table)} {table} "
        f"WHERE ({streams} IS NULL OR {table}.{quote(entity.stream)} = ANY ({streams})) "
        f"AND {conditions.condition(where, entity, table)} LIMIT {limit} + 1"
    )
    told = _told(entity, lists, Rows(scratch, conditions, None), row)
    return ObjectSnapshot(
        f"SELECT {', '.join([*told, 'count(*)'])} FROM ({found}) {row}", tuple(scratch.params)
    )


def object_changes(entity: Entity, lists: Lists, where: Condition, catalog: Catalog) -> ObjectChanges:
    """Read after the commit, so an object may be newer than it; then a later commit tells it again."""
    scratch = SharedScratch(catalog)
    conditions = Conditions(scratch, bounds=False, finds=False)
    table, row, before = scratch.alias(), scratch.alias(), scratch.alias()
    name = quote_table(entity.table)
    changed = scratch.fragment(
        "changed_objects",
        table=f"'{entity.table.partition('.')[2]}'",
        stream=scratch.param(GivenParam(STREAM), "text"),
        seq=scratch.param(GivenParam(SEQ), "bigint"),
    )
    keys = ", ".join(
        f'(jsonb_populate_record(NULL::{name}, "@o".key)).{quote(each)} AS {quote(each)}'
        for each in entity.identity
    )
    same = " AND ".join(f'"@k".{quote(each)} = {table}.{quote(each)}' for each in entity.identity)
    told = _told(entity, lists, Rows(scratch, Conditions(scratch, bounds=False), None), row)
    nodes = ", ".join(f'{text} AS "@{number}"' for number, text in enumerate(told))
    now = " AND ".join(f"{row}.{quote(each)} = {before}.{quote(each)}" for each in entity.identity)
    matches = conditions.condition(where, entity, row)
    matched, match_now = conditions.condition(where, entity, before), conditions.condition(where, entity, row)
    columns = ", ".join(
        [
            *(f'coalesce("@n"."@{number}", \'[]\')' for number in range(len(told))),
            "coalesce(\"@x\".removed, '[]')",
        ]
    )
    return ObjectChanges(
        f'WITH "@f" AS MATERIALIZED ({scratch.subscriptions()}), '
        f'"@o" AS MATERIALIZED ({changed}), '
        f'"@k" AS MATERIALIZED (SELECT DISTINCT {keys} FROM "@o"), '
        f'"@c" AS MATERIALIZED (SELECT {table}.* FROM "@k" JOIN {name} {table} ON {same}), '
        f'"@b" AS MATERIALIZED (SELECT b.* FROM "@o" CROSS JOIN LATERAL jsonb_populate_record(NULL::{name}, "@o".before) b '
        f'WHERE "@o".before IS NOT NULL), '
        f'"@n" AS (SELECT "@f"."@i", {nodes} FROM "@f" JOIN "@c" {row} ON {matches} GROUP BY "@f"."@i"), '
        f'"@x" AS (SELECT "@f"."@i", json_agg(DISTINCT {scratch.identity(entity, before)})::text AS removed '
        f'FROM "@f" JOIN "@b" {before} ON {matched} '
        f'WHERE NOT EXISTS (SELECT FROM "@c" {row} WHERE {now} AND {match_now}) GROUP BY "@f"."@i") '
        f'SELECT coalesce("@n"."@i", "@x"."@i"), {columns} FROM "@n" FULL JOIN "@x" ON "@n"."@i" = "@x"."@i"',
        scratch.given,
        tuple(scratch.params),
        tuple(kind.endswith("[]") for kind in scratch.kinds),
    )


def _told(entity: Entity, lists: Lists, objects: Rows, row: str) -> list[str]:
    order = f"ORDER BY {', '.join(f'{row}.{quote(each)}' for each in entity.identity)}"
    return [
        json_array(json_items(objects.object(entity, items, row).sql, order)).sql for items in lists.values()
    ]
