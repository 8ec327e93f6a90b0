"""Conditions to SQL: filters, ties to a parent, what stands behind a cursor. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from heliograph_graphql.entity import Bound, Entity, Relation
from heliograph_graphql.parameters import Cursor, CursorParam, LookupParam, ValueParam, sql_type
from heliograph_graphql.plan import All, Any_, Compare, Condition, Not, Operator, Page
from heliograph_graphql.scratch import Scratch
from heliograph_graphql.sql_text import quote, quote_table

_SYMBOLS = {Operator.EQ: "=", Operator.GT: ">", Operator.GTE: ">=", Operator.LT: "<", Operator.LTE: "<="}


class Conditions:
    """Writes conditions of one statement.

    bounds: also what a comparison implies for the block time. finds: also what lets an index find the rows.
    """

    def __init__(self, scratch: Scratch, *, bounds: bool = True, finds: bool = True) -> None:
        self._scratch = scratch
        self._bounds = bounds
        self._finds = finds

    def tie(self, relation: Relation, entity: Entity, row: str, parent: str) -> str:
        parts = [f"{row}.{quote(there)} = {parent}.{quote(here)}" for there, here in relation.on]
        if relation.fragment is not None:
            parts.append(f"({self._scratch.fragment(relation.fragment, row=row, parent=parent)})")
        return " AND ".join(parts) or "true"

    @staticmethod
    def alternatives(relation: Relation, row: str, parent: str) -> list[str]:
        """Conditions of which one holds for a related row, and never two for the same; empty where the tie says it all."""
        found: list[str] = []
        before = ""
        for there, here in relation.either:
            equal = f"{row}.{quote(there)} = {parent}.{quote(here)}"
            found.append(equal + before)
            before += f" AND {row}.{quote(there)} IS DISTINCT FROM {parent}.{quote(here)}"
        return found

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
        there = self._scratch.alias()
        source = f"{quote_table(through.table)} {there}"
        key = f"{there}.{quote(through.key)}"
        same = f'{there}."stream" = {row}."stream" AND {key} = {row}.{quote(through.column)}'
        if compare.value is None:
            return f"NOT EXISTS (SELECT FROM {source} WHERE {same} AND {there}.{quote(through.field)} IS NOT NULL)"
        inner = self._compare_column(compare, f"{there}.{quote(through.field)}", None)
        exists = f"EXISTS (SELECT FROM {source} WHERE {same} AND {inner})"
        if not self._finds:
            return exists
        # The array lets an index on the column find the rows; EXISTS holds each to its own stream.
        keys = f"{row}.{quote(through.column)} = ANY (ARRAY(SELECT {key} FROM {source} WHERE {inner}))"
        return f"{keys} AND {exists}"

    def _compare_column(self, compare: Compare, column: str, row: str | None) -> str:
        field, operator = compare.field, compare.operator
        if compare.value is None:
            return f"{column} IS NULL"
        kind = sql_type(field)
        if operator is Operator.IN:
            value = self._scratch.param(ValueParam(compare.value, many=True), f"{kind}[]")
            return f"{column} = ANY ({value}){self._bound(compare, row)}"
        value = self._scratch.param(ValueParam(compare.value), kind)
        return f"{column} {_SYMBOLS[operator]} {value}{self._bound(compare, row)}"

    def _bound(self, compare: Compare, row: str | None) -> str:
        """A bound on the time that the comparison implies anyway, so that only a few chunks are opened."""
        field, operator = compare.field, compare.operator
        if field.bound is None or row is None or not self._bounds or compare.value is None:
            return ""
        time = f"{row}.block_time"

        def bound(sign: str, name: str) -> str:
            assert compare.value is not None
            return (
                f" AND {time} {sign} {self._scratch.param(LookupParam(name, compare.value), 'timestamptz')}"
            )

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

    def after(self, page: Page, row: str) -> str:
        """Rows behind the cursor in the page's order; missing values stand above all others."""
        assert page.after is not None
        terms = []
        cursor = Cursor(page.after, page.order, page.sorts)
        for index, sort in enumerate(page.sorts):
            param = CursorParam(cursor, index)
            terms.append(
                (f"{row}.{quote(sort.field.name)}", self._scratch.param(param, sql_type(sort.field)), sort)
            )
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


def implied(condition: Condition, names: Collection[str]) -> Condition:
    """What the condition implies of the fields of these names alone."""
    if isinstance(condition, Compare):
        return condition if condition.field.name in names else All(())
    if isinstance(condition, Not):
        return condition if _speaks_of(condition.part, names) else All(())
    parts = tuple(implied(part, names) for part in condition.parts)
    return Any_(parts) if isinstance(condition, Any_) else All(parts)


def _speaks_of(condition: Condition, names: Collection[str]) -> bool:
    """Whether it speaks of no other fields."""
    if isinstance(condition, Compare):
        return condition.field.name in names
    if isinstance(condition, Not):
        return _speaks_of(condition.part, names)
    return all(_speaks_of(part, names) for part in condition.parts)


def conjuncts(condition: Condition) -> Iterator[Compare]:
    """The comparisons that must hold for the condition to hold, however deep `and` nests them."""
    if isinstance(condition, Compare):
        yield condition
    elif isinstance(condition, All):
        for part in condition.parts:
            yield from conjuncts(part)
