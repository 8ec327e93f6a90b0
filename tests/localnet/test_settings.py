from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools

import pytest

from heliograph_localnet import settings
from heliograph_localnet.settings import LocalnetSettings


def test_every_setting_is_documented() -> None:
    (body,) = [
        node.body for node in ast.parse(inspect.getsource(settings)).body if isinstance(node, ast.ClassDef)
    ]
    documented = {
        field.target.id
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }
    assert documented == {field.name for field in dataclasses.fields(LocalnetSettings)}


def test_settings_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        LocalnetSettings().seed = 1  # type: ignore[misc]
