"""Answers that say of which slot they speak."""

from __future__ import annotations

from typing import Any, NamedTuple

API_VERSION = "4.0.2"
"""The Agave release whose answers localnet gives."""
FEATURE_SET = 3_294_202_862


class InContext(NamedTuple):
    """slot: the bank that answered."""

    slot: int
    value: object

    def json(self) -> dict[str, Any]:
        return {"context": {"apiVersion": API_VERSION, "slot": self.slot}, "value": self.value}
