"""What waits to be sent to one WebSocket client: bounded in messages and bytes, sent by one task."""

from __future__ import annotations

import asyncio
from collections import deque


class Outbox:
    """A queue of text frames. offer() never waits and says whether there was room; put() waits for room."""

    def __init__(self, *, most_messages: int, most_bytes: int) -> None:
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._frames: deque[str] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.closed = False

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def full(self) -> bool:
        return len(self._frames) >= self._most_messages or self._bytes >= self._most_bytes

    def offer(self, frame: str) -> bool:
        """Queues the frame, or returns False where there is no room or nobody sends any more."""
        if self.closed or self.full:
            return False
        self.force(frame)
        return True

    def force(self, frame: str) -> None:
        """Queues the frame whether there is room or not: for the last words of a connection."""
        self._frames.append(frame)
        self._bytes += len(frame)
        self._filled.set()
        if self.full:
            self._room.clear()

    async def put(self, frame: str) -> None:
        """Queues the frame once there is room; drops it where nobody sends any more."""
        while self.full and not self.closed:
            await self._room.wait()
        if not self.closed:
            self.force(frame)

    def close(self) -> None:
        """Nothing is queued any more; take() returns what is left, then None."""
        self.closed = True
        self._filled.set()
        self._room.set()

    async def take(self) -> str | None:
        """The next frame, None once closed and empty."""
        while not self._frames:
            if self.closed:
                return None
            self._filled.clear()
            await self._filled.wait()
        return self.poll()

    def poll(self) -> str | None:
        """The next frame, None where there is none now."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        if not self.full:
            self._room.set()
        return frame
