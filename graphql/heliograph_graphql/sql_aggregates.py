"""Aggregates of a page's rows to SQL: groups, what they have in common, and what their values come to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from heliograph_graphql.entity import Entity, Field, Kind, Through
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
from heliograph_graphql.parameters import ValueParam
from heliograph_graphql.plan import (
    BUCKET,
    COUNT,
    Aggregates,
    GroupKey,
    Groups,
    Measure,
    Measured,
    Source,
    Typename,
)
from heliograph_graphql.scratch import Scratch
from heliograph_graphql.sql_text import quote, quote_table, shown

_GROUP, _ROWS = '"@g"', '"@rows"'
_BUCKET = Field(BUCKET, Kind.TIME, "")
_NUMBER = Field("number", Kind.DECIMAL, "")


class AggregateWriter:
    """Writes the aggregates of one statement. first: writes how many, from its source."""

    def __init__(self, scratch: Scratch, first: Callable[[Source], str]) -> None:
        self._scratch = scratch
        self._first = first

    def value(self, node: Aggregates, entity: Entity, branches: Sequence[str]) -> JsonText:
        """The object. branches: SELECTs of all columns of rows that match; none matches in two of them.

        Reads no more than node.most_rows rows, and fails where there are more: what they would come to is not all.
        """
        return made(_Written(self._scratch, node, entity, branches).text(self._first(node.first)))


class _Written:
    """One node: `columns` are what the grouping computes, by the expression; their order names them."""

    def __init__(self, scratch: Scratch, node: Aggregates, entity: Entity, branches: Sequence[str]) -> None:
        self._scratch = scratch
        self._node = node
        self._entity = entity
        self._branches = branches
        self._row = scratch.alias()
        self._columns: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        if node.bucket is not None:
            assert entity.span is not None
            width = scratch.param(ValueParam(node.bucket), "text")
            time = f"{self._row}.{quote(entity.span.name)}"
            self._keys[BUCKET] = self._column(f"heliograph_rollup.bucket_of({width}::interval, {time})")
        for field in node.by:
            self._keys[field.name] = self._column(f"{self._row}.{quote(field.name)}")

    def text(self, first: str) -> str:
        node = self._node
        values = {key: self._item(item, first) for key, item in node.items.items()}
        sort = self._sorted()
        order = f"ORDER BY {', '.join(sort)}" if sort else ""
        columns = ", ".join(f"{expression} AS {name}" for expression, name in self._columns.items())
        most = node.most_rows
        rows = " UNION ALL ".join(f"({branch})" for branch in self._branches)
        limited = f"SELECT * FROM ({rows}) {self._row} LIMIT {most + 1}"
        grouped = f"GROUP BY {', '.join(self._keys.values())}" if self._keys else ""
        # Windows are computed before the LIMIT: all rows are counted, and every group has its number.
        counted = f"sum(count(*)) OVER () AS {_ROWS}"
        inner = f"SELECT {', '.join(filter(None, [columns, counted]))} FROM ({limited}) {self._row} {grouped}"
        numbered = f'SELECT {_GROUP}.*, row_number() OVER ({order}) AS "@n" FROM ({inner}) {_GROUP} {order} LIMIT {first} + 1'
        refused = self._scratch.fragment("refuse_rows", most=str(most))
        return (
            f"(SELECT CASE WHEN max({_GROUP}.{_ROWS}) > {most} THEN {refused} ELSE {json_object(values).sql} END "
            f"FROM ({numbered}) {_GROUP})"
        )

    def _column(self, expression: str) -> str:
        return self._columns.setdefault(expression, quote(f"@v{len(self._columns) + 1}"))

    def _item(self, item: Groups | str | Typename, first: str) -> JsonText:
        if isinstance(item, Typename):
            return json_string(item.name)
        if isinstance(item, str):
            return made(f"(count(*) > {first})::text")
        group = json_object({key: self._of_group(value) for key, value in item.items.items()})
        groups = json_items(group.sql, f'ORDER BY {_GROUP}."@n"')
        return json_array(f'{groups} FILTER (WHERE {_GROUP}."@n" <= {first})')

    def _of_group(self, item: GroupKey | Measured | str | Typename) -> JsonText:
        if isinstance(item, Typename):
            return json_string(item.name)
        if isinstance(item, str):
            return quoted(f"{_GROUP}.{self._column('count(*)')}")
        if isinstance(item, GroupKey):
            return json_object({key: self._key(value) for key, value in item.items.items()})
        return json_object(
            {
                key: json_string(field.name)
                if isinstance(field, Typename)
                else self._figure(item.measure, field)
                for key, field in item.items.items()
            }
        )

    def _key(self, item: Field | str | Typename) -> JsonText:
        if isinstance(item, Typename):
            return json_string(item.name)
        if isinstance(item, str):
            return self._shown_key(item, _BUCKET)
        if item.through is None:
            return self._shown_key(item.name, item)
        return self._through(item, item.through)

    def _shown_key(self, name: str, field: Field) -> JsonText:
        if name not in self._keys:
            return verbatim("null")
        return shown(f"{_GROUP}.{self._keys[name]}", field, known=False)

    def _through(self, field: Field, through: Through) -> JsonText:
        if through.column not in self._keys:
            return verbatim("null")
        there = self._scratch.alias()
        same = f"{there}.{quote(through.key)} = {_GROUP}.{self._keys[through.column]}"
        stream = self._entity.stream
        if stream in self._keys:
            same += f' AND {there}."stream" = {_GROUP}.{self._keys[stream]}'
        # Streams that know the same thing call it the same.
        value = f"(SELECT min({there}.{quote(through.field)}) FROM {quote_table(through.table)} {there} WHERE {same})"
        return shown(value, field, known=False)

    def _figure(self, measure: Measure, field: Field) -> JsonText:
        value = f"{_GROUP}.{self._measured(measure, field)}"
        if measure is Measure.KNOWN:
            return quoted(value)
        if measure in (Measure.SUM, Measure.AVG):
            return shown(value, _NUMBER, known=False)
        return shown(value, field, known=False)

    def _measured(self, measure: Measure, field: Field) -> str:
        column = f"{self._row}.{quote(field.name)}"
        return self._column(_MEASURES[measure].replace("{column}", column))

    def _sorted(self) -> list[str]:
        sort, keys = self._node.sort, [f"{_GROUP}.{name}" for name in self._keys.values()]
        if sort is None:
            return keys
        if isinstance(sort.by, tuple):
            name = self._measured(*sort.by)
        else:
            name = self._column("count(*)") if sort.by == COUNT else self._keys[BUCKET]
        return [f"{_GROUP}.{name}{' DESC' if sort.descending else ''}", *keys]


_MEASURES: Mapping[Measure, str] = {
    Measure.SUM: "sum({column})::numeric",
    Measure.AVG: "heliograph_rollup.quotient(sum({column})::numeric, nullif(count({column}), 0))",
    Measure.MIN: "min({column})",
    Measure.MAX: "max({column})",
    Measure.KNOWN: "count({column})",
}
