"""Settings: documented and checked."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields

import pytest

from heliograph_core.errors import SettingsError
from heliograph_graphql import settings
from heliograph_graphql.settings import ApiSettings


def test_every_setting_is_documented() -> None:
    (cls,) = (node for node in ast.parse(inspect.getsource(settings)).body if isinstance(node, ast.ClassDef))
    documented = {
        one.target.id
        for one, following in zip(cls.body, cls.body[1:], strict=False)
        if isinstance(one, ast.AnnAssign)
        and isinstance(one.target, ast.Name)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
    }
    assert documented == {field.name for field in fields(ApiSettings)}


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="max_first is 0"):
        ApiSettings(max_first=0)
