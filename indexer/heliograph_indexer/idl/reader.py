"""Reads an IDL in any of the three formats into one model.

In: the document as bytes, text or parsed JSON. Out: an Idl. Raises IdlError, naming the place at fault.
"""

from __future__ import annotations

from typing import Any

import orjson

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.document import Node
from heliograph_indexer.idl.layout import check
from heliograph_indexer.idl.model import Idl
from heliograph_indexer.idl.reader_anchor import read_anchor
from heliograph_indexer.idl.reader_codama import read_codama


def read_idl(document: bytes | str | dict[str, Any]) -> Idl:
    """The IDL that `document` holds: legacy Anchor, Anchor spec 0.1.0, or Codama."""
    if isinstance(document, bytes | str):
        try:
            document = orjson.loads(document)
        except orjson.JSONDecodeError as error:
            raise IdlError(f"not JSON: {error}") from error
    root = Node(document)
    if not isinstance(document, dict):
        root.wrong("an IDL, which is an object")
    try:
        if document.get("kind") == "rootNode":
            idl = read_codama(root)
        elif any(
            isinstance(document.get(key), list) for key in ("instructions", "accounts", "events", "types")
        ):
            idl = read_anchor(root)
        else:
            root.fail(
                "neither an Anchor IDL (no instructions, accounts, events or types) nor a Codama root node"
            )
        check(idl)
    except RecursionError:
        raise IdlError("its types are nested too deep to be read") from None
    return idl
