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
from heliograph_sql.settings import DatabaseSettings, RollupSettings


@pytest.mark.parametrize("shape", [DatabaseSettings, RollupSettings], ids=lambda shape: shape.__name__)
def test_every_setting_is_documented(shape: type) -> None:
    [body] = [
        node.body
        for node in ast.parse(inspect.getsource(settings)).body
        if isinstance(node, ast.ClassDef) and node.name == shape.__name__
    ]
    documented = {
        field.target.id
        for field, after in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }
    assert documented == {field.name for field in dataclasses.fields(shape)}


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
