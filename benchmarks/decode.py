"""Decoding against @coral-xyz/anchor's EventParser and anchorpy's EventCoder, on one corpus of Drift-shaped logs.

Every contestant runs in a process of its own, in turn, several rounds; medians are compared. Ours takes the
lines of a transaction through the walk and the decoder, to values as tables take them, addresses as base58
included; and, in another run, getTransaction records whose events are self-CPIs, as parsed JSON.
The peers are installed outside the tree, in the user's cache folder.
"""

from __future__ import annotations

import base64
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import base58
import platformdirs
from solders.pubkey import Pubkey as Address

from heliograph_core.event import Channel
from heliograph_core.transaction import Transaction
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder, event_authority
from heliograph_indexer.idl.model import (
    Array,
    Bool,
    Bytes,
    Defined,
    Enum,
    Idl,
    Number,
    Option,
    Pubkey,
    String,
    Struct,
    Type,
    Vec,
)
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.transaction_json import parse_transaction
from heliograph_indexer.walk import walk

ROOT = Path(__file__).resolve().parent.parent
# What the tests compare with is compared with here too.
sys.path.insert(0, str(ROOT))
from tests.peers import npm
from tests.peers.environments import ANCHORPY, CORAL, CORAL_VERSION
from tests.peers.idl_spec import as_spec

SEED = 20261121
TRANSACTIONS = 20_000
ROUNDS = 5
WALLETS = 5_000
DRIFT = "dRiftyHA39MWEi3m9aunc5MzRF1JYuBsbn6VPcn33UH"
BUDGET = "ComputeBudget111111111111111111111111111111"
ORDERS = ("OrderActionRecord", "OrderRecord")
"""Two thirds of a trading day's events."""

HERE = Path(__file__).resolve().parent
IDL_FILE = HERE.parents[1] / "shared" / "idl" / "drift_v2.json"


# The corpus


class Corpus:
    """Transactions of a trading day, drawn from an IDL with a seed."""

    def __init__(self, idl: Idl) -> None:
        self.idl = idl
        self.encoder = Encoder(idl)
        self.random = random.Random(SEED)
        self.events = {layout.name: layout for layout in idl.events}
        self.wallets = [str(Address.from_bytes(self.random.randbytes(32))) for _ in range(WALLETS)]

    def payload(self) -> tuple[str, bytes]:
        """Name and bytes of one event."""
        if self.random.random() < 2 / 3:
            name = self.random.choice(ORDERS)
        else:
            name = self.random.choice([name for name in self.events if name not in ORDERS])
        return name, self.encoder.event(name, self.value(self.events[name].type))

    def value(self, type_: Type) -> Any:
        draw = self.random
        match type_:
            case Number(is_float=True):
                return draw.random()
            case Number(size=size, is_signed=signed):
                value = draw.randrange(1 << min(8 * size - 1, draw.choice((7, 20, 40, 60))))
                return -value if signed and draw.random() < 0.4 else value
            case Bool():
                return draw.random() < 0.5
            case Pubkey():
                # Few wallets make most of the trades.
                return self.wallets[int(len(self.wallets) * draw.random() ** 2)]
            case String():
                return "perp"
            case Bytes(length=length):
                return draw.randbytes(length if isinstance(length, int) else 8)
            case Option(item=item):
                return self.value(item) if draw.random() < 0.6 else None
            case Vec(item=item):
                return [self.value(item) for _ in range(draw.randrange(3))]
            case Array(item=item, length=length):
                return [self.value(item) for _ in range(length)]
            case Struct(fields=fields):
                return {field.name: self.value(field.type) for field in fields}
            case Enum(variants=variants):
                variant = draw.choice(variants)
                return variant.name if variant.fields is None else {variant.name: self.value(variant.fields)}
            case Defined(name=name):
                return self.value(self.idl.types[name].type)

    def lines(self, payloads: list[tuple[str, bytes]]) -> list[str]:
        lines = [
            *(f"Program {BUDGET} invoke [1]", f"Program {BUDGET} success"),
            *(f"Program {DRIFT} invoke [1]", "Program log: Instruction: PlaceAndTakePerpOrder"),
        ]
        for name, payload in payloads:
            # Drift writes most of its order records as text.
            channel = "log" if name in ORDERS and self.random.random() < 0.7 else "data"
            lines.append(f"Program {channel}: {base64.b64encode(payload).decode()}")
            if self.random.random() < 0.3:
                lines.append("Program log: market 0 amm skipping auction duration")
        return [
            *lines,
            f"Program {DRIFT} consumed 120239 of 319700 compute units",
            f"Program {DRIFT} success",
        ]

    def record(self, payloads: list[tuple[str, bytes]]) -> dict[str, Any]:
        """A getTransaction result that says the same by self-CPI."""
        logs = [f"Program {DRIFT} invoke [1]", "Program log: Instruction: PlaceAndTakePerpOrder"]
        inner = []
        for _, payload in payloads:
            logs += [f"Program {DRIFT} invoke [2]", f"Program {DRIFT} success"]
            data = base58.b58encode(EVENT_TAG + payload).decode()
            inner.append({"programIdIndex": 1, "accounts": [2], "data": data, "stackHeight": 2})
        return {
            "slot": 1,
            "version": 0,
            "transaction": {
                "signatures": [base58.b58encode(self.random.randbytes(64)).decode()],
                "message": {
                    "accountKeys": [self.wallets[0], DRIFT, event_authority(DRIFT)],
                    "instructions": [
                        {"programIdIndex": 1, "accounts": [0], "data": "3Bxs4", "stackHeight": None}
                    ],
                },
            },
            "meta": {
                "err": None,
                "fee": 5000,
                "logMessages": [*logs, f"Program {DRIFT} success"],
                "innerInstructions": [{"index": 0, "instructions": inner}],
            },
        }


def write_corpus(folder: Path) -> None:
    """lines.json, records.json, payloads.json and idl_spec.json."""
    idl = read_idl(IDL_FILE.read_bytes())
    corpus = Corpus(idl)
    drawn = [
        [corpus.payload() for _ in range(corpus.random.choice((1, 2, 2, 3, 4)))] for _ in range(TRANSACTIONS)
    ]
    (folder / "lines.json").write_text(json.dumps([corpus.lines(payloads) for payloads in drawn]))
    (folder / "records.json").write_text(json.dumps([corpus.record(payloads) for payloads in drawn]))
    flat = [base64.b64encode(payload).decode() for payloads in drawn for _, payload in payloads]
    (folder / "payloads.json").write_text(json.dumps(flat))
    (folder / "idl_spec.json").write_text(json.dumps(as_spec(idl, DRIFT)))


# Our runs, each in a process of its own


def run_lines(folder: Path) -> dict[str, float]:
    corpus = json.loads((folder / "lines.json").read_bytes())
    transactions = [Transaction("", 0, None, tuple(lines), None) for lines in corpus]
    decoder = Decoder(read_idl(IDL_FILE.read_bytes()))
    channels = {DRIFT: frozenset({Channel.DATA, Channel.LOG})}

    def run(some: list[Transaction]) -> int:
        events = 0
        for transaction in some:
            for raw in walk(transaction, channels).events:
                decoder.event(raw.data)
                events += 1
        return events

    run(transactions[:2000])
    start, busy = time.perf_counter(), time.process_time()
    events = run(transactions)
    return {
        "events": events,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - busy,
    }


def run_records(folder: Path) -> dict[str, float]:
    records = json.loads((folder / "records.json").read_bytes())
    decoder = Decoder(read_idl(IDL_FILE.read_bytes()))
    channels = {DRIFT: frozenset({Channel.DATA, Channel.CPI})}

    def run(transactions: list[Transaction]) -> int:
        events = 0
        for transaction in transactions:
            for raw in walk(transaction, channels).events:
                decoder.event(raw.data)
                events += 1
        return events

    start = time.perf_counter()
    transactions = [parse_transaction(record, 0) for record in records]
    parsing = time.perf_counter() - start
    run(transactions[:2000])
    start, busy = time.perf_counter(), time.process_time()
    events = run(transactions)
    return {
        "events": events,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - busy,
        "parsing": parsing,
    }


# The peers


def node_environment(cache: Path) -> Path | None:
    """A folder where node finds @coral-xyz/anchor; None where there is no node."""
    return None if npm.missing() else npm.install(cache, "coral-anchor", CORAL, CORAL_VERSION)


def python_environment() -> Path:
    """A Python that has anchorpy, which cannot share ours (docs/decisions says why)."""
    subprocess.run(["make", "--silent", ANCHORPY / ".ready"], cwd=ROOT, check=True, stdout=sys.stderr)
    return ROOT / ANCHORPY / "bin" / "python"


def rate(command: list[str | Path], folder: Path | None = None) -> dict[str, float]:
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    if not IDL_FILE.is_file():
        print(
            f"decode: no corpus without {IDL_FILE.name} in ../shared/idl, beside the checkout",
            file=sys.stderr,
        )
        return 1
    cache = Path(platformdirs.user_cache_dir("heliograph")) / "bench"
    folder = cache / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    write_corpus(folder)
    node, anchorpy = node_environment(cache.parent), python_environment()
    contestants: dict[str, tuple[list[str | Path], Path | None]] = {
        "ours": ([sys.executable, __file__, "lines", folder], None),
        "ours_cpi": ([sys.executable, __file__, "records", folder], None),
        "anchorpy": (
            [anchorpy, HERE / "peers" / "decode_anchorpy.py", IDL_FILE, folder / "payloads.json"],
            None,
        ),
    }
    if node is not None:
        script = HERE / "peers" / "decode_coral.cjs"
        contestants["coral_anchor"] = (
            ["node", script, folder / "idl_spec.json", folder / "lines.json", DRIFT],
            node,
        )
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    cpu_rates: dict[str, list[float]] = {name: [] for name in contestants}
    events: dict[str, int] = {}
    for number in range(ROUNDS):
        for name, (command, where) in contestants.items():
            found = rate(command, where)
            rates[name].append(found["events"] / found["seconds"])
            cpu_rates[name].append(found["events"] / found["cpu_seconds"])
            events[name] = int(found["events"])
            print(f"round {number + 1} {name}: {rates[name][-1]:,.0f} events/s", file=sys.stderr)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    if node is None:
        print("decode: node is missing, so @coral-xyz/anchor is not compared", file=sys.stderr)
    elif events["coral_anchor"] != events["ours"]:
        print(f"decode: events found differ: {events}", file=sys.stderr)
        return 1
    ratios = {
        name: round(medians["ours"] / medians[name], 1) for name in medians if not name.startswith("ours")
    }
    figures = {f"{name}_events_per_s": round(value) for name, value in medians.items()}
    by_cpu = {name: statistics.median(found) for name, found in cpu_rates.items()}
    figures |= {f"{name}_events_per_cpu_s": round(value) for name, value in by_cpu.items()}
    for name, ratio in ratios.items():
        print(f"ours is {ratio} times {name}: {medians['ours']:,.0f} to {medians[name]:,.0f} events/s")
    print(
        f"by self-CPI: {medians['ours_cpi']:,.0f} events/s, {medians['ours_cpi'] / medians['ours']:.2f} times by lines"
    )
    # What else runs on the machine touches this less.
    print(
        "in processor time: "
        + ", ".join(f"{by_cpu['ours'] / by_cpu[name]:.1f} times {name}" for name in ratios)
        + f", by self-CPI {by_cpu['ours_cpi'] / by_cpu['ours']:.2f} times by lines"
    )
    print(json.dumps({"bench": "decode", "ratios": ratios, "figures": figures}))
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measured = {"lines": run_lines, "records": run_records}[sys.argv[1]](Path(sys.argv[2]))
        print(json.dumps(measured))
    else:
        sys.exit(main())
