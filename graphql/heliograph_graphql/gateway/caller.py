"""Who asks: an address, and a key where one was sent. Set by the middleware of keys, read by those behind it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from starlette.types import Scope

from heliograph_sql.keys import Key

_SCOPE = "heliograph.caller"
_NOWHERE = "unknown"

Identity = tuple[str, str]
"""("key" or "address", which one)."""


@dataclass
class Caller:
    """address: an IPv4 address or an IPv6 network, as limits count them."""

    address: str
    key: Key | None = None

    @property
    def identities(self) -> tuple[Identity, ...]:
        """What limits count by, each for itself.

        Anybody may have any number of wallets: whoever has a wallet's key is counted by the address too.
        """
        address = ("address", self.address)
        if self.key is None:
            return (address,)
        key = ("key", self.key.id)
        return (key,) if self.key.wallet is None else (key, address)


def address_of(scope: Scope) -> str:
    """The address that the connection came from. Whoever has one IPv6 address has 2^64 of them: they are one here."""
    client = scope.get("client")
    return _NOWHERE if client is None else _counted_as(client[0])


# A connection's requests come one behind the other.
@lru_cache(maxsize=4096)
def _counted_as(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _NOWHERE
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def caller_of(scope: Scope) -> Caller:
    """Who asks. Without the middleware of keys: the address alone."""
    found: Any = scope.get(_SCOPE)
    if found is None:
        found = scope[_SCOPE] = Caller(address_of(scope))
    assert isinstance(found, Caller)
    return found
