"""Settings of one section: precedence, types, and what a mistake is told."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from heliograph_cli.sections import REQUIRED, from_text, from_toml, keys_of, read_section, spelled_type
from heliograph_core.errors import SettingsError


class Colour(enum.StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Shape:
    url: str
    """Where."""
    size: int = 3
    """How many,
    at most."""
    wait_s: float | None = None
    folder: Path | None = None
    """Which folder."""


KEYS = keys_of(Shape)


def read(
    file: object = None, environment: dict[str, str] | None = None, options: dict[str, object] | None = None
) -> dict[str, Any]:
    return read_section(
        "shape",
        KEYS,
        file={} if file is None else file,
        file_name="heliograph.toml",
        environment=environment or {},
        options=options or {},
    )


def test_keys_carry_default_and_meaning_of_the_field() -> None:
    assert [(key.name, key.default, key.meaning) for key in KEYS] == [
        ("url", REQUIRED, "Where."),
        ("size", 3, "How many, at most."),
        ("wait_s", None, ""),
        ("folder", None, "Which folder."),
    ]


def test_what_is_not_given_is_absent() -> None:
    assert read() == {}


def test_an_option_beats_the_environment_and_that_the_file() -> None:
    file, environment = {"size": 1}, {"HELIOGRAPH_SHAPE_SIZE": "2"}
    assert read(file) == {"size": 1}
    assert read(file, environment) == {"size": 2}
    assert read(file, environment, {"size": 4}) == {"size": 4}
    assert read(file, environment, {"size": None}) == {"size": 2}


def test_a_text_stands_for_a_table_with_a_url() -> None:
    assert read("somewhere") == {"url": "somewhere"}


def test_foreign_variables_are_ignored() -> None:
    assert read(environment={"HELIOGRAPH_SHAPE_PORT_8000_TCP": "tcp://10.0.0.1:8000"}) == {}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ({"sise": 1}, "unknown setting 'sise' of [shape] in heliograph.toml; did you mean 'size'?"),
        (
            {"zzz": 1},
            "unknown setting 'zzz' of [shape] in heliograph.toml; known here: url, size, wait_s, folder",
        ),
        ({"size": "1"}, "shape.size in heliograph.toml must be a whole number, not '1'"),
        ({"size": True}, "shape.size in heliograph.toml must be a whole number, not True"),
        ({"size": 1.5}, "shape.size in heliograph.toml must be a whole number, not 1.5"),
        ({"url": 1}, "shape.url in heliograph.toml must be a text in quotes, not 1"),
        (7, "shape in heliograph.toml must be a table, [shape], not 7"),
    ],
)
def test_a_mistake_in_the_file_is_named(file: object, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(file)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["http://secret\udcff", "http://sec\0ret"])
def test_text_that_is_none_is_refused_without_being_shown(text: str) -> None:
    for given in (
        {"file": {"url": text}},
        {"environment": {"HELIOGRAPH_SHAPE_URL": text}},
        {"options": {"url": text}},
    ):
        with pytest.raises(SettingsError, match=r"shape\.url holds NUL or bytes that are not UTF-8") as told:
            read(**given)  # type: ignore[arg-type]
        assert "sec" not in str(told.value)


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    with pytest.raises(SettingsError, match=r"^HELIOGRAPH_SHAPE_SIZE must be a whole number, not 'many'$"):
        read(environment={"HELIOGRAPH_SHAPE_SIZE": "many"})


@pytest.mark.parametrize(
    ("text", "wanted", "value"),
    [
        ("7", int, 7),
        ("1.5", float, 1.5),
        ("2", float, 2.0),
        ("Yes", bool, True),
        ("off", bool, False),
        ("", str | None, None),
        ("", str, ""),
        ("a, b,", tuple[str, ...], ("a", "b")),
        ("red", Colour, Colour.RED),
        ("up", Literal["up", "down"], "up"),
        ("/x", Path, Path("/x")),
    ],
)
def test_texts_become_what_is_wanted(text: str, wanted: Any, value: object) -> None:
    assert from_text(text, wanted, "X") == value


@pytest.mark.parametrize(
    ("value", "wanted", "told"),
    [
        ("perhaps", bool, "true or false"),
        ("blue", Colour, "'red'"),
        ("left", Literal["up", "down"], "'up' or 'down'"),
        ("a", tuple[str, ...], "a list"),
    ],
)
def test_other_values_are_refused_with_what_is_possible(value: object, wanted: Any, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_toml(value, wanted, "X")
    assert str(caught.value) == f"X must be {told}, not {value!r}"


def test_a_home_folder_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert from_toml("~/data", Path | None, "X") == Path("/home/someone/data")


def test_types_are_spelled_in_words() -> None:
    assert [spelled_type(key.wanted) for key in KEYS] == [
        "a text",
        "a whole number",
        "a number, or nothing",
        "a path, or nothing",
    ]
