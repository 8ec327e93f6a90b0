"""Several endpoints of one cluster behind one face: calls go to a healthy one and fail over as the error asks.

Two ways to use it. As it is, each call may be answered by any endpoint. A Pin stays on one endpoint until it is
moved: for a proof, whose questions must all be answered by the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog

from heliograph_core.errors import RpcError, RpcRefused, RpcUnavailable
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.client import Call, RpcClient
from heliograph_indexer.rpc.counters import RpcCounters
from heliograph_indexer.rpc.faults import Remedy, remedy
from heliograph_indexer.rpc.health import Health
from heliograph_indexer.rpc.limits import HostLimits
from heliograph_indexer.rpc.outcome import better, is_worth_another, slot_of
from heliograph_indexer.settings import RpcSettings

T = TypeVar("T")

OPTIONAL = frozenset({"getAgGenesisCert"})
"""Methods that many endpoints rightly do not know: a refusal is an answer, and nothing is wrong with the endpoint."""

_STR: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)

_log = structlog.get_logger(__name__)


class _Member:
    """One endpoint of the pool. vetted: it is known to be of the pool's cluster."""

    def __init__(self, client: RpcClient, settings: RpcSettings) -> None:
        self.client = client
        self.health = Health(settings.rest_s, settings.rest_max_s)
        self.vetted = False


class Pool:
    """Endpoints in order of preference: the first that is well and whose limits allow a call at once is asked.

    Endpoints of another cluster than the first that answered are never used. `watch()` runs beside it where there
    are several, and finds out who lags; without it only failing calls tell.
    """

    def __init__(self, clients: Sequence[RpcClient], settings: RpcSettings | None = None) -> None:
        """clients: at least one; the pool closes them."""
        self._settings = settings or RpcSettings()
        self._members = [_Member(client, self._settings) for client in clients]
        self._genesis: tuple[str, str] | None = None
        self._bound = False
        self.counters = clients[0].counters
        """Calls of all endpoints, where open() made them."""

    @classmethod
    def open(cls, urls: Sequence[str], settings: RpcSettings) -> Self:
        """One client an address; those of one host share its limits. Opens no connection yet."""
        counters = RpcCounters()
        limits: dict[str, HostLimits] = {}
        clients = []
        for url in urls:
            host = urlsplit(url).hostname or url
            shared = limits.setdefault(host, HostLimits(url, settings))
            clients.append(RpcClient(url, settings, limits=shared, counters=counters))
        return cls(clients, settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes all connections; what is under way fails."""
        for member in self._members:
            await member.client.close()

    @property
    def endpoint(self) -> str:
        """All endpoints, as they may be printed."""
        return ", ".join(member.client.endpoint for member in self._members)

    @property
    def trouble(self) -> str | None:
        """Which endpoint is ill and why, None where all are well."""
        told = []
        for member in self._members:
            if member.health.trouble is not None:
                told.append(member.health.trouble)
            elif len(self._members) > 1:
                told += [str(error) for error in list(member.health.refusals.values())[:1]]
        return "; ".join(told) or None

    def bind(self, genesis: str, owner: str) -> None:
        """From here on only endpoints of the cluster with this genesis hash are used. owner: whose cluster that is."""
        self._genesis = (genesis, owner)
        self._bound = True
        for member in self._members:
            member.vetted = False
            member.health.foreign = None

    def doubt(self) -> None:
        """Something suggests that another node answers now: a bound pool asks each endpoint for its cluster again."""
        if self._bound:
            for member in self._members:
                member.vetted = False

    async def check(self) -> None:
        """Asks every endpoint which cluster it is of. Raises RpcRefused where all are of another one.

        One that does not answer is asked again before it is used.
        """
        await asyncio.gather(*(self._vetted(member) for member in self._members))
        foreign = [member.health.foreign for member in self._members]
        if all(foreign):
            assert foreign[0] is not None
            raise foreign[0]

    def pin(self) -> Pin:
        """One endpoint, the best one now."""
        best = self._best(())
        assert best is not None
        return Pin(self, best)

    def pins(self) -> list[Pin]:
        """Each endpoint of the cluster by itself, in order of preference."""
        return [Pin(self, member) for member in self._members if member.health.foreign is None]

    async def call(
        self,
        method: str,
        *params: Any,
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None] = (),
    ) -> T:
        """One call, answered by any endpoint. Raises RpcError where none does."""
        outcome = (await self.batch([Call(method, params)], decoder=decoder, give_back=give_back))[0]
        if isinstance(outcome, RpcError):
            raise outcome
        return outcome

    async def batch(
        self,
        calls: Sequence[Call],
        *,
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None] = (),
    ) -> list[T | RpcError]:
        """Many calls, each answered by any endpoint; what one cannot answer is asked of the next, each once.

        A null of NULL_IS_NOT_YET is asked elsewhere too, and is the result where nobody knows better.
        """
        results: dict[int, T | RpcError] = {}
        pending = list(range(len(calls)))
        asked: set[_Member] = set()
        while pending:
            member = self._best(asked, [calls[i] for i in pending])
            if member is None:
                break
            asked.add(member)
            chosen = [i for i in pending if self._may(member, calls[i])]
            if not chosen:
                # It refused such calls for good; whoever did not has been asked.
                continue
            others = len(asked) < len(self._members)
            outcomes = await self._ask(member, [calls[i] for i in chosen], decoder, give_back, hurried=others)
            for i, outcome in zip(chosen, outcomes, strict=True):
                results[i] = outcome if i not in results else better(results[i], outcome)
            pending = [
                i for i in pending if i not in results or is_worth_another(calls[i], results[i], give_back)
            ]
        return [results[i] for i in range(len(calls))]

    async def watch(self) -> None:
        """Until cancelled: asks every endpoint for its health and slot now and then. Ends at once for one endpoint."""
        while len(self._members) > 1:
            await self.probe()
            await asyncio.sleep(self._settings.health_interval_s)

    async def probe(self) -> None:
        """One round: who is unhealthy or more than `lag_slots` behind the others is used last until the next round."""
        slots = await asyncio.gather(*(self._probed(member) for member in self._members))
        newest = max(slots)
        for member, slot in zip(self._members, slots, strict=True):
            behind = newest - slot
            if slot >= 0 and behind > self._settings.lag_slots and member.health.unwell is None:
                member.health.unwell = f"{member.client.endpoint} is {behind} slots behind other endpoints"

    async def _probed(self, member: _Member) -> int:
        """Its slot, -1 where it did not tell."""
        if not await self._vetted(member):
            return -1
        calls = [Call("getHealth"), Call("getSlot", ({"commitment": "confirmed"},))]
        health, slot = await member.client.batch(calls, decoder=_ANY, attempts=1)
        # A gateway need not know getHealth; a node that is behind says so.
        sick = isinstance(health, RpcError) and health.retry
        member.health.unwell = str(health) if sick else None
        now = asyncio.get_running_loop().time()
        if isinstance(slot, RpcError):
            member.health.failed("getSlot", slot, now)
            return -1
        member.health.answered()
        return slot if isinstance(slot, int) else -1

    async def _ask(
        self,
        member: _Member,
        calls: Sequence[Call],
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None],
        *,
        hurried: bool,
    ) -> list[T | RpcError]:
        """hurried: another endpoint may be asked, so that errors which ask for one are not retried here."""
        if not await self._vetted(member):
            why = member.health.foreign or RpcUnavailable(
                member.health.trouble or "the endpoint is not reached"
            )
            return [why] * len(calls)
        back = {*give_back, *faults.MOVING} if hurried else give_back
        trouble = member.health.trouble
        outcomes = await member.client.batch(calls, decoder=decoder, give_back=back)
        now = asyncio.get_running_loop().time()
        for call, outcome in zip(calls, outcomes, strict=True):
            if not isinstance(outcome, RpcError):
                member.health.answered()
            elif remedy(outcome) is Remedy.NEVER:
                if call.method not in OPTIONAL:
                    member.health.failed(call.method, outcome, now, slot=slot_of(call))
            elif outcome.code not in give_back:
                member.health.failed(call.method, outcome, now, slot=slot_of(call))
        if any(isinstance(outcome, RpcError) and outcome.code is None for outcome in outcomes):
            # What answers at that address after an outage may be another cluster.
            member.vetted = member.vetted and not self._bound
        _log_turn(member, trouble)
        return outcomes

    async def _vetted(self, member: _Member) -> bool:
        """Whether the endpoint is of the pool's cluster; asked once, and of a bound pool after each outage."""
        if member.vetted or (len(self._members) == 1 and not self._bound):
            return True
        if member.health.foreign is not None:
            return False
        try:
            # Where there is no other endpoint to move to, this one is worth the usual tries.
            back = faults.MOVING if len(self._members) > 1 else ()
            genesis = await member.client.call("getGenesisHash", decoder=_STR, give_back=back)
        except RpcUnavailable as error:
            member.health.failed("getGenesisHash", error, asyncio.get_running_loop().time())
            return False
        except RpcRefused as error:
            _log.warning("cluster_not_checked", rpc=member.client.endpoint, why=str(error))
            member.vetted = True
            return True
        known = self._genesis
        if known is None:
            self._genesis = known = (genesis, member.client.endpoint)
        if known[0] != genesis:
            member.health.foreign = RpcRefused(
                f"{member.client.endpoint} is of another cluster than {known[1]} (genesis hash {genesis}, "
                f"not {known[0]}): {self._remedy_of_foreign()}"
            )
            _log.error("foreign_endpoint", rpc=member.client.endpoint, why=str(member.health.foreign))
            return False
        member.vetted = True
        return True

    def _remedy_of_foreign(self) -> str:
        if len(self._members) > 1:
            return "it is not used; remove it from rpc.urls"
        return (
            "name an endpoint of that cluster, or index this one as another stream or into another database"
        )

    def _best(self, without: Collection[_Member], calls: Sequence[Call] = ()) -> _Member | None:
        """The endpoint to ask; where all have refused such calls for good, one of them, for it may have changed."""
        left = [m for m in self._members if m not in without and m.health.foreign is None]
        if not left and not without:
            left = self._members
        able = [m for m in left if not calls or any(self._may(m, call) for call in calls)]
        if not left:
            return None
        now = asyncio.get_running_loop().time()
        methods = [call.method for call in calls]
        return min(able or left, key=lambda m: (m.health.ill(now), m.client.limits.wait_s(methods)))

    def _may(self, member: _Member, call: Call) -> bool:
        slot = slot_of(call)
        if member.health.refusal(call.method, slot) is None:
            return True
        others = [each for each in self._members if each.health.foreign is None]
        return all(each.health.refusal(call.method, slot) is not None for each in others)


class Pin:
    """A Caller that asks one endpoint, until fail() or leave_if_ill() moves it.

    An errand is what the caller wants done on one endpoint; settled() ends it.
    """

    def __init__(self, pool: Pool, member: _Member) -> None:
        self._pool = pool
        self._member = member
        self._errors: dict[_Member, RpcError] = {}
        self.exhausted = False
        """Whether every endpoint has failed at this errand before, and it began anew."""

    @property
    def endpoint(self) -> str:
        """The endpoint that is asked now, as it may be printed."""
        return self._member.client.endpoint

    @property
    def last_resort(self) -> bool:
        """Whether every other endpoint has failed at this errand."""
        return self._untried() is None

    @property
    def ill(self) -> bool:
        """Whether the endpoint failed lately, lags or is unhealthy."""
        return self._member.health.ill(asyncio.get_running_loop().time())

    @property
    def refused(self) -> RpcError | None:
        """An error of the errand where no endpoint left any hope, None otherwise.

        A signature to page by that one does not know leaves hope: paging begins anew by another.
        """
        errors = list(self._errors.values())
        hope = any(error.retry or error.code == faults.UNKNOWN_CURSOR for error in errors)
        return None if not errors or hope else errors[0]

    async def call(
        self,
        method: str,
        *params: Any,
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None] = (),
    ) -> T:
        """One call."""
        outcome = (await self.batch([Call(method, params)], decoder=decoder, give_back=give_back))[0]
        if isinstance(outcome, RpcError):
            raise outcome
        return outcome

    async def batch(
        self,
        calls: Sequence[Call],
        *,
        decoder: msgspec.json.Decoder[T],
        give_back: Collection[int | None] = (),
    ) -> list[T | RpcError]:
        """Many calls. Errors that ask for another endpoint are not retried where there is one to move to."""
        return await self._pool._ask(self._member, calls, decoder, give_back, hurried=not self.last_resort)

    def fail(self, error: RpcError) -> bool:
        """The errand failed here: moves to the best endpoint that has not failed at it.

        False where none is left; the errand then begins anew, on whichever endpoint is best.
        """
        self._errors[self._member] = error
        other = self._untried()
        if other is None:
            return False
        _log.warning("endpoint_left", rpc=self.endpoint, to=other.client.endpoint, why=str(error))
        self._member = other
        return True

    def begin_anew(self) -> bool:
        """Every endpoint failed: all may be tried again. Whether this moved it."""
        self._errors.clear()
        self.exhausted = True
        return self._move_to(self._pool._best(()))

    def settled(self) -> None:
        """The errand is done."""
        self._errors.clear()
        self.exhausted = False

    def leave_if_ill(self) -> bool:
        """Moves to an endpoint that is well, where this one is not. Whether it moved."""
        if not self.ill:
            return False
        now = asyncio.get_running_loop().time()
        best = self._pool._best(())
        if best is None or best.health.ill(now) or not self._move_to(best):
            return False
        if best in self._errors:
            # Who is left could not even be asked: between the two of them the errand would go round for ever.
            self._errors.clear()
            self.exhausted = True
        return True

    def _untried(self) -> _Member | None:
        return self._pool._best({*self._errors, self._member})

    def _move_to(self, member: _Member | None) -> bool:
        if member is None or member is self._member:
            return False
        _log.info("endpoint_left", rpc=self.endpoint, to=member.client.endpoint)
        self._member = member
        return True


def _log_turn(member: _Member, before: str | None) -> None:
    """One line when an endpoint falls ill, one when it is well again."""
    trouble = member.health.trouble
    if before is None and trouble is not None:
        _log.warning("endpoint_ill", rpc=member.client.endpoint, why=trouble)
    elif before is not None and trouble is None:
        _log.info("endpoint_well", rpc=member.client.endpoint)
