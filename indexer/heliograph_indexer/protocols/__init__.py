"""What each protocol's events mean: one file a protocol, one line of registration."""

from __future__ import annotations

from collections.abc import Mapping

from heliograph_indexer.protocol import Protocol
from heliograph_indexer.protocols.godark import GoDark

PROTOCOLS: Mapping[str, Protocol] = {protocol.name: protocol for protocol in (GoDark(),)}
"""Name to protocol, as `heliograph stream add --protocol NAME` takes it."""
