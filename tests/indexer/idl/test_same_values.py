"""Our values are those that @coral-xyz/anchor and anchorpy read from the same bytes: real samples, and made events."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from solders.pubkey import Pubkey as Address
from tests.peers import npm
from tests.peers.environments import ANCHORPY, CORAL, CORAL_VERSION, npm_cache
from tests.peers.idl_spec import as_spec
from tests.peers.samples import SHARED, samples

from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import Encoder
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

ROOT = Path(__file__).resolve().parents[3]
PEERS = ROOT / "tests" / "peers"
SEED = 20261121
ADDRESS = "11111111111111111111111111111112"
MADE = ("drift_v2", "mango_v4", "adrena", "gmsol_store", "solana_labs_perpetuals_fork")
"""IDLs of which every event is made with values of a seed."""
ROUNDS = 3
ANCHORPY_REFUSES = {("PerpMarket", "TypeError"), ("priceUpdateV2", "KeyError")}
"""A struct of Drift with two fields called `padding`; an account whose name the IDL writes in camel case."""

needs_shared = pytest.mark.skipif(
    not (SHARED / "samples").is_dir(),
    reason="the shared folder with samples and IDLs is not beside the checkout",
)


@dataclass(frozen=True)
class Case:
    idl: str
    kind: Literal["event", "account"]
    data: bytes
    name: str
    value: dict[str, Any]


class Idls:
    """The documents, read once."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.read: dict[str, Idl] = {}

    def __getitem__(self, path: str) -> Idl:
        if path not in self.read:
            self.documents[path] = json.loads((SHARED / path).read_bytes())
            self.read[path] = read_idl(self.documents[path])
        return self.read[path]


def sample_cases() -> list[Case]:
    return [Case(each.idl, each.kind, each.data, each.name, each.value) for each in samples()]


def made_cases(idls: Idls) -> list[Case]:
    draw = random.Random(SEED)
    cases = []
    for stem in MADE:
        path = f"idl/{stem}.json"
        idl = idls[path]
        encoder, decoder = Encoder(idl), Decoder(idl)
        for layout in idl.events:
            for _ in range(ROUNDS):
                data = encoder.event(layout.name, made(idl, layout.type, draw))
                cases.append(Case(path, "event", data, *decoder.event(data)))
    return cases


def made(idl: Idl, type_: Type, draw: random.Random) -> Any:
    match type_:
        case Number(is_float=True):
            return draw.choice((0.0, 1.5, -0.25))
        case Number(size=size, is_signed=signed):
            bits = draw.choice((7, 8 * size - 1))
            value = draw.randrange(1 << min(bits, 8 * size - 1))
            return -value - 1 if signed and draw.random() < 0.5 else value
        case Bool():
            return draw.random() < 0.5
        case Pubkey():
            return str(Address.from_bytes(draw.randbytes(32)))
        case String():
            return draw.choice(("", "SOL-PERP", "é"))
        case Bytes(length=length):
            return draw.randbytes(length if isinstance(length, int) else 3)
        case Option(item=item):
            return made(idl, item, draw) if draw.random() < 0.5 else None
        case Vec(item=item):
            return [made(idl, item, draw) for _ in range(draw.randrange(3))]
        case Array(item=item, length=length):
            return [made(idl, item, draw) for _ in range(length)]
        case Struct(fields=fields):
            return {field.name: made(idl, field.type, draw) for field in fields}
        case Enum(variants=variants):
            variant = draw.choice(variants)
            if variant.fields is None:
                return variant.name
            return {variant.name: made(idl, variant.fields, draw)}
        case Defined(name=name):
            return made(idl, idl.types[name].type, draw)


def plain(name: str) -> str:
    """Peers write names in their own case."""
    return name.replace("_", "").lower()


def same(idl: Idl, type_: Type, ours: Any, theirs: Any, place: str) -> None:
    """Fails, naming the place, where the two say different things."""
    match type_:
        case Defined(name=name):
            same(idl, idl.types[name].type, ours, theirs, place)
        case Struct(fields=fields):
            # Tuple structs and tuple variants: a list, or names that only say the position.
            if isinstance(theirs, list):
                found: dict[Any, Any] = dict(enumerate(theirs))
                wanted: dict[Any, Any] = dict(enumerate(field.name for field in fields))
            elif fields and fields[0].name == "0":
                found = dict(enumerate(theirs.values()))
                wanted = dict(enumerate(field.name for field in fields))
            else:
                found = {plain(key): value for key, value in theirs.items()}
                wanted = {plain(field.name): field.name for field in fields}
            assert found.keys() == wanted.keys(), place
            types = {field.name: field.type for field in fields}
            for key, name in wanted.items():
                same(idl, types[name], ours[name], found[key], f"{place}.{name}")
        case Enum(variants=variants):
            variant = next(
                each
                for each in variants
                if each.name == (ours if isinstance(ours, str) else next(iter(ours)))
            )
            if "variant" in theirs:
                said, inner = theirs["variant"], theirs["fields"]
            else:
                ((said, inner),) = theirs.items()
            assert plain(said) == plain(variant.name), place
            if variant.fields is not None:
                same(idl, variant.fields, ours[variant.name], inner, f"{place}.{variant.name}")
        case Option(item=item):
            assert (ours is None) == (theirs is None), place
            if ours is not None:
                same(idl, item, ours, theirs, f"{place}?")
        case Vec(item=item) | Array(item=item):
            if isinstance(theirs, dict):
                theirs = list(bytes.fromhex(theirs["bytes"]))
            assert len(ours) == len(theirs), place
            for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                same(idl, item, one, other, f"{place}[{index}]")
        case Number(is_float=True):
            assert ours == pytest.approx(float(theirs)), place
        case Number():
            assert ours == int(theirs), place
        case Bytes():
            raw = bytes.fromhex(theirs["bytes"]) if isinstance(theirs, dict) else bytes(theirs)
            assert ours == raw, place
        case _:
            assert ours == theirs, place


def layout_type(idl: Idl, case: Case) -> Type:
    layouts = idl.events if case.kind == "event" else idl.accounts
    return next(layout.type for layout in layouts if layout.name == case.name)


def ask(command: list[str | Path], cwd: Path, documents: dict[str, Any], cases: list[Case]) -> list[Any]:
    asked = {
        "idls": documents,
        "cases": [
            {
                "idl": case.idl,
                "kind": case.kind,
                "name": case.name,
                "data": base64.b64encode(case.data).decode(),
            }
            for case in cases
        ],
    }
    done = subprocess.run(
        command, cwd=cwd, input=json.dumps(asked), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len(answers) == len(cases)
    return list(answers)


@needs_shared
def test_every_sample_fits_the_layout_that_it_names_to_the_last_byte() -> None:
    # The decoder refuses events that leave a byte, and accounts that leave more than zeros.
    found = samples()
    assert len({each.file for each in found}) >= 12
    assert {each.kind for each in found} == {"event", "account"}


@needs_shared
def test_the_values_are_those_of_coral_anchor() -> None:
    if (reason := npm.missing()) is not None:
        pytest.skip(f"{reason}: @coral-xyz/anchor comes as an npm package")
    folder = npm.install(npm_cache(), "coral-anchor", CORAL, CORAL_VERSION)
    idls = Idls()
    cases = [*sample_cases(), *made_cases(idls)]
    documents = {case.idl: as_spec(idls[case.idl], ADDRESS) for case in cases}
    known = {
        (path, kind, layout["name"])
        for path, document in documents.items()
        for kind in ("event", "account")
        for layout in document[f"{kind}s"]
    }
    assert {(case.idl, case.kind, case.name) for case in cases} <= known
    answers = ask(["node", PEERS / "decode_coral.cjs"], folder, documents, cases)
    for case, answer in zip(cases, answers, strict=True):
        idl = idls[case.idl]
        assert answer is not None and "error" not in answer, (case.idl, case.name, answer)
        same(idl, layout_type(idl, case), case.value, answer["value"], f"{case.idl} {case.name}")


@needs_shared
def test_the_values_are_those_of_anchorpy_for_legacy_idls() -> None:
    python = ROOT / ANCHORPY / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{ANCHORPY} is not there: `make test` builds it")
    idls = Idls()
    cases = [case for case in [*sample_cases(), *made_cases(idls)] if idls[case.idl].format == "legacy"]
    answers = ask([python, PEERS / "decode_anchorpy.py"], ROOT, idls.documents, cases)
    refused = set()
    for case, answer in zip(cases, answers, strict=True):
        if "error" in answer:
            refused.add((case.name, answer["error"].partition(":")[0]))
            continue
        idl = idls[case.idl]
        same(idl, layout_type(idl, case), case.value, answer["value"], f"{case.idl} {case.name}")
    assert refused == ANCHORPY_REFUSES
