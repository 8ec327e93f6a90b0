"""The real IDLs of five protocols, each with the programs they are deployed as, and what these may be made to say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.peers.made_values import MadeValues

from heliograph_indexer.idl.encoder import Encoder

IDLS = Path(__file__).resolve().parents[3] / "shared" / "idl"
ADDRESSES = {
    "drift_v2": "dRiftyHA39MWEi3m9aunc5MzRF1JYuBsbn6VPcn33UH",
    "jupiter_perpetuals.codama_2026": "PERPHjGBqRHArX4DySjwM6UJHiR3sWAatqfdBS2qQJu",
    "mango_v4": "4MangoMjqJ2firMokCjjGgoK8d4MXcrgL7XJaL3w6fVg",
    "flash_perpetuals": None,
    "gmsol_store": None,
}
"""File to address, None where the IDL says it."""


@dataclass(frozen=True)
class Protocol:
    """stream: how a test calls it."""

    stream: str
    program: str
    document: bytes
    encoder: Encoder

    def said(self, seed: int) -> list[tuple[str, dict[str, Any]]]:
        """(event, fields): each event of the IDL once."""
        values = MadeValues(self.encoder.idl, Random(f"{self.stream} {seed}"))
        return [(event.name, values.struct(event.type)) for event in self.encoder.idl.events]


def protocols() -> list[Protocol]:
    """All five; none where ../shared is absent."""
    found = []
    for file, address in ADDRESSES.items():
        path = IDLS / f"{file}.json"
        if path.is_file():
            document = path.read_bytes()
            encoder = Encoder(document)
            name = file.partition("_")[0]
            found.append(Protocol(name, address or encoder.address, document, encoder))
    return found
