"""`heliograph demo`: localnet, database, indexer and API in one process."""

from __future__ import annotations

import difflib
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from heliograph_cli.banner import print_banner
from heliograph_cli.indexing import indexing
from heliograph_cli.listener import listen, serving, url
from heliograph_cli.parts import Parts
from heliograph_cli.settings import Settings, StreamSettings
from heliograph_cli.store import opened
from heliograph_cli.stream_idls import read_document
from heliograph_cli.streams import ensure_stream
from heliograph_cli.summary import Summary
from heliograph_core.errors import SettingsError
from heliograph_core.figure import FigureSource
from heliograph_graphql.app import create_app
from heliograph_graphql.gateway.connections import Connections
from heliograph_indexer.figures import IndexerFigures
from heliograph_indexer.protocol import reads_instructions
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.chain import Chain
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.program_scenario import ProgramScenario
from heliograph_localnet.scenarios import SCENARIOS
from heliograph_localnet.settings import LocalnetSettings
from heliograph_localnet.stage import Stage
from heliograph_sql.database import Database
from heliograph_sql.object_log import ObjectLog
from heliograph_sql.removal import remove_stream
from heliograph_sql.rollup import Rollup
from heliograph_sql.streams import get_stream

GODARK = "godark"
IDL_FOLDER = Path(__file__).resolve().parents[4] / "shared" / "idl"
"""Where IDLs lie beside a checkout."""
FIRST_SLOT = 400_000_000
SLOT_MS = 250
FUNDING_INTERVAL_S = 10
"""Short, so that a newcomer sees funding paid within the first minute."""
RETENTION_SLOTS = 2_400
"""History that the cluster keeps, ten minutes: without a bound a demo that runs overnight would fill the memory."""
FOLDER_PREFIX = "heliograph-demo-"


@dataclass(frozen=True)
class Exchange:
    """What trades in the demo. name: of the protocol, and of the stream."""

    name: str
    cluster: Localnet | Stage[ProgramScenario]
    idls: tuple[str, ...] = ()


def choose_exchange(protocol: str, idl: Path | None, seed: int) -> Exchange:
    """Raises SettingsError for an unknown protocol, and for an IDL that is absent or does not fit."""
    if protocol == GODARK:
        if idl is not None:
            raise SettingsError(f"the IDLs of {GODARK} are part of Heliograph: leave --idl {idl} away")
        return Exchange(GODARK, _godark(seed))
    if protocol not in SCENARIOS:
        known = [GODARK, *sorted(SCENARIOS)]
        near = difflib.get_close_matches(protocol, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise SettingsError(f"there is no demo of protocol {protocol!r}; {hint}")
    scenario = SCENARIOS[protocol]
    file = idl if idl is not None else IDL_FOLDER / scenario.idl_file
    if idl is None and not file.is_file():
        raise SettingsError(
            f"the demo of {protocol} needs the IDL of {scenario.program_address}, which is no part of Heliograph: "
            f"heliograph idl fetch {scenario.program_address} --rpc URL > {protocol}.json, then --idl {protocol}.json"
        )
    _, document = read_document(file)
    chain = Chain(
        seed=seed,
        genesis_time=int(time.time()),
        slot_ms=SLOT_MS,
        first_slot=FIRST_SLOT,
        retention_slots=RETENTION_SLOTS,
    )
    try:
        stage = Stage(scenario(document, seed=seed), stream=protocol, chain=chain, keep_books=False)
    except (ValueError, KeyError) as error:
        raise SettingsError(f"IDL {file} is none that the demo of {protocol} can speak: {error}") from error
    return Exchange(protocol, stage, (f"{scenario.program_address}={file}",))


def _godark(seed: int) -> Localnet:
    return Localnet(
        LocalnetSettings(
            seed=seed,
            stream=GODARK,
            slot_ms=SLOT_MS,
            first_slot=FIRST_SLOT,
            funding_interval_seconds=FUNDING_INTERVAL_S,
            genesis_time=int(time.time()),
            retention_slots=RETENTION_SLOTS,
            keep_truth=False,
        )
    )


async def demo(settings: Settings, exchange: Exchange, *, seconds: float | None, fresh: bool) -> int:
    """Runs until stopped or for `seconds`. Raises HeliographError where a part cannot start or fails."""
    name, localnet = exchange.name, exchange.cluster
    console = Console()
    parts = Parts()
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen(settings.listen.host, settings.listen.port))
        place = settings.database
        if place.url is None:
            # Of its own and thrown away: a demo begins at the same point each time, and two may run at once.
            folder = tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, ignore_cleanup_errors=True)
            place = replace(place, data_dir=Path(stack.enter_context(folder)))
        store = await stack.enter_async_context(opened(place))
        await _make_room(store.database, name, fresh)
        await localnet.start()
        stack.push_async_callback(localnet.stop)
        indexer = IndexerSettings(rpc_url=localnet.rpc_url, ws_url=localnet.ws_url)
        wanted = StreamSettings(
            protocol=name,
            first_slot=FIRST_SLOT,
            idls=exchange.idls,
            instructions=reads_instructions(PROTOCOLS[name]),
        )
        stream = await ensure_stream(store.database, name, wanted, indexer)
        await stack.enter_async_context(parts.running("localnet", localnet.run()))
        running = await stack.enter_async_context(indexing(parts, store.database, stream, indexer))
        rollup = Rollup(store.database, settings.rollup)
        await stack.enter_async_context(parts.running("rollup", rollup.run()))
        await stack.enter_async_context(parts.running("object log", ObjectLog(store.database).run()))
        connections = Connections(settings.api.gateway)
        figures: list[FigureSource] = [connections, IndexerFigures({name: running})]
        app = create_app(store.database, settings.api, figures)
        await stack.enter_async_context(serving(parts, app, listener, connections))
        print_banner(
            console,
            title=_title(name),
            store=store,
            api=url(listener),
            cluster=localnet.rpc_url,
        )
        await stack.enter_async_context(parts.running("database", store.watch()))
        summary = Summary(store.database, console, {name: running}, counting=True)
        await stack.enter_async_context(parts.running("summary", summary.run()))
        await parts.wait(seconds)
    return 0


def _title(name: str) -> str:
    if name == GODARK:
        return "Heliograph demo: a simulated perps exchange, indexed and served"
    return f"Heliograph demo: the program of {name}, by its IDL, on a simulated cluster, indexed and served"


async def _make_room(database: Database, name: str, fresh: bool) -> None:
    """Raises SettingsError where the stream's name is taken, unless it may be deleted."""
    if await get_stream(database, name) is None:
        return
    if not fresh:
        raise SettingsError(
            f"database {database.place} holds a stream {name!r} already: delete it with --fresh, "
            "or name another database"
        )
    await remove_stream(database, name)
