"""The API's socket: what can be wrong with a port is told before anything starts."""

from __future__ import annotations

import pytest

from heliograph_cli.listener import listen, url
from heliograph_core.errors import SettingsError


def test_port_zero_is_any_free_port() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url(listener, "/graphql") == f"http://127.0.0.1:{port}/graphql"


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"^port {port} on 127.0.0.1 is in use: .*--port$"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(SettingsError, match=f"^port {port} does not exist"):
        listen("127.0.0.1", port)


def test_a_host_that_is_not_this_machine_is_refused() -> None:
    # 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
    with pytest.raises(SettingsError, match=r"^cannot listen on 192\.0\.2\.1:0"):
        listen("192.0.2.1", 0)


def test_a_wildcard_address_is_shown_as_one_that_can_be_opened() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert url(listener).startswith("http://127.0.0.1:")
