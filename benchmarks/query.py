"""The API against PostGraphile 4.14: the same questions to the same rows of one database, one process each, in turn.

A million trades, positions, position changes and funding payments, and as many candles (HELIOGRAPH_BENCH_ROWS: others). Both answer
the same fields and pageInfo, ours `completeThrough` too; before anything is timed the answers are compared. The
database is made once and kept in the user's cache folder, as the peer is.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import repeat
from pathlib import Path
from typing import Any

import asyncpg
import platformdirs

from heliograph_core.errors import HeliographError
from heliograph_sql.database import Database
from heliograph_sql.embedded import EmbeddedServer
from heliograph_sql.migrate import migrate
from heliograph_sql.queries import Queries
from heliograph_sql.rollup import Rollup

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.peers import npm

PEER = "postgraphile"
PEER_VERSION = "4.14.1"
ROWS = int(os.environ.get("HELIOGRAPH_BENCH_ROWS", "1000000"))
ROUNDS = 5
ROUND_S = 3.0
WARM_S = 2.0
CONNECTIONS = 8
MARKETS = 16
WALLETS = 4096
GENESIS = datetime.fromtimestamp(1_700_000_000 // 60 * 60 + 60, UTC)
"""The first whole minute of the trades."""
PAGES_DEEP = 4
"""Pages of each market that are asked, one behind the other."""
START_TIMEOUT_S = 60.0
HERE = Path(__file__).resolve().parent
DATA = HERE / "query.sql"
NAMES = ("ours", "postgraphile")

Ask = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Question:
    """One shape of request. texts: for each server. fields: ours -> theirs, of each row, or of the rows of each list.

    inputs: variables for each server. find: the lists of rows in an answer's data, for the comparison.
    """

    texts: Mapping[str, str]
    fields: Mapping[str, Any]
    inputs: Callable[[Mapping[str, Ask]], Mapping[str, list[dict[str, Any]]]]
    find: Callable[[Any], Iterator[Any]]


def same(*names: str, **renamed: str) -> dict[str, str]:
    return {**{name: name for name in names}, **renamed}


PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
COMPLETE = "completeThrough { slot time }"


def connection(fields: Mapping[str, str], ours: bool) -> str:
    """The selection of a page."""
    names = " ".join(fields if ours else fields.values())
    return f"{{ nodes {{ {names} }} {PAGE_INFO} {COMPLETE if ours else ''} }}"


# The questions

TRADE = same(
    "slot", "txIndex", "ordinal", "blockTime", "signature", "price", "size", "quote", "taker", "maker"
)
TRADE |= same("takerSide", "takerFee")
POSITION = same("positionKey", "lifecycle", "wallet", "side", "status", "size", "entryPrice", "realizedPnl")
POSITION |= same("fees", "funding", "openedAt", marketAddress="market")


def page_inputs(ask: Mapping[str, Ask]) -> dict[str, list[dict[str, Any]]]:
    """The newest pages of each market, each behind the one before."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in NAMES:
        found[name] = []
        for market in range(MARKETS):
            after = None
            for _ in range(PAGES_DEEP):
                given = {"market": f"market{market}", "after": after}
                found[name].append(given)
                (page,) = ask[name](PAGE.texts[name], given).values()
                after = page["pageInfo"]["endCursor"]
    return found


PAGE = Question(
    texts={
        "ours": "query($market: String!, $after: String) { trades(first: 100, after: $after, "
        f"where: {{marketAddress: {{eq: $market}}}}) {connection(TRADE, True)} }}",
        "postgraphile": "query($market: String!, $after: Cursor) { allTrades(first: 100, after: $after, "
        f"condition: {{market: $market}}, orderBy: PRIMARY_KEY_DESC) {connection(TRADE, False)} }}",
    },
    fields=TRADE,
    inputs=page_inputs,
    find=lambda data: (page["nodes"] for page in data.values()),
)


def row_inputs(ask: Mapping[str, Ask]) -> dict[str, list[dict[str, Any]]]:
    """Ids of the newest positions, as each server calls them."""
    ids = {
        "ours": "query { page: positions(first: 1000, orderBy: [{openedAt: DESC}, {openedSlot: DESC}]) { nodes { id } } }",
        "postgraphile": "query { page: allPositions(first: 1000, orderBy: [OPENED_AT_DESC, OPENED_SLOT_DESC]) "
        "{ nodes { id: nodeId } } }",
    }
    return {
        name: [{"id": node["id"]} for node in ask[name](ids[name], {})["page"]["nodes"]] for name in NAMES
    }


ROW = Question(
    texts={
        "ours": f"query($id: ID!) {{ position(id: $id) {{ {' '.join(POSITION)} }} }}",
        "postgraphile": f"query($id: ID!) {{ positionByNodeId: position(nodeId: $id) {{ {' '.join(POSITION.values())} }} }}",
    },
    fields=POSITION,
    inputs=row_inputs,
    find=lambda data: ([row] for row in data.values()),
)

NESTED = {
    "positions": POSITION,
    "positionChanges": same(
        "slot", "txIndex", "ordinal", "blockTime", "kind", "side", "sizeDelta", "price", "fee"
    ),
    "fundingPayments": same("slot", "txIndex", "ordinal", "blockTime", "side", "size", "rate", "amount"),
}


def nested(ours: bool) -> str:
    orders = {"positions": "[OPENED_AT_DESC, OPENED_SLOT_DESC]"}
    return " ".join(
        f"{name}(first: 20) {connection(fields, True)}"
        if ours
        else f"{name}: {name}ByWallet(first: 20, orderBy: {orders.get(name, 'PRIMARY_KEY_DESC')}) {connection(fields, False)}"
        for name, fields in NESTED.items()
    )


def wallet_inputs(_: Mapping[str, Ask]) -> dict[str, list[dict[str, Any]]]:
    wallets = [{"address": f"wallet{number * 7 % WALLETS}"} for number in range(500)]
    return {name: wallets for name in NAMES}


WALLET = Question(
    texts={
        "ours": f"query($address: String!) {{ wallet(address: $address) {{ address {nested(True)} }} }}",
        "postgraphile": "query($address: String!) { wallet: walletByAddress(address: $address) "
        f"{{ address {nested(False)} }} }}",
    },
    fields=NESTED,
    inputs=wallet_inputs,
    find=lambda data: (data["wallet"][name]["nodes"] for name in NESTED),
)

CANDLE = same("bucket", "open", "high", "low", "close", "volume", "quote", "points")


def candle_inputs(_: Mapping[str, Ask]) -> dict[str, list[dict[str, Any]]]:
    """500 minutes of a market, anywhere in the time of which there are trades."""
    last = int(ROWS * 3.75) - 501 * 60
    found = []
    for number in range(500):
        begin = GENESIS + timedelta(seconds=number * 7919 * 60 % last // 60 * 60)
        given = {"since": begin.isoformat(), "until": (begin + timedelta(minutes=500)).isoformat()}
        found.append({"market": f"market{number % MARKETS}", **given})
    return {name: found for name in NAMES}


CANDLES = Question(
    texts={
        "ours": "query($market: String!, $since: DateTime!, $until: DateTime!) { candles(first: 500, "
        "marketAddress: $market, since: $since, until: $until, resolution: ONE_MINUTE) "
        f"{connection(CANDLE, True)} }}",
        # The function is what docs/sql.md advises: through the view it takes many times as long. It has no pageInfo there.
        "postgraphile": "query($market: String!, $since: Datetime!, $until: Datetime!) { candles(first: 500, "
        'ofMarket: $market, firstTime: $since, endTime: $until, step: "1m", ofKind: "trade") '
        f"{{ nodes {{ {' '.join(CANDLE)} }} }} }}",
    },
    fields=CANDLE,
    inputs=candle_inputs,
    # The function gives them in no order.
    find=lambda data: (sorted(page["nodes"], key=lambda row: str(row["bucket"])) for page in data.values()),
)

QUESTIONS: Mapping[str, Question] = {"page": PAGE, "wallet": WALLET, "row": ROW, "candles": CANDLES}


# The database


@contextmanager
def database(cache: Path) -> Iterator[str]:
    """URL of the filled database: kept from run to run, made anew where the data or the schema changed."""
    folder = cache / f"query-{_version()}"
    finished = folder / "finished"
    if not finished.exists():
        for old in cache.glob("query-*"):
            shutil.rmtree(old)
    with EmbeddedServer.start(folder / "data") as server:
        if not finished.exists():
            started = time.perf_counter()
            migrate(server.url)
            asyncio.run(_fill(server.url))
            finished.touch()
            print(f"query: {ROWS} rows a table in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        yield server.url


def _version() -> str:
    seen = hashlib.sha256(f"{ROWS} {DATA.read_text()}".encode())
    for file in sorted((ROOT / "sql" / "heliograph_sql" / "migrations").glob("*.sql")):
        seen.update(file.read_bytes())
    return seen.hexdigest()[:16]


async def _fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in Queries(DATA.name, DATA.read_text()).values():
            await connection.execute(statement, *([ROWS] if "$1" in statement else []))
    finally:
        await connection.close()
    # As the indexer's process does all the time.
    async with await Database.open(url) as database:
        await Rollup(database).catch_up()
        async with database.acquire() as pooled:
            await pooled.execute("VACUUM ANALYZE")


# The servers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(command: list[str | Path], folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
        if process.poll() is not None:
            raise HeliographError(f"{command[0]} ended with status {process.returncode}")
    finally:
        process.terminate()
        process.wait(30)


def asking(host: str) -> Ask:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(text: str, variables: Mapping[str, Any]) -> Any:
        body = json.dumps({"query": text, "variables": variables}).encode()
        request = urllib.request.Request(f"http://{host}/graphql", body, {"content-type": "application/json"})
        with opener.open(request, timeout=60) as response:
            answer = json.load(response)
        if "errors" in answer:
            raise HeliographError(f"{host} answered {answer['errors']} to {text}")
        return answer["data"]

    return ask


def await_answer(ask: Ask) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            ask("{ __typename }", {})
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


# Comparing and timing


def normal(value: Any) -> Any:
    """Exact numbers, times and enums, however they are written."""
    if not isinstance(value, str):
        return value
    try:
        return Decimal(value)
    except ArithmeticError:
        pass
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        return value.lower()


def check_same(
    name: str, question: Question, inputs: Mapping[str, list[dict[str, Any]]], ask: Mapping[str, Ask]
) -> None:
    """Both servers give the same rows in the same order. Raises HeliographError."""
    for ours, theirs in list(zip(inputs["ours"], inputs["postgraphile"], strict=True))[
        :: max(1, len(inputs["ours"]) // 16)
    ]:
        found = question.find(ask["ours"](question.texts["ours"], ours))
        expected = question.find(ask["postgraphile"](question.texts["postgraphile"], theirs))
        many = isinstance(next(iter(question.fields.values())), Mapping)
        each = iter(question.fields.values()) if many else repeat(question.fields)
        for left, right, fields in zip(found, expected, each, strict=False):
            a = [[normal(row[key]) for key in fields] for row in left]
            b = [[normal(row[key]) for key in fields.values()] for row in right]
            if a != b or not a:
                raise HeliographError(f"{name}: the answers differ for {ours}: {a[:2]} and {b[:2]}")


def load(host: str, file: Path, seconds: float) -> dict[str, float]:
    program: list[str | Path] = [sys.executable, HERE / "peers" / "http_load.py"]
    command = [*program, host, "/graphql", file, str(seconds), str(CONNECTIONS)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    if (why := npm.missing()) is not None:
        print(f"query: nothing to compare with, because {why}", file=sys.stderr)
        return 1
    cache = Path(platformdirs.user_cache_dir("heliograph"))
    wanted = os.environ.get("HELIOGRAPH_BENCH_QUERIES", " ".join(QUESTIONS)).split()
    with ExitStack() as stack:
        peer = npm.install(cache, PEER, PEER, PEER_VERSION)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-")))
        url = stack.enter_context(database(cache / "bench"))
        hosts = {name: f"127.0.0.1:{free_port()}" for name in NAMES}
        ports = {name: host.partition(":")[2] for name, host in hosts.items()}
        # An answer that is kept would not be asked of the database at all.
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HELIOGRAPH_")}
        ours: list[str | Path] = [
            Path(sys.executable).with_name("heliograph"),
            "serve",
            "--database",
            url,
            "--port",
            ports["ours"],
        ]
        theirs: list[str | Path] = [
            "node",
            HERE / "peers" / "query_postgraphile.cjs",
            url,
            ports["postgraphile"],
        ]
        stack.enter_context(serving(ours, folder, {**clean, "HELIOGRAPH_API_RESPONSE_CACHE": "false"}))
        stack.enter_context(serving(theirs, peer, {**clean, "NODE_ENV": "production"}))
        ask = {name: asking(host) for name, host in hosts.items()}
        for name in NAMES:
            await_answer(ask[name])
        ratios: dict[str, float] = {}
        figures: dict[str, float] = {"rows": ROWS}
        for key in wanted:
            measured = measure(key, QUESTIONS[key], hosts, ask, folder)
            rates = {
                name: statistics.median(one["requests"] / one["seconds"] for one in all_)
                for name, all_ in measured.items()
            }
            ratios[key] = round(rates["ours"] / rates["postgraphile"], 2)
            for name in NAMES:
                figures[f"{key}_{name}_per_s"] = round(rates[name])
                figures[f"{key}_{name}_p99_ms"] = round(
                    statistics.median(one["p99_ms"] for one in measured[name]), 1
                )
            print(
                f"{key}: {rates['ours']:,.0f} to {rates['postgraphile']:,.0f} requests/s, p99 "
                f"{figures[f'{key}_ours_p99_ms']} to {figures[f'{key}_postgraphile_p99_ms']} ms"
            )
    print(json.dumps({"bench": "query", "ratios": ratios, "figures": figures}))
    return 0


def measure(
    key: str, question: Question, hosts: Mapping[str, str], ask: Mapping[str, Ask], folder: Path
) -> dict[str, list[dict[str, float]]]:
    """What each round found, by server; the servers take turns."""
    inputs = question.inputs(ask)
    check_same(key, question, inputs, ask)
    files = {}
    for name in NAMES:
        files[name] = folder / f"{key}-{name}.json"
        bodies = [{"query": question.texts[name], "variables": given} for given in inputs[name]]
        files[name].write_text(json.dumps(bodies))
        load(hosts[name], files[name], WARM_S)
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in NAMES}
    for number in range(ROUNDS):
        for name in NAMES:
            found = load(hosts[name], files[name], ROUND_S)
            measured[name].append(found)
            rate = found["requests"] / found["seconds"]
            print(f"{key} round {number + 1} {name}: {rate:,.0f} requests/s", file=sys.stderr)
    return measured


if __name__ == "__main__":
    sys.exit(main())
