"""Drift's spot markets: which mint each index stands for, and its decimals, which no event tells.

An index never gets another mint. One that is not here costs the events that name it, as undecoded rows with an alarm: amounts
in unknown units would be wrong. Source: the markets of mainnet as the protocol's SDK lists them.
"""

from __future__ import annotations

from typing import NamedTuple


class SpotMarket(NamedTuple):
    """decimals: of the mint."""

    symbol: str
    mint: str
    decimals: int


_MARKETS = (
    SpotMarket("USDC", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", 6),
    SpotMarket("SOL", "So11111111111111111111111111111111111111112", 9),
    SpotMarket("mSOL", "mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So", 9),
    SpotMarket("wBTC", "3NZ9JMVBmGAqocybic2c7LQCJScmgsAZ6vQqTDzcqmJh", 8),
    SpotMarket("wETH", "7vfCXTUXx5WJV5JADk17DUJ4ksgau7utNKj4b963voxs", 8),
    SpotMarket("USDT", "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", 6),
    SpotMarket("jitoSOL", "J1toso1uCk3RLmjorhTtrVwY9HJ7X8V9yYac6Y7kGCPn", 9),
    SpotMarket("PYTH", "HZ1JovNiVvGrGNiiYvEozEVgZ58xaU3RKwX8eACQBCt3", 6),
    SpotMarket("bSOL", "bSo13r4TkiE4KumL71LsHTPpL2euBYLFx6h9HP3piy1", 9),
    SpotMarket("JTO", "jtojtomepa8beP8AuQc6eXt5FriJwfFMwQx2v2f9mCL", 9),
    SpotMarket("WIF", "EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm", 6),
    SpotMarket("JUP", "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN", 6),
    SpotMarket("RNDR", "rndrizKT3MK1iimdxRdWabcF7Zg7AR5T4nud4EkHBof", 8),
    SpotMarket("W", "85VBFQZC9TZkfaptBWjvUw7YbZjy52A6mjtPGjstQAmQ", 6),
    SpotMarket("TNSR", "TNSRxcUxoT9xBG3de7PiJyTDYu7kskLqcpddxnEJAS6", 9),
    SpotMarket("DRIFT", "DriFtupJYLTosbwoN8koMbEYSx54aFAVLddWsbksjwg7", 6),
    SpotMarket("INF", "5oVNBeEEQvYi1cX3ir8Dx5n1P7pdxydbGF2X4TxVusJm", 9),
    SpotMarket("dSOL", "Dso1bDeDjCQxTrWHqUUi63oBvV7Mdm6WaobLbQ7gnPQ", 9),
    SpotMarket("USDY", "A1KLoBrKBde8Ty9qtNQUtq3C2ortoC3u7twggz7sEto6", 6),
)
QUOTE_MARKET = _MARKETS[0]
"""What perp markets are quoted and settled in."""


def spot_market(index: int) -> SpotMarket:
    """Raises LookupError for one that is not known here."""
    if not 0 <= index < len(_MARKETS):
        raise LookupError(
            f"spot market {index} of Drift is not known here, and no event tells its decimals: add it to spot_markets.py"
        )
    return _MARKETS[index]
