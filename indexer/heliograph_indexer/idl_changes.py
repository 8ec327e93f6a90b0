"""What a new IDL of a program does to the tables of its events. Pure: two IDLs in, lines out."""

from __future__ import annotations

from typing import Literal

import msgspec

from heliograph_indexer.event_layouts import event_layouts
from heliograph_indexer.idl.model import Idl

Kind = Literal[
    "new table", "table stays", "new column", "column stays empty", "type changes", "discriminator changes"
]


class Change(msgspec.Struct, frozen=True):
    """One thing that becomes different. field: None where it is about the whole event. detail: types or bytes."""

    kind: Kind
    event: str
    field: str | None = None
    detail: str = ""

    def __str__(self) -> str:
        place = self.event if self.field is None else f"{self.event}.{self.field}"
        return f"{self.kind}: {place}{f' ({self.detail})' if self.detail else ''}"


def changes(old: Idl, new: Idl) -> list[Change]:
    """In the order of the new IDL, then what only the old one has. Nothing is ever deleted from the tables."""
    before = {layout.event: dict(layout.fields) for layout in event_layouts("", old)}
    after = {layout.event: dict(layout.fields) for layout in event_layouts("", new)}
    found: list[Change] = []
    discriminators = {layout.name: layout.discriminator for layout in old.events}
    for layout in new.events:
        event, fields = layout.name, after[layout.name]
        if event not in before:
            columns = f"{len(fields)} columns"
            found.append(Change("new table", event, None, columns))
            continue
        if layout.discriminator != discriminators[event]:
            detail = f"{discriminators[event].hex()} to {layout.discriminator.hex()}"
            found.append(Change("discriminator changes", event, None, detail))
        for name, type_ in fields.items():
            if name not in before[event]:
                found.append(Change("new column", event, name, type_))
            elif before[event][name] != type_:
                found.append(Change("type changes", event, name, f"{before[event][name]} to {type_}"))
        found += [
            Change("column stays empty", event, name, "the new IDL has it no more")
            for name in before[event]
            if name not in fields
        ]
    found += [
        Change("table stays", event, None, "the new IDL has it no more")
        for event in before
        if event not in after
    ]
    return found
