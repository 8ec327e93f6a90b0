"""All settings of the command, read once at start: options over environment over heliograph.toml over defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heliograph_cli.sections import REQUIRED, Key, keys_of, read_section, refuse_unknown, variable_name
from heliograph_core.errors import SettingsError
from heliograph_graphql.gateway.settings import GatewaySettings
from heliograph_graphql.settings import ApiSettings
from heliograph_indexer.settings import HealSettings, IndexerSettings, RpcSettings
from heliograph_sql.settings import DatabaseSettings, RollupSettings, StorageSettings

FILE = "heliograph.toml"

_CLUSTER = {"url": "rpc_url", "urls": "rpc_urls", "ws_url": "ws_url", "ws_urls": "ws_urls"}
"""Keys of [rpc] that say which cluster it is, and the indexer's settings that they become."""


@dataclass(frozen=True, kw_only=True)
class ListenSettings:
    """Where the API is served."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for every interface."""
    port: int = 8000
    """Port to listen on; 0 for any free one."""


@dataclass(frozen=True, kw_only=True)
class MetricsSettings:
    """Where /metrics is served by a process that serves no API."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for every interface."""
    port: int | None = None
    """Port to listen on, 0 for any free one; nothing: it is not served."""


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """One stream that `up` and `index` add to the database when it is not there yet."""

    protocol: str
    """Name of the protocol that gives the programs' events their meaning; `anchor` is any program with an IDL."""
    programs: tuple[str, ...] = ()
    """Addresses of the programs; none: those where the protocol is deployed."""
    first_slot: int | None = None
    """First slot to be complete from; nothing: the slot at which the stream is added."""
    idls: tuple[str, ...] = ()
    """Files of the programs' IDLs, each FILE or ADDRESS=FILE; of `anchor` programs without one it is fetched from the chain."""
    log_events: bool = False
    """Take text behind `Program log:` for events too, where it is one in base64; `anchor` only."""
    instructions: bool = False
    """Store instructions in tables too. Every transaction is fetched then."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a command may need."""

    database: DatabaseSettings
    storage: StorageSettings
    listen: ListenSettings
    api: ApiSettings
    metrics: MetricsSettings
    indexer: IndexerSettings | None
    """None where no cluster is named, which `indexing()` turns into an error that says how to name one."""
    streams: Mapping[str, StreamSettings] = field(default_factory=dict)
    rollup: RollupSettings = field(default_factory=RollupSettings)

    def indexing(self) -> IndexerSettings:
        """Raises SettingsError where no cluster is named."""
        if self.indexer is None:
            raise SettingsError(
                f'no cluster is named: put rpc = "https://…" into {FILE}, set HELIOGRAPH_RPC_URL or pass --rpc'
            )
        return self.indexer


def sections() -> dict[str, tuple[Key, ...]]:
    """Section name to its keys; `streams.NAME` stands for the tables of that shape."""
    url, urls, ws_url, ws_urls = keys_of(IndexerSettings, *_CLUSTER.values())
    return {
        "rpc": (
            Key("url", str | None, None, url.meaning),
            Key("urls", urls.wanted, urls.default, urls.meaning),
            ws_url,
            ws_urls,
            *keys_of(RpcSettings),
        ),
        "database": keys_of(DatabaseSettings),
        "storage": keys_of(StorageSettings),
        "api": (*keys_of(ListenSettings), *keys_of(ApiSettings, without=("gateway",))),
        "gateway": keys_of(GatewaySettings),
        "indexer": keys_of(IndexerSettings, without=(*_CLUSTER.values(), "rpc", "heal")),
        "heal": keys_of(HealSettings),
        "metrics": keys_of(MetricsSettings),
        "rollup": keys_of(RollupSettings),
        "streams.NAME": keys_of(StreamSettings),
    }


def load(
    *,
    file: Path | None,
    environment: Mapping[str, str],
    options: Mapping[str, Mapping[str, object]] | None = None,
) -> Settings:
    """Settings for one run.

    file: as named by the user; None reads ./heliograph.toml where there is one.
    options: section to key to value, from the command line; None means not given.
    Raises SettingsError, naming the file, key or variable at fault.
    """
    document, file_name = read_file(file)
    return build(document, file_name=file_name, environment=environment, options=options or {})


def read_file(file: Path | None) -> tuple[dict[str, Any], str]:
    """The parsed file, empty where none was named and none is there, and its name for messages."""
    path = file if file is not None else Path(FILE)
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        if file is None:
            return {}, FILE
        raise SettingsError(f"settings file {path} does not exist: name another with --config") from None
    except OSError as error:
        raise SettingsError(f"settings file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"settings file {path} is not UTF-8 at byte {error.start}: mend it") from None
    try:
        return tomllib.loads(text), str(path)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {path} is not valid TOML: {error}") from None


def build(
    document: Mapping[str, Any],
    *,
    file_name: str,
    environment: Mapping[str, str],
    options: Mapping[str, Mapping[str, object]],
) -> Settings:
    """Pure: the same mappings give the same settings."""
    shapes = sections()
    environment, document = _of_one_cluster(options, environment, document)
    stream_keys = shapes.pop("streams.NAME")
    refuse_unknown(document, [*shapes, "streams"], file_name)
    if "DATABASE_URL" in environment:
        environment = {"HELIOGRAPH_DATABASE_URL": environment["DATABASE_URL"], **environment}
    given = {
        section: read_section(
            section,
            keys,
            file=document.get(section, {}),
            file_name=file_name,
            environment=environment,
            options=options.get(section, {}),
        )
        for section, keys in shapes.items()
    }
    _choose_server(given["database"], options.get("database", {}))
    rpc, api = given["rpc"], given["api"]
    cluster = {wanted: rpc.pop(key) for key, wanted in _CLUSTER.items() if key in rpc}
    if not cluster.get("rpc_url") and cluster.get("rpc_urls"):
        cluster["rpc_url"], *others = cluster["rpc_urls"]
        cluster["rpc_urls"] = tuple(others)
    listen = {key.name: api.pop(key.name) for key in keys_of(ListenSettings) if key.name in api}
    limits, heal = RpcSettings(**rpc), HealSettings(**given["heal"])
    return Settings(
        database=DatabaseSettings(**given["database"]),
        storage=StorageSettings(**given["storage"]),
        listen=ListenSettings(**listen),
        api=ApiSettings(**api, gateway=GatewaySettings(**given["gateway"])),
        metrics=MetricsSettings(**given["metrics"]),
        indexer=(
            IndexerSettings(**cluster, rpc=limits, heal=heal, **given["indexer"])
            if cluster.get("rpc_url")
            else None
        ),
        streams=dict(_streams(document.get("streams", {}), stream_keys, file_name)),
        rollup=RollupSettings(**given["rollup"]),
    )


def _of_one_cluster(
    options: Mapping[str, Mapping[str, object]],
    environment: Mapping[str, str],
    document: Mapping[str, Any],
) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """Without the addresses of sources that another one outranks by naming an endpoint: they are of another cluster."""
    variables = {variable_name("rpc", key) for key in _CLUSTER}
    named_by_options = any(options.get("rpc", {}).get(key) for key in ("url", "urls"))
    named_by_environment = any(environment.get(variable_name("rpc", key)) for key in ("url", "urls"))
    if named_by_options:
        environment = {name: value for name, value in environment.items() if name not in variables}
    if named_by_options or named_by_environment:
        table = document.get("rpc", {})
        limits = {k: v for k, v in table.items() if k not in _CLUSTER} if isinstance(table, dict) else {}
        document = {**document, "rpc": limits}
    return environment, document


def _choose_server(database: dict[str, Any], options: Mapping[str, object]) -> None:
    """--data-dir asks for the embedded server, whatever address the environment or the file names."""
    if options.get("data_dir") is None:
        return
    if options.get("url") is not None:
        raise SettingsError(
            "--database names a server and --data-dir the folder of the embedded one: give one of them"
        )
    database.pop("url", None)


def _streams(tables: object, keys: tuple[Key, ...], file_name: str) -> Iterator[tuple[str, StreamSettings]]:
    if not isinstance(tables, dict):
        raise SettingsError(f"streams in {file_name} must be tables, [streams.NAME], not {tables!r}")
    for name, table in tables.items():
        section = f"streams.{name}"
        # No environment: a variable cannot say which stream it means without guessing at the name's letters.
        values = read_section(section, keys, file=table, file_name=file_name, environment={}, options={})
        for key in keys:
            if key.default is REQUIRED and key.name not in values:
                raise SettingsError(f"{section}.{key.name} is missing in {file_name}: {key.meaning}")
        yield name, StreamSettings(**values)
