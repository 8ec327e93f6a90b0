"""Which WebSocket comes next: the same after a failure, another after several, and no hammering once all failed."""

from __future__ import annotations

from heliograph_indexer.settings import IndexerSettings
from heliograph_indexer.sources.socket_rota import HEALTHY_S, SocketRota


def rota(*others: str) -> SocketRota:
    return SocketRota(
        IndexerSettings(
            rpc_url="http://a:1", rpc_urls=others, socket_failures=3, retry_s=1.0, retry_max_s=8.0
        )
    )


def test_a_single_failure_is_no_reason_to_leave() -> None:
    two = rota("http://b:1")
    assert two.url == "ws://a:2" and 0.5 <= two.lost("reset", 1.0) <= 1.0
    assert two.url == "ws://a:2" and two.trouble == "WebSocket ws://a:2: reset"
    two.opened()
    assert two.trouble is None


def test_repeated_failures_lead_to_the_next_and_round_again() -> None:
    two = rota("http://b:1")
    waits = [two.lost("refused", 0.0) for _ in range(3)]
    assert waits[-1] == 0.0 and waits[1] > 0 and two.url == "ws://b:2"
    waits = [two.lost("refused", 0.0) for _ in range(3)]
    assert two.url == "ws://a:2" and waits[-1] >= 4.0, "all have failed: the pause grows"


def test_a_connection_that_held_forgives_what_was_before() -> None:
    two = rota("http://b:1")
    two.lost("refused", 0.0)
    two.lost("refused", 0.0)
    assert two.lost("reset", HEALTHY_S) <= 1.0 and two.url == "ws://a:2"


def test_one_address_is_kept_whatever_happens() -> None:
    one = rota()
    assert all(one.lost("refused", 0.0) > 0 and one.url == "ws://a:2" for _ in range(10))


def test_trouble_shows_no_secret() -> None:
    one = SocketRota(IndexerSettings(rpc_url="http://a:1", ws_url="wss://user:pass@h:9/key?api-key=x"))
    one.lost("refused", 0.0)
    assert one.trouble == "WebSocket wss://h:9: refused"


def test_an_error_that_quotes_the_address_shows_no_secret() -> None:
    url = "wss://h:9/key?api-key=x"
    one = SocketRota(IndexerSettings(rpc_url="http://a:1", ws_url=url))
    assert one.failure(ValueError(f"{url} isn't a valid URI")) == "ValueError: wss://h:9 isn't a valid URI"
