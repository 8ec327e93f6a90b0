"""The statement of subscriptions to what is computed: which rows commits touched, and what these are now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heliograph_graphql.entity import Catalog, Entity
from heliograph_graphql.json_text import json_array, json_items
from heliograph_graphql.live_plan import Lists
from heliograph_graphql.parameters import GivenParam, Param, ValueParam, sql_type
from heliograph_graphql.plan import Source
from heliograph_graphql.sql import SharedScratch
from heliograph_graphql.sql_conditions import Conditions
from heliograph_graphql.sql_rows import Rows
from heliograph_graphql.sql_text import quote, shown

GIVEN = {
    "stream": "text",
    "seqs": "bigint[]",
    "first_slots": "bigint[]",
    "last_slots": "bigint[]",
    "first_time": "timestamptz",
    "last_time": "timestamptz",
    "corrected_from": "timestamptz[]",
    "corrected_through": "timestamptz[]",
    "behind": "timestamptz",
    "limit": "bigint",
}
"""What the caller gives for a message: the commits, the times of their rows, spans of time of which any row may be gone, behind
which key it begins (NULL: at the first), and how many rows it has at most."""


@dataclass(frozen=True)
class TouchedStatement:
    """text returns, for each subscription of which something was touched: its number, the last key that it tells, whether there are
    more behind that, each list of rows as JSON text, and the JSON list of the keys that have no row.

    Parameters are as of SharedStatement.
    """

    text: str
    given: tuple[str, ...]
    params: tuple[Param, ...]
    lists: tuple[bool, ...]


def touched_statement(
    entity: Entity, lists: Lists, asked: Mapping[str, Source], catalog: Catalog
) -> TouchedStatement:
    """Read after the commits, so a row may be newer than they are; then a later commit tells it again."""
    assert entity.touched is not None
    scratch = SharedScratch(catalog)
    values = {
        argument.name: scratch.param(ValueParam(asked[argument.name]), sql_type(argument))
        for argument in entity.touched_by
    }
    given = {name: scratch.param(GivenParam(name), kind) for name, kind in GIVEN.items()}
    key, row, gone = entity.by_column[entity.key[0]], scratch.alias(), scratch.alias()
    keys = scratch.fragment(entity.touched.keys, asked='"@f"', **values, **given)
    span = {"first": '"@w".first', "last": '"@w".last'}
    now = scratch.fragment(entity.touched.rows, **span, **values, stream=given["stream"])
    objects = Rows(scratch, Conditions(scratch, bounds=False), None)
    order = f"ORDER BY {row}.{quote(key.name)}"
    told = [
        f"(SELECT {json_array(json_items(objects.object(entity, items, row).sql, order)).sql} "
        f'FROM "@c" {row} WHERE {row}."@i" = "@w"."@i")'
        for items in lists.values()
    ]
    removed = (
        f"(SELECT {json_array(json_items(shown(f'{gone}.key', key).sql, f'ORDER BY {gone}.key')).sql} "
        f'FROM unnest("@w".keys) {gone} (key) WHERE NOT EXISTS ('
        f'SELECT FROM "@c" {row} WHERE {row}."@i" = "@w"."@i" AND {row}.{quote(key.name)} = {gone}.key))'
    )
    columns = ", ".join(['"@w"."@i"', '"@w".last', '"@w".more', *told, removed])
    few = f"FILTER (WHERE n <= {given['limit']})"
    return TouchedStatement(
        f'WITH "@f" AS MATERIALIZED ({scratch.subscriptions()}), "@t" AS ('
        f'SELECT t."@i", t.key, row_number() OVER (PARTITION BY t."@i" ORDER BY t.key) AS n '
        f'FROM ({keys}) t ("@i", key) WHERE {given["behind"]} IS NULL OR t.key > {given["behind"]}), '
        f'"@w" AS MATERIALIZED (SELECT "@i", array_agg(key) {few} AS keys, min(key) AS first, max(key) {few} AS last, '
        f'count(*) > {given["limit"]} AS more FROM "@t" GROUP BY "@i"), '
        f'"@c" AS MATERIALIZED (SELECT "@w"."@i", c.* FROM "@w" JOIN "@f" ON "@f"."@i" = "@w"."@i" '
        f'CROSS JOIN LATERAL ({now}) c WHERE c.{quote(key.name)} = ANY ("@w".keys)) '
        f'SELECT {columns} FROM "@w"',
        scratch.given,
        tuple(scratch.params),
        tuple(kind.endswith("[]") for kind in scratch.kinds),
    )
