"""Decodes with anchorpy, in its own environment: stdin {idls, cases: [{idl, kind, data}]}, stdout [value]; data in base64."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from typing import Any

from anchorpy.coder.accounts import AccountsCoder  # type: ignore[import-not-found]
from anchorpy.coder.event import EventCoder  # type: ignore[import-not-found]
from anchorpy_core.idl import Idl  # type: ignore[import-not-found]
from solders.pubkey import Pubkey


def plain(value: Any) -> Any:
    """Enums as {"variant": name, "fields": {…}}; bytes as {"bytes": hex}."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Pubkey):
        return str(value)
    if isinstance(value, bytes | bytearray):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [plain(each) for each in value]
    members = {name: inner for name, inner in vars(value).items() if not name.startswith("_")}
    if hasattr(value, "__sumtype_constructor__") or hasattr(value, "_sumtype_attribs"):
        return {"variant": type(value).__name__, "fields": plain_members(members)}
    return plain_members(members)


def plain_members(members: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(inner) for name, inner in members.items()}


def decoded(coder: Any, kind: str, data: bytes) -> dict[str, Any]:
    if kind == "event":
        event = coder.parse(data)
        return {"name": event.name, "value": plain(event.data)}
    value = coder.decode(data)
    return {"name": type(value).__name__, "value": plain(value)}


def main() -> None:
    asked = json.load(sys.stdin)
    answers = []
    coders: dict[tuple[str, str], Any] = {}
    for case in asked["cases"]:
        kind, key = case["kind"], (case["idl"], case["kind"])
        try:
            if key not in coders:
                document = Idl.from_json(json.dumps(asked["idls"][case["idl"]]))
                coders[key] = (EventCoder if kind == "event" else AccountsCoder)(document)
            answers.append(decoded(coders[key], kind, b64decode(case["data"])))
        except Exception as error:  # noqa: BLE001
            # Whatever it raises: the test decides which layouts anchorpy has to know.
            answers.append({"error": f"{type(error).__name__}: {error}"})
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
