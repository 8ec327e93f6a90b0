"""What the API shows of events, compared with what was encoded: by the types of their columns, worked out from the values alone."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.peers.stored_rows import as_stored

from heliograph_graphql.executor import Executor
from heliograph_sql.table_making import NotedTable


def expected(fields: Mapping[str, Any], table: NotedTable) -> dict[str, Any]:
    """By the IDL's names, with null for what the event has not; nested numbers as decimals."""
    types = {column.field: column.type for column in table.columns}
    stored = as_stored(fields, table)
    return {name: _shown(stored.get(name), declared) for name, declared in types.items()}


def _shown(value: Any, declared: str) -> Any:
    if value is not None and (declared == "bigint" or declared.startswith("numeric")):
        return str(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def first_difference(found: Any, wanted: Any, path: str = "$") -> str | None:
    """Where the two differ; a decimal that is wanted is found as text."""
    if isinstance(wanted, Decimal):
        same = isinstance(found, str) and Decimal(found) == wanted
    elif isinstance(wanted, dict) and isinstance(found, dict) and found.keys() == wanted.keys():
        inner = (first_difference(found[key], wanted[key], f"{path}.{key}") for key in wanted)
        return next((each for each in inner if each is not None), None)
    elif isinstance(wanted, list) and isinstance(found, list) and len(found) == len(wanted):
        inner = (
            first_difference(*each, f"{path}[{n}]") for n, each in enumerate(zip(found, wanted, strict=True))
        )
        return next((each for each in inner if each is not None), None)
    elif isinstance(wanted, float):
        same = isinstance(found, int | float) and found == wanted
    else:
        same = type(found) is type(wanted) and found == wanted
    return None if same else f"{path}: found {found!r}, wanted {wanted!r}"


async def read_events(
    ask: Any, executor: Executor, stream: str
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(signature, event) to its fields by the IDL's names: first out of the list of all, then out of the typed one."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    after = None
    text = """query ($stream: String!, $after: String) { events(stream: $stream, first: 20, after: $after) {
      nodes { signature name data } pageInfo { hasNextPage endCursor } } }"""
    while True:
        page = (await ask(executor, text, stream=stream, after=after))["events"]
        for node in page["nodes"]:
            found.setdefault((node["signature"], node["name"]), []).append(node["data"])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    kinds = (await ask(executor, "{ eventTypes { event root fields { name field } } }"))["eventTypes"]
    for kind in kinds:
        names = {field["name"]: field["field"] for field in kind["fields"]}
        page = (await ask(executor, f"{{ {kind['root']} {{ nodes {{ signature {' '.join(names)} }} }} }}"))[
            kind["root"]
        ]
        for node in page["nodes"]:
            fields = {field: node[name] for name, field in names.items()}
            found.setdefault((node["signature"], kind["event"]), []).append(fields)
    return found
