"""Surfpool and localnet answer the same requests in the same shape, but for the differences named here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.surfpool.known import ANSWERS, NOTIFICATIONS, REQUESTS
from tests.surfpool.questions import SUBSCRIPTIONS, UNKNOWN, Seen, requests
from tests.surfpool.surfnet import Surfnet
from tests.surfpool.transcript import ACTS, Transcript, ask_localnet, ask_surfpool
from tests.surfpool.verdict import complaints

import heliograph_indexer


@pytest.fixture(scope="module")
def transcripts(runtime: Surfnet) -> tuple[Transcript, Transcript]:
    surfpool = asyncio.run(ask_surfpool(runtime))
    return surfpool, asyncio.run(ask_localnet(surfpool.records, runtime.payer))


def test_requests_are_answered_in_the_same_shape(transcripts: tuple[Transcript, Transcript]) -> None:
    surfpool, localnet = transcripts
    assert not (told := complaints(surfpool.answers, localnet.answers, REQUESTS)), "\n".join(told)


def test_subscriptions_are_answered_in_the_same_shape(transcripts: tuple[Transcript, Transcript]) -> None:
    surfpool, localnet = (transcript.heard.answers for transcript in transcripts)
    assert not (told := complaints(surfpool, localnet, ANSWERS)), "\n".join(told)


def test_notifications_have_the_same_shape(transcripts: tuple[Transcript, Transcript]) -> None:
    surfpool, localnet = _of_both(*(transcript.heard.notifications for transcript in transcripts))
    assert not (told := complaints(surfpool, localnet, NOTIFICATIONS)), "\n".join(told)


def test_ends_of_subscriptions_are_answered_in_the_same_shape(
    transcripts: tuple[Transcript, Transcript],
) -> None:
    surfpool, localnet = _of_both(*(transcript.heard.endings for transcript in transcripts))
    assert not (told := complaints(surfpool, localnet, ())), "\n".join(told)


def test_every_method_that_the_indexer_uses_is_asked() -> None:
    source = "".join(path.read_text() for path in Path(heliograph_indexer.__path__[0]).rglob("*.py"))
    methods = set(re.findall(r'"(get[A-Z]\w+)"', source))
    subscribed = {f"{name}Subscribe" for name in re.findall(r"\.([a-z]+)_subscribe\(", source)}
    assert {"getTransaction", "logsSubscribe"} <= methods | subscribed
    acts = ("create", *ACTS)
    seen = Seen(dict.fromkeys(acts, UNKNOWN), dict.fromkeys(acts, 1), empty=2, wire="")
    asked = {method for method, _ in requests(seen).values()}
    asked |= {subscription.method for subscription in SUBSCRIPTIONS.values()}
    assert methods | subscribed <= asked


def _of_both(
    surfpool: Mapping[str, object], localnet: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """What a cluster refused has neither notifications nor an end; the refusal itself is compared."""
    both = surfpool.keys() & localnet.keys()
    return {name: surfpool[name] for name in both}, {name: localnet[name] for name in both}
