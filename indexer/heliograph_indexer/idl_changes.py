"""What a new IDL of a program does to the tables of its events and accounts. Pure: two IDLs in, lines out."""

from __future__ import annotations

from typing import Literal

import msgspec

from heliograph_indexer.event_layouts import account_layouts, event_layouts
from heliograph_indexer.idl.model import Idl

Kind = Literal[
    "new table", "table stays", "new column", "column stays empty", "type changes", "discriminator changes"
]


class Change(msgspec.Struct, frozen=True):
    """One thing that becomes different. event: its name, `account NAME` for an account. field: None where it is about the whole. detail: types or bytes."""

    kind: Kind
    event: str
    field: str | None = None
    detail: str = ""

    def __str__(self) -> str:
        place = self.event if self.field is None else f"{self.event}.{self.field}"
        return f"{self.kind}: {place}{f' ({self.detail})' if self.detail else ''}"


def changes(old: Idl, new: Idl) -> list[Change]:
    """In the order of the new IDL, events before accounts, then what only the old one has.

    Nothing is ever deleted from the tables: a field whose type changes has a column more.
    """
    before, after = _tables(old), _tables(new)
    found: list[Change] = []
    for name, (discriminator, fields) in after.items():
        if name not in before:
            found.append(Change("new table", name, None, f"{len(fields)} columns"))
            continue
        known, columns = before[name]
        if discriminator != known:
            detail = f"{known.hex()} to {discriminator.hex()}"
            found.append(Change("discriminator changes", name, None, detail))
        for field, type_ in fields.items():
            if field not in columns:
                found.append(Change("new column", name, field, type_))
            elif columns[field] != type_:
                found.append(Change("type changes", name, field, f"{columns[field]} to {type_}"))
        found += [
            Change("column stays empty", name, field, "the new IDL has it no more")
            for field in columns
            if field not in fields
        ]
    found += [
        Change("table stays", name, None, "the new IDL has it no more")
        for name in before
        if name not in after
    ]
    return found


def _tables(idl: Idl) -> dict[str, tuple[bytes, dict[str, str]]]:
    """Discriminator, and column types by field, of each event and account type."""
    events = {layout.name: layout.discriminator for layout in idl.events}
    accounts = {layout.name: layout.discriminator for layout in idl.accounts}
    found = {each.event: (events[each.event], dict(each.fields)) for each in event_layouts("", idl)}
    for each in account_layouts("", idl):
        found[f"account {each.event}"] = accounts[each.event], dict(each.fields)
    return found
