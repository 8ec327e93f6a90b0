"""Settings of a localnet. Values only; nothing is read from the environment here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LocalnetSettings:
    """A cluster with a perps exchange on it; two with equal settings and equal calls hold the same bytes."""

    seed: int = 0
    """Makes every key, signature, price and order."""
    stream: str = "godark"
    """Name of the stream in the rows of `Localnet.truth()`."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 0
    """TCP port of JSON-RPC and WebSocket; 0 takes any free one."""
    slot_ms: int = 250
    """Milliseconds from slot to slot."""
    rate: float = 40.0
    """Transactions a second that the scenario aims at; prices, funding and liquidations are among them. 0: none."""
    traders: int = 400
    """How many wallets trade once all have arrived."""
    arrivals: float = 10.0
    """New traders a second, until `traders` are there."""
    symbols: tuple[str, ...] = ("SOL-PERP", "BTC-PERP", "ETH-PERP")
    """Markets that exist from the first slot on; a name outside the catalogue gets a plain market."""
    funding_interval_seconds: int = 3_600
    """How often positions settle their funding."""
    skip_probability: float = 0.02
    """Share of slots that make no block."""
    jump_probability: float = 0.03
    """Chance a second and market that its price jumps by some percent, which liquidates."""
    genesis_time: int = 1_790_000_000
    """Unix seconds of the first slot."""
    first_slot: int = 400_000_000
    """Number of the first slot."""
    confirmed_lag: int = 1
    """Slots until a block is confirmed."""
    finalized_lag: int = 32
    """Slots until a block is final."""
    retention_slots: int | None = None
    """Final slots of history that the node keeps; None keeps all."""
    keep_truth: bool = True
    """Whether `Localnet.truth()` can be asked, which takes memory for every transaction."""
