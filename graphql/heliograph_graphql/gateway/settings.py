"""Settings of the gateway."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from heliograph_core.errors import SettingsError

_DAY_S = 86_400


@dataclass(frozen=True)
class GatewaySettings:
    """Who may ask, and how often. Durations are in seconds, sizes in bytes unless said otherwise."""

    require_key: bool = False
    """Whether /graphql and /api answer only those who send an API key (`heliograph key add`)."""
    address_requests_per_minute: int | None = None
    """Requests a minute that one address may make without a key or with keys of wallets, an IPv6 network of 64 bits being one;
    nothing: any number."""
    key_requests_per_minute: int | None = None
    """Requests a minute of each key that has no limit of its own; nothing: any number."""
    requests_at_once: int | None = None
    """Requests for data that one key, or one address without a key, may have under way, by whichever protocol; nothing: any number."""
    bad_keys_per_minute: int = 60
    """Requests with a key that is none, a minute and address; with more of them the address waits. Good keys are not held up."""
    rate_storage: str = "async+memory://"
    """Where requests are counted, as the library `limits` names it; several replicas share `async+redis://host`. While it is away
    each replica counts by itself."""
    key_cache_s: float = 5.0
    """How long a key is known without asking the database: a revoked one is refused after that."""
    sign_in_domains: tuple[str, ...] = ()
    """Domains of frontends whose users may get a key by signing a message with their wallet (Sign-In with Solana); none: nobody."""
    sign_in_s: float = 300.0
    """How long a message to sign is good for; a day at most, since a day is for how long those that were used are remembered."""
    sign_in_key_days: int = 30
    """For how many days a key that a wallet signed for is good."""
    allowed_operations: Path | None = None
    """A JSON file of operations by their id, as graphql-codegen writes it; then no other operation is run."""
    persisted_operations: int = 1000
    """How many operations that clients named by their hash (APQ) are remembered."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose X-Forwarded-For is believed."""
    access_log: bool = True
    """Whether each request is a line of the log."""
    compression: bool = True
    """Whether answers are compressed for those who accept it."""
    compressed_bytes: int = 2048
    """Size from which they are."""
    body_timeout_s: float = 10.0
    """How long a client may take to send a request's body."""
    head_timeout_s: float = 10.0
    """How long a new connection may take to send its first request's head."""
    silent_connections: int = 1000
    """Connections that have not sent a request yet; with one more, the one that is silent longest is closed."""
    connections: int = 10_000
    """Connections at a time; further ones are closed at once."""
    live_connections: int = 5000
    """WebSockets and event streams at a time."""
    live_connections_per_caller: int | None = None
    """The same of one key, or of one address without a key; nothing: any number."""
    write_timeout_s: float = 30.0
    """How long an HTTP client may take nothing of its answer before the connection is cut."""
    drain_s: float = 5.0
    """How long requests under way may take when the server stops."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 0:
                raise SettingsError(f"{item.name} is {value}: set a number above 0")
        if self.sign_in_s > _DAY_S:
            raise SettingsError(f"sign_in_s is {self.sign_in_s}: set {_DAY_S} at most")
