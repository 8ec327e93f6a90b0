"""What a page says of completeness, for the range that its filter asks for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from heliograph_graphql.entity import Bound, Entity
from heliograph_graphql.json_text import JsonText, json_array, json_items, json_object, json_string, made
from heliograph_graphql.parameters import ValueParam, sql_type
from heliograph_graphql.plan import Leaf, Operator, Page, PartList, PartOf, Typename
from heliograph_graphql.scratch import Scratch
from heliograph_graphql.sql_conditions import conjuncts
from heliograph_graphql.sql_text import constant, quote, shown

# What completeness of a page is asked for: how to write the streams and bounds; what is absent was not asked.
Range = Mapping[str, Callable[[], str]]
_RANGE_NAMES = ("streams", "from_slot", "through_slot", "from_time", "through_time")


class Completeness:
    """Writes the parts of one statement that speak of streams and coverage, and not of rows."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    def part(self, node: PartOf, asked: Range) -> JsonText:
        source = self._asked_query(node.part.fragment, asked)
        items = {}
        for key, item in node.items.items():
            if isinstance(item, Typename):
                items[key] = json_string(item.name)
            elif isinstance(item, PartList):
                leaves = {k: self._part_leaf(leaf) for k, leaf in item.items.items()}
                nested = self._asked_query(item.part.fragment, asked)
                items[key] = json_array(
                    f'(SELECT {json_items(json_object(leaves).sql)} FROM ({nested}) "@f")'
                )
            else:
                items[key] = self._part_leaf(item)
        value = f"coalesce((SELECT {json_object(items).sql} FROM ({source}) \"@f\"), 'null')"
        return made(value if asked else self._scratch.share(value))

    @staticmethod
    def _part_leaf(item: Leaf | Typename) -> JsonText:
        return (
            json_string(item.name)
            if isinstance(item, Typename)
            else shown(f'"@f".{quote(item.field.name)}', item.field)
        )

    def _asked_query(self, fragment: str, asked: Range) -> str:
        text = self._scratch.fragment(fragment)
        for name in _RANGE_NAMES:
            token = "{" + name + "}"
            if token in text:
                text = text.replace(token, asked[name]() if name in asked else "NULL")
        return text

    def asked(self, page: Page, parent_entity: Entity | None, parent: str | None) -> Range:
        """The range that the filter asks for, as far as comparisons that all must hold say; the narrowest counts."""
        found: dict[str, list[Callable[[], str]]] = {}
        for part in conjuncts(page.where):
            if part.value is None:
                continue
            field = part.field
            kind = "slot" if field.bound is Bound.SLOT else "time" if field.name == "block_time" else None
            if field.name == page.entity.stream and part.operator in (Operator.EQ, Operator.IN):
                write = partial(self._scratch.param, ValueParam(part.value, many=True), "text[]")
                found.setdefault("streams", []).append(write)
            elif kind is not None and part.operator is not Operator.IN:
                write = partial(self._scratch.param, ValueParam(part.value), sql_type(field))
                if part.operator in (Operator.EQ, Operator.GT, Operator.GTE):
                    found.setdefault(f"from_{kind}", []).append(write)
                if part.operator in (Operator.EQ, Operator.LT, Operator.LTE):
                    found.setdefault(f"through_{kind}", []).append(write)
        if page.entity.of_stream is not None:
            only = f"ARRAY[{constant(page.entity.of_stream)}]"
            found.setdefault("streams", []).append(lambda: only)
        if page.as_of is not None:
            for kind, sent, type_ in (
                ("slot", page.as_of.slot, "bigint"),
                ("time", page.as_of.time, "timestamptz"),
            ):
                if sent is not None:
                    write = partial(self._scratch.param, ValueParam(sent), type_)
                    found.setdefault(f"through_{kind}", []).append(write)
        if "stream" in page.arguments:
            param = partial(self._scratch.param, ValueParam(page.arguments["stream"]), "text")
            found["streams"] = [lambda: f"nullif(ARRAY[{param()}], ARRAY[NULL]::text[])"]
        if parent_entity is not None and parent is not None and parent_entity.stream:
            stream = f"ARRAY[{parent}.{quote(parent_entity.stream)}]"
            found["streams"] = [lambda: stream]
        return {name: partial(_meet, name, writes) for name, writes in found.items()}


def _meet(name: str, writes: Sequence[Callable[[], str]]) -> str:
    """One bound for several: the highest beginning, the lowest end, the streams that all of them name."""
    written = [write() for write in writes]
    if len(written) == 1:
        return written[0]
    if name == "streams":
        return f"ARRAY({' INTERSECT '.join(f'SELECT unnest({each})' for each in written)})"
    return f"{'GREATEST' if name.startswith('from_') else 'LEAST'}({', '.join(written)})"
