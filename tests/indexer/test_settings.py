"""Settings are checked when made, and addresses are shown without secrets."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields, is_dataclass

import pytest

from heliograph_core.errors import SettingsError
from heliograph_indexer import settings as module
from heliograph_indexer.settings import IndexerSettings, RpcSettings, derived_ws_url, is_loopback, shown_url


@pytest.mark.parametrize(
    ("rpc_url", "ws_url"),
    [
        ("http://127.0.0.1:8899", "ws://127.0.0.1:8900"),
        ("http://[::1]:8899", "ws://[::1]:8900"),
        ("https://rpc.example.org", "wss://rpc.example.org"),
        ("https://rpc.example.org/key?api-key=x", "wss://rpc.example.org/key?api-key=x"),
        ("https://user:pass@rpc.example.org:443/", "wss://user:pass@rpc.example.org:444/"),
    ],
)
def test_the_websocket_address_follows_from_the_rpc_address(rpc_url: str, ws_url: str) -> None:
    assert derived_ws_url(rpc_url) == ws_url
    assert IndexerSettings(rpc_url=rpc_url).websocket_url == ws_url


def test_a_given_websocket_address_stands() -> None:
    given = IndexerSettings(rpc_url="http://127.0.0.1:1", ws_url="ws://127.0.0.1:9")
    assert given.websocket_url == "ws://127.0.0.1:9"


def test_several_endpoints_bring_their_websockets_along() -> None:
    several = IndexerSettings(
        rpc_url="http://a:1", rpc_urls=("http://b:1", "http://a:1", "https://c"), ws_url="ws://a:7"
    )
    assert several.endpoint_urls == ("http://a:1", "http://b:1", "https://c")
    assert several.websocket_urls == ("ws://a:7", "ws://b:2", "wss://c")
    given = IndexerSettings(rpc_url="http://a:1", rpc_urls=("http://b:65535",), ws_urls=("ws://x:1",))
    assert given.websocket_urls == ("ws://a:2", "ws://x:1")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"rpc_urls": ("ftp://b",)}, "rpc_urls"),
        ({"ws_urls": ("http://b",)}, "ws_urls"),
        ({"rpc_urls": ("http://b:65535",)}, "give ws_urls"),
    ],
)
def test_a_wrong_further_address_is_named(wrong: dict[str, tuple[str, ...]], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        IndexerSettings(rpc_url="http://a:1", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["", "localhost:8899", "ftp://x", "http://", "http://x:notaport", "http://x:0"]
)
def test_a_wrong_address_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match="rpc_url"):
        IndexerSettings(rpc_url=url)


def test_a_wrong_address_is_named_without_its_secrets() -> None:
    with pytest.raises(SettingsError) as raised:
        IndexerSettings(rpc_url="ftp://user:pass@host/x?api-key=secret")
    assert "pass" not in str(raised.value) and "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@host:1/key?api-key=x", "https://host:1"),
        ("http://[::1]:8899/", "http://[::1]:8899"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_loopback_is_told_from_the_rest() -> None:
    assert all(is_loopback(f"http://{host}:1") for host in ("localhost", "127.0.0.1", "127.9.9.9", "[::1]"))
    assert not any(is_loopback(f"http://{host}:1") for host in ("10.0.0.1", "example.org", "localhost.org"))


@pytest.mark.parametrize("name", ["poll_interval_s", "span_transactions", "queue_spans", "lease_ttl_s"])
def test_a_number_that_makes_no_sense_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        IndexerSettings(rpc_url="http://127.0.0.1:1", **{name: 0})  # type: ignore[arg-type]


def test_limits_of_requests_are_checked() -> None:
    for wrong in ({"attempts": 0}, {"deadline_s": -1}, {"request_bytes": 10}):
        with pytest.raises(SettingsError):
            RpcSettings(**wrong)


def test_every_setting_is_documented() -> None:
    tree = ast.parse(inspect.getsource(module))
    for node in tree.body:
        made = getattr(module, node.name, None) if isinstance(node, ast.ClassDef) else None
        if not isinstance(node, ast.ClassDef) or not is_dataclass(made):
            continue
        documented = {
            before.target.id
            for before, after in zip(node.body, node.body[1:], strict=False)
            if isinstance(before, ast.AnnAssign)
            and isinstance(before.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        }
        assert {field.name for field in fields(made)} <= documented, node.name


def test_each_endpoint_has_its_websocket() -> None:
    alone = IndexerSettings(rpc_url="http://a:1", ws_urls=("ws://x:1",))
    assert alone.websockets_of("http://a:1") == {"ws://a:2", "ws://x:1"}
    two = IndexerSettings(rpc_url="http://a:1/key", rpc_urls=("https://b/other",))
    assert two.websockets_of("http://a:1") == {"ws://a:2/key"}
    assert two.websockets_of("https://b") == {"wss://b/other"}
    given = IndexerSettings(
        rpc_url="http://a:1", rpc_urls=("http://b:1", "http://c:1"), ws_urls=("ws://b:9",)
    )
    assert given.websockets_of("http://b:1") == {"ws://b:9"}
    assert given.websockets_of("http://c:1") == frozenset()
