"""Every type of an IDL gets a column that holds all of its values; GoDark's events are stored as they were said."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.endtoend.indexing import caught_up, indexing

from heliograph_core.errors import IdlError
from heliograph_indexer.event_layouts import column_type, event_layouts
from heliograph_indexer.idl.model import (
    Array,
    Bool,
    Bytes,
    Defined,
    Enum,
    Field,
    Idl,
    Layout,
    Number,
    NumberFormat,
    Option,
    Pubkey,
    String,
    Struct,
    Type,
    TypeDef,
    Variant,
    Vec,
)
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.protocols.godark import GoDark
from heliograph_indexer.settings import IndexerSettings
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings
from heliograph_sql.database import Database
from heliograph_sql.streams import add_stream

U64 = Number("u64")
PLAIN = Enum((Variant("Long", 0), Variant("Short", 1)))
DATA = Enum((Variant("None", 0), Variant("Some", 1, Struct((Field("0", U64),)))))
IDL = Idl(
    name="sample",
    address=None,
    types={
        "Plain": TypeDef("Plain", PLAIN),
        "Alias": TypeDef("Alias", Defined("Plain")),
        "Maybe": TypeDef("Maybe", Option(U64)),
        "Pair": TypeDef("Pair", Struct((Field("a", U64),))),
    },
)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "idl"


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        (Bool(), "boolean"),
        (Pubkey(), "text"),
        (String(), "text"),
        (Bytes(), "bytea"),
        (U64, "numeric(20,0)"),
        (Option(U64), "numeric(20,0)"),
        (Option(Option(U64)), "jsonb"),
        (Option(Defined("Maybe")), "jsonb"),
        (PLAIN, "text"),
        (Defined("Alias"), "text"),
        (DATA, "jsonb"),
        (Defined("Pair"), "jsonb"),
        (Vec(U64), "jsonb"),
        (Array(Number("u8"), 4), "jsonb"),
    ],
)
def test_a_type_has_its_column(kind: Type, column: str) -> None:
    assert column_type(kind, IDL) == column


@pytest.mark.parametrize(
    "name", ["u8", "u16", "u32", "u64", "u128", "u256", "i8", "i16", "i32", "i64", "i128", "i256"]
)
def test_both_ends_of_every_integer_fit_its_column(name: NumberFormat) -> None:
    number = Number(name)
    bits = 8 * number.size
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if number.is_signed else (0, 2**bits - 1)
    column = column_type(number, IDL)
    widths = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
    for end in ends:
        if column in widths:
            assert -widths[column] <= end < widths[column]
        else:
            assert len(str(abs(end))) <= int(column.removeprefix("numeric(").removesuffix(",0)"))


def test_an_event_that_is_no_struct_is_refused_by_name() -> None:
    idl = Idl(name="odd", address=None, types={}, events=(Layout("Odd", b"x", U64),))
    with pytest.raises(IdlError, match="Odd of odd"):
        event_layouts("P", idl)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real IDLs of ../shared are absent")
def test_every_event_of_every_real_idl_has_columns() -> None:
    events = 0
    for file in sorted(SHARED.glob("*.json")):
        idl = read_idl(file.read_bytes())
        for layout in event_layouts("P", idl):
            assert all(column for _, column in layout.fields), (file.name, layout.event)
            events += 1
    assert events > 300


async def test_every_event_that_was_said_stands_in_its_table(database: Database) -> None:
    settings = LocalnetSettings(seed=7, rate=40, funding_interval_seconds=5, arrivals=2)
    async with Localnet(settings) as localnet:
        await localnet.step(150)
        stream = await add_stream(
            database,
            "godark",
            protocol="godark",
            programs=list(GoDark().programs.values()),
            first_slot=settings.first_slot,
        )
        through = localnet.chain.slot_at(Commitment.CONFIRMED)
        node = IndexerSettings(rpc_url=localnet.rpc_url, ws_url=localnet.ws_url)
        async with indexing(database, stream, GoDark(), node):
            await caught_up(database, stream, through)
        truth = localnet.truth(through)
    async with database.acquire() as connection:
        fills = await connection.fetch("SELECT * FROM godark.order_filled ORDER BY slot, tx_index, ordinal")
        orders = await connection.fetchval("SELECT count(*) FROM godark.order_placed")
        tables = await connection.fetchval(
            "SELECT count(*) FROM heliograph.typed_tables WHERE stream = 'godark' AND kind = 'event'"
        )
    said = sorted(truth["perps.trades"], key=lambda row: (row["slot"], row["tx_index"], row["ordinal"]))
    assert [_fill(dict(row)) for row in fills] == [
        {
            "signature": row["signature"],
            "fill_id": int(row["trade_id"]),
            "taker": row["taker"],
            "taker_side": row["taker_side"].capitalize(),
            "price": row["price"] * 10**6,
            "size": row["size"] * 10**9,
            "maker_fee": row["maker_fee"] * 10**6,
            "liquidation": row["liquidation"],
        }
        for row in said
    ]
    assert orders > len(said) / 3 > 0
    assert tables == sum(len(json.loads(document)["events"]) for document in GoDark().idls().values())


def _fill(row: dict[str, Any]) -> dict[str, Any]:
    names = ("signature", "fill_id", "taker", "taker_side", "price", "size", "maker_fee", "liquidation")
    return {name: row[name] for name in names}
