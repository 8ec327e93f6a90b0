"""Every event and account of ../shared/samples, with the IDL whose layout fits."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import EVENT_TAG
from heliograph_indexer.idl.reader import read_idl

SHARED = Path(__file__).resolve().parents[3] / "shared"

# Files that name no layout themselves.
IDLS = {
    "jup_dca_cpi_events_XbXyUniN": "idl/vixen_dca.codama.json",
    "jup_limit_order_v2_cpi_event_VLzYfuPu": "idl/vixen_limit_order_v2.codama.json",
    "jupiter_perps_borrow_from_custody_5mYEUYXC": "idl/jupiter_perpetuals.codama_2026.json",
    "jupiter_perps_pool_JLP": "idl/jupiter_perpetuals.codama_2026.json",
    "drift_perp_markets": "idl/drift_v2.json",
}


@dataclass(frozen=True)
class Sample:
    """file: its stem. idl: path below the shared folder. name and value: what our decoder makes of the bytes."""

    file: str
    idl: str
    kind: Literal["event", "account"]
    data: bytes
    name: str
    value: dict[str, Any]


def decoder(idl: str) -> Decoder:
    return Decoder(read_idl((SHARED / idl).read_bytes()))


def samples() -> list[Sample]:
    """All of them, decoded by us; DecodeError where one does not fit its layout or leaves a byte."""
    found = []
    decoders: dict[str, Decoder] = {}
    for file in sorted((SHARED / "samples").rglob("*.json")):
        document = json.loads(file.read_bytes())
        idl = document.get("idl") or IDLS.get(file.stem)
        if idl is None:
            continue
        ours = decoders.setdefault(idl, decoder(idl))
        for data in _accounts(document):
            found.append(Sample(file.stem, idl, "account", data, *ours.account(data)))
        for data in _events(document, ours):
            found.append(Sample(file.stem, idl, "event", data, *ours.event(data)))
    return found


def _accounts(document: dict[str, Any]) -> Iterator[bytes]:
    for each in document.get("accounts", [document]):
        if "data_base64" in each:
            yield base64.b64decode(each["data_base64"])


def _events(document: dict[str, Any], ours: Decoder) -> Iterator[bytes]:
    for line in document.get("logs", ()):
        channel, _, text = line.partition(": ")
        if channel not in ("Program data", "Program log"):
            continue
        try:
            data = base64.b64decode(text, validate=True)
        except ValueError:
            continue
        # Other programs speak in these logs too.
        if ours.knows_event(data):
            yield data
    for each in document.get("instructions", ()):
        data = bytes.fromhex(each["data_hex"])
        if data.startswith(EVENT_TAG):
            yield data[len(EVENT_TAG) :]
