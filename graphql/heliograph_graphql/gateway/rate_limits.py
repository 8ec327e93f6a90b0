"""Rate limits by key, by address where there is none, and by both where a wallet signed for the key."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from limits import RateLimitItemPerMinute

from heliograph_graphql.gateway.caller import Caller, Identity
from heliograph_graphql.gateway.rate_store import RateStore
from heliograph_graphql.gateway.refusal import RATE_LIMITED, Refusal
from heliograph_graphql.gateway.settings import GatewaySettings


class RateLimits:
    """Counts requests. Raises SettingsError for a storage that is none."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.store = RateStore(settings.rate_storage)
        self._settings = settings
        self._bad_keys = RateLimitItemPerMinute(settings.bad_keys_per_minute)

    def bounds(self, caller: Caller) -> bool:
        """Whether there is a limit to what the caller may ask."""
        return caller.key is not None or self._settings.address_requests_per_minute is not None

    async def spend(self, caller: Caller) -> tuple[Refusal | None, dict[str, str]]:
        """Counts one request: why it is refused, if it is, and the headers that tell what is left."""
        limits = [(who, RateLimitItemPerMinute(most)) for who, most in self._limits(caller)]
        if not limits:
            return None, {}
        if len(limits) > 1:
            # What one of them refuses must not be spent of the other.
            for who, item in limits:
                if not await self.store.has_room(item, who):
                    return await self._tell(who, item, admitted=False)
        told = [await self._tell(who, item, admitted=await self.store.hit(item, who)) for who, item in limits]
        return next(
            (each for each in told if each[0] is not None),
            min(told, key=lambda each: int(each[1]["ratelimit-remaining"])),
        )

    def _limits(self, caller: Caller) -> Iterator[tuple[Identity, int]]:
        """Requests a minute of each identity that has a limit."""
        for who in caller.identities:
            most = self._settings.address_requests_per_minute
            if who[0] == "key":
                assert caller.key is not None
                most = caller.key.requests_per_minute or self._settings.key_requests_per_minute
            if most is not None:
                yield who, most

    async def _tell(
        self, who: Identity, item: RateLimitItemPerMinute, *, admitted: bool
    ) -> tuple[Refusal | None, dict[str, str]]:
        window = await self.store.window(item, who)
        reset = max(1, math.ceil(window.reset_time - time.time()))
        headers = {
            "ratelimit-limit": str(item.amount),
            "ratelimit-remaining": str(max(0, window.remaining)),
            "ratelimit-reset": str(reset),
        }
        if admitted:
            return None, headers
        hint = "" if who[0] == "key" else ", or ask with an API key of the operator's"
        text = f"this {who[0]} may make {item.amount} requests a minute: wait {reset} s{hint}"
        return Refusal(text, RATE_LIMITED, 429, {**headers, "retry-after": str(reset)}), headers

    async def is_guessing(self, address: str) -> bool:
        """Whether the address has sent as much that is no key as it may."""
        return not await self.store.has_room(self._bad_keys, _bad(address))

    async def note_bad_key(self, address: str) -> Refusal | None:
        """Counts what was no key; a refusal where that was too much."""
        if await self.store.hit(self._bad_keys, _bad(address)):
            return None
        text = f"more than {self._settings.bad_keys_per_minute} requests a minute of this address had a key that is none: wait"
        return Refusal(text, RATE_LIMITED, 429, {"retry-after": "60"})


def _bad(address: str) -> Identity:
    return ("bad", address)
