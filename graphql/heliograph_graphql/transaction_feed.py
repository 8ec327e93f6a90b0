"""The subscription `transactionStatus`: what of each signature's standing a client selected, as finished text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

import orjson
from solders.signature import Signature

from heliograph_graphql.failures import BAD_INPUT, refuse, too_complex
from heliograph_graphql.hub import EndingFeed, Receiver
from heliograph_graphql.message import MessageItem
from heliograph_graphql.plan import read
from heliograph_graphql.transaction_state import MESSAGE, STATUS, Standing, StatusPlan
from heliograph_graphql.transaction_watch import TransactionWatch


class TransactionFeed(EndingFeed):
    """One subscription."""

    def __init__(
        self, plan: StatusPlan, variables: Mapping[str, object], watch: TransactionWatch, most: int
    ) -> None:
        """most: signatures. Raises GraphQLError, RequestError for what is no list of signatures."""
        self._plan = plan
        self._watch = watch
        self._signatures = _signatures(read(plan.signatures, variables), most)
        streams = None if plan.streams is None else read(plan.streams, variables)
        self._streams = frozenset(map(str, streams)) if isinstance(streams, list) else None

    async def tell(self, receiver: Receiver) -> None:
        told: dict[str, Standing] = {}
        async with aclosing(self._watch.follow(self._signatures, self._streams)) as changes:
            async for news in changes:
                nodes = [(name, now, now.takes_back(told.get(name))) for name, now in news.items()]
                payload = self._text(nodes, snapshot=not told)
                told.update(news)
                await receiver.put(payload, None)

    def _text(self, nodes: Sequence[tuple[str, Standing, bool]], *, snapshot: bool) -> str:
        message: dict[str, Any] = {}
        for item in self._plan.items:
            if item.name == "nodes":
                message[item.key] = [_node(item, *node) for node in nodes]
            else:
                message[item.key] = snapshot if item.name == "snapshot" else MESSAGE
        return orjson.dumps({"data": {self._plan.key: message}}).decode()


def _node(item: MessageItem, signature: str, now: Standing, correction: bool) -> dict[str, Any]:
    landing = now.landing
    values: dict[str, Any] = {
        "__typename": STATUS.name,
        "signature": signature,
        "status": now.state.upper(),
        "final": now.final,
        "correction": correction,
    }
    if landing is not None:
        values |= {
            "stream": landing.stream,
            "slot": str(landing.slot),
            "blockTime": landing.block_time,
            "txIndex": landing.tx_index,
            "err": None if landing.err is None else orjson.Fragment(landing.err),
            "errName": landing.err_name,
        }
    return {key: values.get(name) for key, name in item.members}


def _signatures(given: object, most: int) -> tuple[str, ...]:
    texts = [str(each) for each in given] if isinstance(given, list) else [str(given)]
    if not texts:
        raise refuse("signatures is empty: name the transactions to follow", BAD_INPUT)
    if len(texts) > most:
        raise too_complex(f"signatures has {len(texts)} entries, {most} are allowed: subscribe several times")
    for text in texts:
        try:
            Signature.from_string(text)
        except ValueError:
            raise refuse(
                f"{text[:100]!r} is no signature: pass the 64 bytes in base58, as sendTransaction returns them",
                BAD_INPUT,
            ) from None
    return tuple(dict.fromkeys(texts))
