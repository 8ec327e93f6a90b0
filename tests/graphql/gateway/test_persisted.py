"""Operations by hash (APQ) and by list."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from heliograph_core.errors import SettingsError
from heliograph_graphql.app import create_app
from heliograph_graphql.failures import RequestError
from heliograph_graphql.gateway.persisted import PersistedOperations, read_allowed
from heliograph_graphql.gateway.settings import GatewaySettings
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database

TEXT = "{ __typename }"
HASH = hashlib.sha256(TEXT.encode()).hexdigest()
BY_HASH = {"persistedQuery": {"version": 1, "sha256Hash": HASH}}


def code(operations: PersistedOperations, *asked: Any) -> str:
    with pytest.raises(RequestError) as error:
        operations.text(*asked)
    return str(error.value.errors[0]["extensions"]["code"])


def test_a_hash_is_known_once_its_text_was_sent() -> None:
    operations = PersistedOperations(None, 10)
    assert code(operations, None, None, BY_HASH) == "PERSISTED_QUERY_NOT_FOUND"
    assert operations.text(TEXT, None, BY_HASH) == TEXT
    assert operations.text(None, None, BY_HASH) == TEXT
    assert operations.text(None, HASH, None) == TEXT
    assert operations.text("{ a }", None, None) == "{ a }"


def test_nobody_can_put_another_text_under_a_hash() -> None:
    operations = PersistedOperations(None, 10)
    assert code(operations, "{ evil }", None, BY_HASH) == "PERSISTED_QUERY_HASH_MISMATCH"
    assert code(operations, None, None, BY_HASH) == "PERSISTED_QUERY_NOT_FOUND"
    assert code(operations, "\ud800", None, BY_HASH) == "PERSISTED_QUERY_HASH_MISMATCH"


def test_what_is_remembered_is_bounded() -> None:
    operations = PersistedOperations(None, 2)
    for number in range(3):
        text = f"{{ a{number} }}"
        name = hashlib.sha256(text.encode()).hexdigest()
        operations.text(text, None, {"persistedQuery": {"sha256Hash": name}})
    assert code(operations, None, hashlib.sha256(b"{ a0 }").hexdigest(), None) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize(
    "extensions",
    [
        {"persistedQuery": 5},
        {"persistedQuery": {}},
        {"persistedQuery": {"sha256Hash": 1}},
        {"persistedQuery": {"sha256Hash": "x" * 129}},
    ],
)
def test_a_strange_extension_is_refused(extensions: Any) -> None:
    assert code(PersistedOperations(None, 2), None, None, extensions) == "BAD_REQUEST"


def test_beside_a_list_nothing_is_run() -> None:
    operations = PersistedOperations({"one": TEXT}, 10)
    assert operations.text(TEXT, None, None) == TEXT
    assert operations.text(None, "one", None) == TEXT
    assert operations.text(None, None, {"persistedQuery": {"sha256Hash": "one"}}) == TEXT
    for asked in ((TEXT + " ", None, None), (None, "two", None), ("{ a }", "one", None), (None, None, None)):
        assert code(operations, *asked) == "OPERATION_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "cannot be read"), ("[", "is no JSON"), ("[]", "one object"), ('{"a": 1}', "one object")],
)
def test_a_list_that_is_none_says_so_at_start(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "operations.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match=words):
        read_allowed(path)


async def test_clients_that_speak_apq_are_answered(database: Database, tmp_path: Path) -> None:
    app = create_app(database)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http:
        params = {"extensions": json.dumps(BY_HASH)}
        first = await http.get("/graphql", params=params)
        assert (first.status_code, first.json()["errors"][0]["message"]) == (200, "PersistedQueryNotFound")
        assert (await http.post("/graphql", json={"query": TEXT, "extensions": BY_HASH})).status_code == 200
        assert (await http.get("/graphql", params=params)).json() == {"data": {"__typename": "Query"}}
        assert (await http.get("/graphql", params={"extensions": "["})).status_code == 400
    path = tmp_path / "operations.json"
    path.write_text(json.dumps({"abc": TEXT}))
    app = create_app(database, ApiSettings(gateway=GatewaySettings(allowed_operations=path)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http:
        assert (await http.post("/graphql", json={"documentId": "abc"})).status_code == 200
        refused = await http.post("/graphql", json={"query": "{ markets { totalCount } }"})
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (
            403,
            "OPERATION_NOT_ALLOWED",
        )
        # REST is a list of stored operations by itself.
        assert (await http.get("/api/markets")).status_code == 200
