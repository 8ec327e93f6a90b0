"""What each protocol's events mean: one file or folder a protocol, one line of registration."""

from __future__ import annotations

from collections.abc import Mapping

from heliograph_core.errors import SettingsError
from heliograph_indexer.protocol import Protocol
from heliograph_indexer.protocols.anchor import ANCHOR, AnyProgram
from heliograph_indexer.protocols.drift import Drift
from heliograph_indexer.protocols.godark import GoDark
from heliograph_indexer.protocols.jupiter import Jupiter
from heliograph_indexer.protocols.quantdesk import QuantDesk
from heliograph_sql.streams import StreamRow

__all__ = ["ANCHOR", "PROTOCOLS", "AnyProgram", "protocol_of"]

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol for protocol in (GoDark(), Drift(), Jupiter(), QuantDesk())
}
"""Name to protocol, as `heliograph stream add --protocol NAME` takes it. ANCHOR is any other program with an IDL."""


def protocol_of(stream: StreamRow) -> Protocol:
    """What gives the events of a stream their meaning. Raises SettingsError where this heliograph does not know it."""
    if stream.protocol == ANCHOR:
        return AnyProgram(stream.programs, log_events=stream.log_events)
    if stream.protocol not in PROTOCOLS:
        raise SettingsError(
            f"stream {stream.name!r} is of protocol {stream.protocol!r}, which this heliograph does not know "
            f"(it knows {', '.join(sorted(PROTOCOLS))} and {ANCHOR}): use the heliograph that added it"
        )
    return PROTOCOLS[stream.protocol]
