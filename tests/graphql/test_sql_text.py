"""The texts that SQL is made of."""

from __future__ import annotations

from heliograph_graphql.entity import Entity, Field, Kind
from heliograph_graphql.sql_text import columns_read


def test_the_columns_that_a_text_reads_are_found_however_they_are_written() -> None:
    names = ("price", "@stream", 'a"b', "size", "slot")
    entity = Entity("X", "xs", "s.x", "", ("slot",), tuple(Field(name, Kind.TEXT, "") for name in names))
    text = (
        '''"@1t"."@stream", "@1t".price, "@1t"."a""b", "@2t"."size", "@11t".slot, "@1t"."@n", "@1t"."price"'''
    )
    assert columns_read(entity, '"@1t"', text) == ["@stream", "price", 'a"b']
