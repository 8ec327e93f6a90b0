"""Plan, catalog, comments, schema.sql and docs/tables.md say the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psycopg
import pytest
from tests.peers.server import ON_EMBEDDED

from heliograph_core import records
from heliograph_sql.catalog import CatalogTable, read_catalog, write_markdown
from heliograph_sql.embedded import program
from heliograph_sql.plan import RECORD_PLANS, STATE_PLANS, TablePlan
from heliograph_sql.rows import SIGNATURES, TRANSACTIONS, UNDECODED
from heliograph_sql.shape import FILE, read_shape, write_shape

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "sql" / "heliograph_sql" / "schema.sql"
SHAPE = ROOT / "sql" / "heliograph_sql" / FILE
TABLES = ROOT / "docs" / "tables.md"
MARK = "<!-- columns -->\n"
REGENERATE = "pytest tests/sql/test_catalog.py --regenerate"


@pytest.fixture
def catalog(database_url: str) -> dict[str, CatalogTable]:
    return {table.full_name: table for table in read_catalog(database_url)}


PLANS = [
    *RECORD_PLANS.values(),
    STATE_PLANS[records.Balance],
    STATE_PLANS[records.Position],
    SIGNATURES,
    TRANSACTIONS,
    UNDECODED,
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.full_name)
def test_a_plan_is_the_catalog_column_for_column(plan: TablePlan, catalog: dict[str, CatalogTable]) -> None:
    planned = [(column.name, column.type.value, column.nullable) for column in plan.columns]
    assert planned == [(one.name, one.type, one.nullable) for one in catalog[plan.full_name].columns]


def test_the_two_records_of_a_market_are_its_table(catalog: dict[str, CatalogTable]) -> None:
    described, state = STATE_PLANS[records.Market], STATE_PLANS[records.MarketState]
    planned = [*described.column_names, *state.column_names[2:]]
    assert planned == [column.name for column in catalog["perps.markets"].columns]


def test_every_canonical_table_has_a_plan(catalog: dict[str, CatalogTable]) -> None:
    planned = {plan.full_name for plan in (*RECORD_PLANS.values(), *STATE_PLANS.values())}
    assert planned == {
        table.full_name for table in catalog.values() if table.schema == "perps" and not table.view
    }


def test_every_table_and_column_has_a_comment(catalog: dict[str, CatalogTable]) -> None:
    bare = [table.full_name for table in catalog.values() if not table.comment]
    bare += [
        f"{table.full_name}.{column.name}"
        for table in catalog.values()
        for column in table.columns
        if not column.comment
    ]
    assert bare == []


def test_every_index_of_an_event_like_table_contains_block_time(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'perps'")
        tables = {plan.name for plan in RECORD_PLANS.values()}
        without = [
            definition for table, definition in rows if table in tables and "block_time" not in definition
        ]
    assert without == []


def test_the_documentation_lists_every_column(database_url: str, request: pytest.FixtureRequest) -> None:
    text = TABLES.read_text()
    written = text[: text.index(MARK) + len(MARK)] + "\n" + write_markdown(read_catalog(database_url))
    if request.config.getoption("--regenerate"):
        TABLES.write_text(written)
    assert text == written or request.config.getoption("--regenerate"), f"run {REGENERATE}"


def test_the_examples_of_the_documentation_run(database_url: str) -> None:
    examples = re.findall(r"```sql\n(.*?)```", TABLES.read_text(), re.DOTALL)
    assert len(examples) >= 4
    with psycopg.connect(database_url) as connection:
        for example in examples:
            connection.execute(example)


@ON_EMBEDDED
def test_schema_sql_is_the_sum_of_the_migrations(database_url: str, request: pytest.FixtureRequest) -> None:
    written = dump(database_url)
    if request.config.getoption("--regenerate"):
        SCHEMA.write_text(written)
    assert SCHEMA.read_text() == written, f"run {REGENERATE}"


def test_the_shape_is_that_of_the_migrations(database_url: str, request: pytest.FixtureRequest) -> None:
    with psycopg.connect(database_url) as connection:
        written = write_shape(read_shape(connection))
    if request.config.getoption("--regenerate"):
        SHAPE.write_text(written)
    assert SHAPE.read_text() == written, f"run {REGENERATE}"


def dump(url: str) -> str:
    command = [str(program("pg_dump")), "--schema-only", "--no-owner", "--no-privileges", f"--dbname={url}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Comments name versions and session settings; \restrict carries a random word.
    kept = [
        line for line in told.splitlines() if not line.startswith(("--", "SET ", "SELECT pg_catalog", "\\"))
    ]
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
    return f"-- The sum of all migrations, for reading; made by `{REGENERATE}`.\n\n{body}\n"
