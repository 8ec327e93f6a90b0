"""The outbox: bounded, in order, and it never loses a frame that it took."""

from __future__ import annotations

import asyncio

from heliograph_graphql.outbox import Outbox


async def test_frames_come_out_in_order() -> None:
    outbox = Outbox(most_messages=10, most_bytes=1000)
    assert all(outbox.offer(str(number)) for number in range(3))
    assert [await outbox.take() for _ in range(3)] == ["0", "1", "2"]


async def test_a_full_outbox_refuses_offers() -> None:
    outbox = Outbox(most_messages=2, most_bytes=1000)
    assert [outbox.offer("x") for _ in range(3)] == [True, True, False]
    await outbox.take()
    assert outbox.offer("x")


async def test_bytes_are_bounded_but_one_frame_always_fits() -> None:
    outbox = Outbox(most_messages=100, most_bytes=10)
    assert outbox.offer("x" * 50)
    assert not outbox.offer("x")


async def test_put_waits_for_room() -> None:
    outbox = Outbox(most_messages=1, most_bytes=1000)
    await outbox.put("a")
    putting = asyncio.create_task(outbox.put("b"))
    await asyncio.sleep(0)
    assert not putting.done()
    assert await outbox.take() == "a"
    await putting
    assert await outbox.take() == "b"


async def test_what_is_queued_is_taken_after_close() -> None:
    outbox = Outbox(most_messages=1, most_bytes=1000)
    outbox.offer("a")
    waiting = asyncio.create_task(outbox.put("late"))
    await asyncio.sleep(0)
    outbox.close()
    await waiting
    assert not outbox.offer("b")
    assert [await outbox.take(), await outbox.take()] == ["a", None]


async def test_close_wakes_who_waits_for_a_frame() -> None:
    outbox = Outbox(most_messages=1, most_bytes=1000)
    taking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.close()
    assert await taking is None


async def test_polling_takes_what_is_there_and_makes_room() -> None:
    outbox = Outbox(most_messages=1, most_bytes=1000)
    assert outbox.poll() is None
    assert outbox.offer("a") and not outbox.offer("b")
    assert outbox.poll() == "a"
    assert outbox.offer("b")
