"""The judge of conformance is judged: it overlooks nothing and keeps no excuse that is not needed."""

from __future__ import annotations

from tests.surfpool.verdict import Known, complaints

INDEX = Known(("page",), "$[*].index", "absent", "integer", "Surfpool has none")
SURFPOOL: dict[str, object] = {"page": [{"slot": 1}]}
LOCALNET: dict[str, object] = {"page": [{"slot": 2, "index": 0}]}


def test_a_named_difference_is_accepted() -> None:
    assert complaints(SURFPOOL, LOCALNET, [INDEX]) == []


def test_an_unnamed_difference_is_told() -> None:
    assert complaints(SURFPOOL, LOCALNET, []) == [
        "unnamed: page $[*].index: surfpool absent, localnet integer"
    ]


def test_a_named_difference_that_is_gone_is_told() -> None:
    assert complaints(LOCALNET, LOCALNET, [INDEX]) == [
        "differs no longer: page $[*].index (Surfpool has none)"
    ]


def test_a_difference_that_became_another_is_told() -> None:
    text = {"page": [{"slot": 2, "index": "0"}]}
    assert complaints(SURFPOOL, text, [INDEX]) == [
        "named otherwise: page $[*].index: surfpool absent, localnet string;"
        + " in the table surfpool absent, localnet integer"
    ]


def test_a_topic_of_one_side_only_is_told() -> None:
    assert complaints(SURFPOOL, {}, []) == ["unnamed: page $: surfpool array, localnet null"]
