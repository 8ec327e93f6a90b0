"""What a response consists of leaves with one write."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from heliograph_graphql.gateway.one_write import GatheringTransport


class Recording:
    """A transport that notes what is asked of it."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def write(self, data: bytes) -> None:
        self.seen.append(data)

    def close(self) -> None:
        self.seen.append("close")

    def is_closing(self) -> bool:
        self.seen.append("is_closing")
        return False


def make() -> tuple[Recording, Any]:
    recording = Recording()
    return recording, GatheringTransport(cast(asyncio.Transport, recording))


async def test_writes_of_one_turn_leave_together_and_in_order() -> None:
    recording, transport = make()
    transport.write(b"head ")
    transport.write(b"body")
    assert recording.seen == []
    await asyncio.sleep(0)
    transport.write(b"next")
    await asyncio.sleep(0)
    assert recording.seen == [b"head body", b"next"]


async def test_closing_sends_what_waits_first() -> None:
    recording, transport = make()
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert recording.seen == [b"last words", "close"]


async def test_nothing_overtakes_what_waits() -> None:
    recording, transport = make()
    transport.write(b"101 Switching Protocols")
    assert transport.is_closing() is False
    assert recording.seen == [b"101 Switching Protocols", "is_closing"]
