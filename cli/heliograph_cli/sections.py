"""Reads one section of settings out of plain mappings: options over environment over file over defaults."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import enum
import inspect
import os
import textwrap
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from heliograph_core.errors import SettingsError

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
REQUIRED = object()
"""The default of a key that has none."""


@dataclasses.dataclass(frozen=True)
class Key:
    """One setting: its name inside its section, its annotation, its default and what it means."""

    name: str
    wanted: Any
    default: object
    meaning: str


def keys_of(shape: type, *names: str, without: Collection[str] = ()) -> tuple[Key, ...]:
    """The fields of the dataclass `shape` as keys, in their order; with `names`, those alone."""
    hints = typing.get_type_hints(shape)
    meanings = documentation(shape)
    return tuple(
        Key(field.name, hints[field.name], _default(field), meanings.get(field.name, ""))
        for field in dataclasses.fields(shape)
        if (field.name in names if names else field.name not in without)
    )


def _default(field: dataclasses.Field[Any]) -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return REQUIRED


def read_section(
    section: str,
    keys: Iterable[Key],
    *,
    file: object,
    file_name: str,
    environment: Mapping[str, str],
    options: Mapping[str, object],
) -> dict[str, Any]:
    """The values that were given, by key; what is absent was not given.

    file: the section as TOML gave it, a table, or a text where a table of one key `url` is meant, or a list where
    `urls` is.
    environment: HELIOGRAPH_<SECTION>_<KEY> names, of which foreign ones are ignored (orchestrators set some of
    their own). options: values already typed; None means not given.
    Raises SettingsError for an unknown key of the file and for a value of the wrong type, naming where it stood.
    """
    known = {key.name: key for key in keys}
    if isinstance(file, str) and "url" in known:
        file = {"url": file}
    if isinstance(file, list) and "urls" in known:
        file = {"urls": file}
    if not isinstance(file, dict):
        raise SettingsError(f"{section} in {file_name} must be a table, [{section}], not {file!r}")
    refuse_unknown(file, known, f"[{section}] in {file_name}")
    values: dict[str, Any] = {}
    for name, key in known.items():
        variable = variable_name(section, name)
        if options.get(name) is not None:
            values[name] = options[name]
        elif variable in environment:
            values[name] = from_text(environment[variable], key.wanted, variable)
        elif name in file:
            values[name] = from_toml(file[name], key.wanted, f"{section}.{name} in {file_name}")
        given = values.get(name)
        if isinstance(given, str) and (
            "\0" in given or any("\ud800" <= letter <= "\udfff" for letter in given)
        ):
            # Not shown: it may hold a password. Bytes that are not UTF-8 reach Python as lone surrogates.
            raise SettingsError(
                f"{section}.{name} holds NUL or bytes that are not UTF-8: write it as plain text"
            )
    return values


def variable_name(section: str, key: str) -> str:
    return f"HELIOGRAPH_{section}_{key}".upper()


def refuse_unknown(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raises SettingsError for the first name of `given` that is not known, with the nearest one that is."""
    known = list(known)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            raise SettingsError(f"unknown setting {name!r} of {where}; {hint}")


def documentation(shape: type) -> dict[str, str]:
    """Field name to the string that stands below the field in the source; fields without one are absent."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(shape))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, after in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[field.target.id] = " ".join(after.value.value.split())
    return found


def from_text(text: str, wanted: Any, where: str) -> object:
    """The value that an environment variable or `--set` spells. An empty text is None where None is allowed."""
    wanted, optional = _without_none(wanted)
    if optional and not text:
        return None
    if typing.get_origin(wanted) is tuple:
        (inner, _) = typing.get_args(wanted)
        return tuple(from_text(part.strip(), inner, where) for part in text.split(",") if part.strip())
    if wanted is bool:
        if text.lower() in _YES | _NO:
            return text.lower() in _YES
        raise _wrong(where, "true or false", text)
    if wanted in (int, float):
        try:
            return wanted(text)
        except ValueError:
            raise _wrong(where, _NAMES[wanted], text) from None
    return from_toml(text, wanted, where)


def from_toml(value: object, wanted: Any, where: str) -> object:
    """`value`, checked against the annotation `wanted`; numbers and strings become Path, enum or tuple as it says."""
    wanted, optional = _without_none(wanted)
    if value is None and optional:
        return None
    if typing.get_origin(wanted) is tuple:
        (inner, _) = typing.get_args(wanted)
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        return tuple(from_toml(item, inner, where) for item in value)
    if typing.get_origin(wanted) is typing.Literal:
        if value not in typing.get_args(wanted):
            raise _wrong(where, " or ".join(map(repr, typing.get_args(wanted))), value)
        return value
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        try:
            return wanted(value)
        except ValueError:
            raise _wrong(where, " or ".join(repr(member.value) for member in wanted), value) from None
    if wanted is Path and isinstance(value, str):
        return Path(os.path.expanduser(value))
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is wanted:
        return value
    raise _wrong(where, _NAMES.get(wanted, str(wanted)), value)


_NAMES: Mapping[object, str] = types.MappingProxyType(
    {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "a text in quotes",
        Path: "a path in quotes",
    }
)


def spelled_type(wanted: Any) -> str:
    """The annotation in words, as the page of settings shows it."""
    wanted, optional = _without_none(wanted)
    if typing.get_origin(wanted) is tuple:
        words = "a list"
    elif typing.get_origin(wanted) is typing.Literal:
        words = " or ".join(map(repr, typing.get_args(wanted)))
    elif isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        words = " or ".join(repr(member.value) for member in wanted)
    else:
        words = _NAMES[wanted].removesuffix(" in quotes")
    return f"{words}, or nothing" if optional else words


def _without_none(wanted: Any) -> tuple[Any, bool]:
    if isinstance(wanted, types.UnionType) or typing.get_origin(wanted) is typing.Union:
        rest = [part for part in typing.get_args(wanted) if part is not types.NoneType]
        if len(rest) == 1:
            return rest[0], True
    return wanted, False


def _wrong(where: str, wanted: str, value: object) -> SettingsError:
    return SettingsError(f"{where} must be {wanted}, not {value!r}")
