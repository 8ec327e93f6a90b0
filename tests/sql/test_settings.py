"""Settings of the database: documented, and refused where they make no sense."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
from typing import Any

import pytest

from heliograph_core.errors import SettingsError
from heliograph_sql import settings
from heliograph_sql.settings import DatabaseSettings, RollupSettings, StorageSettings

SHAPES = {
    node.name: node.body
    for node in ast.parse(inspect.getsource(settings)).body
    if isinstance(node, ast.ClassDef) and dataclasses.is_dataclass(getattr(settings, node.name))
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_setting_is_documented(shape: str) -> None:
    documented = {
        field.target.id
        for field, after in itertools.pairwise(SHAPES[shape])
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }
    assert documented == {field.name for field in dataclasses.fields(getattr(settings, shape))}


def test_rolling_up_without_a_pause_is_refused() -> None:
    with pytest.raises(SettingsError, match="interval_s is 0"):
        RollupSettings(interval_s=0)


@pytest.mark.parametrize(
    "values",
    [
        {"pool_max": 0},
        {"pool_min": -1},
        {"pool_min": 5, "pool_max": 4},
        {"acquire_timeout_s": 0},
        {"idle_in_transaction_timeout_s": -1},
        {"statement_timeout_s": -1},
    ],
)
def test_a_senseless_setting_is_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))):
        DatabaseSettings(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"chunk_interval_hours": 0},
        {"columnstore_after_days": 0},
        {"retention_check_s": 0},
        {"retention": ("perps.trades",)},
        {"retention": ("perps.trades=-1",)},
        {"retention": ("=5",)},
        {"retention": ("perps.trades=1.5",)},
    ],
)
def test_a_senseless_way_to_store_is_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))):
        StorageSettings(**values)


def test_the_last_rule_that_fits_says_how_long_a_table_is_kept() -> None:
    storage = StorageSettings(retention=("*=365", "perps.*=30", "perps.trades=0"))
    tables = ("drift.fill", "perps.transfers", "perps.trades")
    assert [storage.days_kept(table) for table in tables] == [365, 30, None]
    assert StorageSettings(retention=("perps.*=30",)).days_kept("drift.fill") is None
