"""Drift v2."""

from heliograph_indexer.protocols.drift.protocol import Drift
from heliograph_indexer.protocols.drift.units import PROGRAM

__all__ = ["PROGRAM", "Drift"]
