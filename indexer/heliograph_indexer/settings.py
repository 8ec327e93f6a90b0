"""Settings of the indexer: frozen values, checked when they are made; nothing here reads a file or the environment."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, fields
from typing import Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

from heliograph_core.errors import SettingsError

Commitment = Literal["confirmed", "finalized"]

PUBLIC_REQUESTS_PER_SECOND = 10.0
"""What a public endpoint allows an address: 100 requests in 10 s (FACTS section 3)."""
PUBLIC_METHOD_REQUESTS_PER_SECOND = 4.0
"""What a public endpoint allows an address and method: 40 requests in 10 s (FACTS section 3)."""


@dataclass(frozen=True, kw_only=True)
class RpcSettings:
    """How requests to JSON-RPC endpoints are made. Rates hold for one host, other limits for one endpoint; each
    stream that a process indexes has its own."""

    deadline_s: float = 15.0
    """Seconds that one HTTP exchange may take from connecting to its last byte."""
    attempts: int = 5
    """How often one call is tried before its error is handed to the caller; 1 means no retry."""
    backoff_s: float = 0.1
    """Seconds before the second attempt; doubles with each further one, jittered."""
    backoff_max_s: float = 5.0
    """The longest wait between two attempts; a server's Retry-After may exceed it up to `retry_after_max_s`."""
    retry_after_max_s: float = 60.0
    """A server that asks for a longer wait than this is treated as unavailable at once."""
    concurrency: int = 8
    """HTTP exchanges under way at once."""
    batch_calls: int = 50
    """Calls in one JSON-RPC batch; lowered by itself when the endpoint answers 413 or 429 or takes no batches."""
    request_bytes: int = 50 * 1024
    """Largest request body; a stock node takes no more than 50 KiB."""
    requests_per_second: float | None = None
    """Calls a second, a batch counting each of its calls; 0 is no limit. None: no limit on loopback, 10 elsewhere."""
    method_requests_per_second: float | None = None
    """The same for each method by itself. None: no limit on loopback, 4 elsewhere."""
    burst: int = 40
    """Calls that may be made at once after a pause, where a rate limit is in force."""
    rest_s: float = 0.5
    """Seconds that an endpoint which failed is left alone where there are others; doubles up to `rest_max_s`."""
    rest_max_s: float = 30.0
    """The longest such rest; a server's Retry-After may exceed it."""
    health_interval_s: float = 5.0
    """Seconds between two looks at the health and slot of every endpoint, where there are several."""
    lag_slots: int = 64
    """An endpoint that is more slots behind the others than this is asked last."""

    def __post_init__(self) -> None:
        _require_positive(
            self,
            "deadline_s",
            "attempts",
            "backoff_s",
            "backoff_max_s",
            "concurrency",
            "batch_calls",
            "burst",
            "rest_s",
            "rest_max_s",
            "health_interval_s",
            "lag_slots",
        )
        if self.request_bytes < 1024:
            raise SettingsError(f"request_bytes is {self.request_bytes}: give at least 1024")


@dataclass(frozen=True, kw_only=True)
class HealSettings:
    """How gaps are filled: by the healer beside live indexing, and by a backfill on request."""

    order: Literal["newest", "oldest"] = "newest"
    """Which uncovered slots come first."""
    catch_up_slots: int = 128
    """A gap at the head of at most so many slots, as a restart leaves it, is caught up in order; 0: never."""
    piece_slots: int = 1_000
    """Slots that are claimed, fetched and then given up as one; two healers meet at such borders."""
    claim_ttl_s: float = 15.0
    """Seconds after which the claim of a healer that died may be taken over; prolonged at a third of them."""
    hand_transactions: int = 100
    """Transactions that are fetched and not committed yet, at most, but for the last slot of either half: what is fetched
    again after a kill. Half is committed while half is fetched; 1: one slot at a time."""
    batch_rows: int = 10_000
    """Rows after which a batch is committed."""
    batch_bytes: int = 16 * 1024 * 1024
    """Bytes of log lines and event data after which a batch is committed."""
    batch_age_s: float = 1.0
    """Seconds that a batch may wait for more before it is committed."""
    commits_at_once: int = 2
    """Commits that a backfill has under way at once, each on a connection of its own; the healer has one."""
    rate_share: float = 0.5
    """Part of the endpoint's rate limits that the healer may use beside live indexing, above 0 and up to 1."""
    concurrency: int = 2
    """HTTP exchanges that the healer has under way at once."""
    batch_calls: int = 25
    """Calls in one batch of the healer; the fewer, the shorter a live call waits behind it."""
    poll_s: float = 2.0
    """Seconds until gaps are looked for again where there is none, or where others have claimed them all."""
    refused_s: float = 60.0
    """Seconds until slots that the endpoint refused for good, as with pruned history, are asked for again."""

    def __post_init__(self) -> None:
        _require_positive(
            self, *(f.name for f in fields(self) if f.type in ("int", "float") and f.name != "catch_up_slots")
        )
        if self.catch_up_slots < 0:
            raise SettingsError(f"catch_up_slots is {self.catch_up_slots}: give 0 or more")
        if self.rate_share > 1:
            raise SettingsError(f"rate_share is {self.rate_share}: give a part above 0 and up to 1")


@dataclass(frozen=True, kw_only=True)
class IndexerSettings:
    """How one stream is indexed."""

    rpc_url: str
    """Address of the cluster's JSON-RPC endpoint, http or https."""
    rpc_urls: tuple[str, ...] = ()
    """Further endpoints of the same cluster, in order of preference: asked when the one before fails or lags."""
    ws_url: str | None = None
    """Address of its WebSocket. None: derived from rpc_url; with a port, the next one; without, the same host."""
    ws_urls: tuple[str, ...] = ()
    """Further WebSockets, tried in turn when the one before fails repeatedly. None: derived from each of rpc_urls."""
    rpc: RpcSettings = field(default_factory=RpcSettings)
    """Limits and patience of requests."""
    heal: HealSettings = field(default_factory=HealSettings)
    """How gaps are filled."""
    commitment: Commitment = "confirmed"
    """What counts as having happened. `processed` is not offered: it skips and repeats slots."""
    poll_interval_s: float = 1.0
    """Seconds after which the record is read although no notification came: the worst latency of a silent socket."""
    wake_on_slot: bool = False
    """Whether each new slot wakes the indexer too, so that coverage grows slot by slot where nothing happens."""
    log_cache: bool = False
    """Whether log lines that a notification brought may stand in for fetching the transaction. It saves calls, but where
    confirmed blocks are dropped and notifications go missing at once, lines of a dropped block can stay for good."""
    log_cache_transactions: int = 20_000
    """Transactions whose lines are kept until their slot is read; the oldest go first."""
    socket_silence_s: float = 15.0
    """Seconds without a notification of a slot after which the WebSocket is opened anew."""
    socket_failures: int = 3
    """Failures in a row of one WebSocket after which the next one is used, where there are several."""
    page_signatures: int = 1000
    """Rows of one getSignaturesForAddress page, 1..1000."""
    window_signatures: int = 50_000
    """Signatures a program held in memory while a long gap is paged; beyond, one a page is kept and paged again."""
    span_transactions: int = 500
    """Transactions after which a span is closed at the next end of slot: what one commit holds, more or less."""
    queue_spans: int = 4
    """Spans that wait between reading, decoding and writing, at each of the two places."""
    null_rounds: int = 8
    """How often a transaction that the node lists and does not return yet is asked for in one attempt."""
    retry_s: float = 0.25
    """Seconds before a failed read or write is tried again; doubles up to `retry_max_s`."""
    retry_max_s: float = 10.0
    """The longest pause between two tries."""
    retry_stuck_s: float = 60.0
    """The pause between two tries of a slot whose answers went on contradicting each other for a dozen tries."""
    finalize_interval_s: float = 2.0
    """Seconds between two looks at what became final: the record is listed once and compared with what is stored."""
    lease_ttl_s: float = 5.0
    """Seconds after which another process may take over from a leader that stopped renewing; renewed each second."""
    accounts: bool = True
    """Whether the programs' accounts are followed too."""
    account_batch_s: float = 0.25
    """Longest wait of an account change before it is committed."""
    account_batch_rows: int = 2_000
    """Account changes after which a commit is made without waiting."""
    account_queue: int = 20_000
    """Account changes that may wait; when more come, the stream is opened anew over a fresh snapshot."""
    reconcile_interval_s: float = 300.0
    """Seconds between full scans that find accounts which closed."""

    def __post_init__(self) -> None:
        ports = {
            name: [_split(url, name, ("http", "https")).port for url in urls]
            for name, urls in (("rpc_url", (self.rpc_url,)), ("rpc_urls", self.rpc_urls))
        }
        for url in () if self.ws_url is None else (self.ws_url,):
            _split(url, "ws_url", ("ws", "wss"))
        for url in self.ws_urls:
            _split(url, "ws_urls", ("ws", "wss"))
        derived = [("rpc_url", "ws_url", self.ws_url is None), ("rpc_urls", "ws_urls", not self.ws_urls)]
        for name, remedy, wanted in derived:
            if wanted and any(port is not None and port >= 65535 for port in ports[name]):
                raise SettingsError(
                    f"{name} has port 65535, which leaves no next port for the WebSocket: give {remedy}"
                )
        if not 1 <= self.page_signatures <= 1000:
            raise SettingsError(f"page_signatures is {self.page_signatures}: give 1 to 1000")
        numbers = [f.name for f in fields(self) if f.type in ("int", "float")]
        _require_positive(self, *numbers)

    @property
    def websocket_url(self) -> str:
        """ws_url, or what rpc_url implies: https becomes wss, host:port becomes host:port + 1."""
        return self.ws_url if self.ws_url is not None else derived_ws_url(self.rpc_url)

    @property
    def endpoint_urls(self) -> tuple[str, ...]:
        """rpc_url and rpc_urls, each once."""
        return tuple(dict.fromkeys((self.rpc_url, *self.rpc_urls)))

    def websockets_of(self, endpoint: str) -> frozenset[str]:
        """The WebSockets of the node that an endpoint is, which is given as shown_url() prints it."""
        if len(self.endpoint_urls) == 1:
            return frozenset(self.websocket_urls)
        sockets = [self.websocket_url, *(self.ws_urls or map(derived_ws_url, self.rpc_urls))]
        pairs = zip((self.rpc_url, *self.rpc_urls), sockets, strict=False)
        return frozenset(socket for url, socket in pairs if shown_url(url) == endpoint)

    @property
    def websocket_urls(self) -> tuple[str, ...]:
        """The WebSockets to use, in order of preference, each once."""
        others = self.ws_urls or tuple(derived_ws_url(url) for url in self.endpoint_urls[1:])
        return tuple(dict.fromkeys((self.websocket_url, *others)))


def derived_ws_url(rpc_url: str) -> str:
    """The WebSocket address that belongs to an RPC address by convention (a node serves it on the next port)."""
    parts = _split(rpc_url, "rpc_url", ("http", "https"))
    netloc = parts.netloc
    if parts.port is not None:
        netloc = f"{netloc.rpartition(':')[0]}:{parts.port + 1}"
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, netloc, parts.path, parts.query, ""))


def shown_url(url: str) -> str:
    """The address as it may be printed: without user, password, query, and without a path, which often is a key."""
    parts = urlsplit(url)
    try:
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        port = ""
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str, name: str, schemes: tuple[str, ...]) -> SplitResult:
    wanted = " or ".join(f"{scheme}://host:port" for scheme in schemes)
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        raise SettingsError(f"{name} {shown_url_or(url)!r} is no address: give {wanted}") from None
    if parts.scheme not in schemes or not parts.hostname or not port_ok:
        raise SettingsError(f"{name} {shown_url_or(url)!r} is no address: give {wanted}")
    return parts


def shown_url_or(url: str) -> str:
    """For messages about addresses that do not parse: what stands before a query, without user and password."""
    return url.partition("?")[0].rpartition("@")[2]


def _require_positive(settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if value <= 0:
            raise SettingsError(f"{name} is {value}: give a number above 0")
