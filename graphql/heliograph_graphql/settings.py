"""Settings of the API."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from heliograph_core.errors import SettingsError
from heliograph_graphql.gateway.settings import GatewaySettings


@dataclass(frozen=True)
class ApiSettings:
    """What the API allows. Durations are in seconds, sizes in bytes unless said otherwise."""

    statement_timeout_s: float = 5.0
    """How long one operation's statement may run before it is broken off with the code TIMEOUT."""
    operation_timeout_s: float = 15.0
    """How long one operation may take with all its statements and its wait for a connection."""
    min_slot_wait_s: float = 5.0
    """How long an operation with `@minSlot` waits for the slot before it is answered with the code SLOT_NOT_REACHED."""
    max_body_bytes: int = 1024 * 1024
    """Largest HTTP body and WebSocket message accepted."""
    max_operation_characters: int = 100_000
    """Longest text of an operation."""
    max_definitions: int = 100
    """Most operations and fragments in a text, and most variables of an operation."""
    max_introspections: int = 4
    """Most `__schema`, `__type` and `eventTypes` fields in a text."""
    max_tokens: int = 4000
    """Largest number of lexical tokens in an operation's text."""
    max_depth: int = 15
    """Deepest nesting of fields."""
    max_aliases: int = 100
    """Most aliases in an operation."""
    max_fields: int = 1000
    """Most fields that an operation may select once its fragments are spread."""
    max_first: int = 1000
    """Largest page."""
    max_rows: int = 200_000
    """Most rows that an operation may ask for: the product of `first` along each nesting, summed."""
    max_aggregated: int = 1_000_000
    """Most rows that one aggregate is made of; where more match it is refused."""
    max_folded: int = 20_000
    """Most changes of positions that one `asOf` folds; where it would take more it is refused."""
    max_conditions: int = 500
    """Most comparisons in an operation's filters."""
    max_variable_values: int = 5000
    """Most values in an operation's variables, what lists and objects hold counted one by one."""
    max_variable_depth: int = 20
    """Deepest nesting of lists and objects in them."""
    max_variable_characters: int = 200_000
    """Most characters of text in them."""
    operations_cached: int = 1000
    """How many operation texts stay parsed and validated."""
    plans_cached: int = 4000
    """How many compiled statements stay cached."""
    response_cache: bool = True
    """Whether answers are kept as long as no commit changes them."""
    response_cache_bytes: int = 64 * 1024 * 1024
    """How much of them is kept."""
    rest_max_age_s: float = 86_400.0
    """How long REST lets clients keep an answer about a range of slots that is bounded, covered and final."""
    introspection: bool = True
    """Whether clients may ask for the schema."""
    explorer: bool = True
    """Whether a browser that opens /graphql gets the query page."""
    allowed_origins: tuple[str, ...] = ("*",)
    """Origins that browsers may call from (CORS); `*` is any."""
    subscriptions_per_connection: int = 100
    """Most subscriptions on one WebSocket connection."""
    signatures_per_subscription: int = 100
    """Most transactions that one `transactionStatus` follows."""
    signatures_followed: int = 10_000
    """Most transactions that all `transactionStatus` of one process follow at the same time."""
    queue_messages: int = 1000
    """Messages that may wait for one WebSocket client; one more and it is closed as too slow."""
    queue_bytes: int = 16 * 1024 * 1024
    """Bytes that may wait for one WebSocket client; one message may exceed it."""
    send_timeout_s: float = 30.0
    """How long a WebSocket client may take to accept one message."""
    init_timeout_s: float = 10.0
    """How long a WebSocket client may take to say connection_init."""
    keep_alive_s: float = 15.0
    """How long a client that is sent events over HTTP hears nothing before it gets a comment, so that no proxy ends it."""
    message_rows: int = 1000
    """Most rows in one subscription message; a larger commit is sent in several."""
    message_objects: int = 10_000
    """Most objects in the first message of a subscription to positions, markets or balances; where more match it is refused."""
    renders_at_once: int = 4
    """How many messages are read from the database at the same time, live ones and replayed ones each."""
    schema_refresh_s: float = 5.0
    """How often it is looked whether a stream or an IDL has brought events that the schema has no types for."""
    poll_interval_s: float = 1.0
    """How often the commit log is read without having been notified."""
    ready_lag_s: float = 60.0
    """Age of the last block that is in, beyond which /ready says no."""
    ready_unindexed: bool = False
    """Whether /ready says yes although nobody indexes: for an API over a database that is only read."""
    tail_window: int = 1000
    """How many recent commits a stream are kept in memory for subscribers that are a little behind."""
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    """Who may ask, and how often."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 0:
                raise SettingsError(f"{item.name} is {value}: set a number above 0")
