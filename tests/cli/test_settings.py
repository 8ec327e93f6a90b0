"""All settings: where they come from, that each is documented, and that the page of settings says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heliograph_cli.sections import Key
from heliograph_cli.settings import Settings, build, load, sections
from heliograph_cli.settings_page import page
from heliograph_core.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
EVERY_KEY = [(section, key) for section, keys in sections().items() for key in keys]


def built(
    document: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
    options: dict[str, dict[str, object]] | None = None,
) -> Settings:
    return build(
        document or {}, file_name="heliograph.toml", environment=environment or {}, options=options or {}
    )


@pytest.mark.parametrize(
    ("section", "key"), EVERY_KEY, ids=[f"{section}.{key.name}" for section, key in EVERY_KEY]
)
def test_every_setting_is_documented(section: str, key: Key) -> None:
    assert key.meaning.endswith("."), f"[{section}] {key.name} needs a sentence below its field"


def test_the_page_of_settings_is_what_the_settings_say() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page(), (
        "write it anew: python -m heliograph_cli.settings_page > docs/settings.md"
    )


def test_the_example_file_is_valid() -> None:
    settings = load(file=ROOT / "docs" / "heliograph.toml", environment={})
    assert settings.indexing().rpc_url == "https://rpc.example.org"
    assert settings.streams["godark"].protocol == "godark"


def test_nothing_given_is_the_embedded_database_and_no_cluster() -> None:
    settings = built()
    assert settings.database.url is None
    assert (settings.listen.host, settings.listen.port) == ("127.0.0.1", 8000)
    with pytest.raises(SettingsError, match=r"^no cluster is named: .*HELIOGRAPH_RPC_URL.*--rpc$"):
        settings.indexing()


def test_texts_are_short_for_tables_with_a_url() -> None:
    settings = built({"rpc": "http://127.0.0.1:8899", "database": "postgresql://x/y"})
    assert settings.indexing().websocket_url == "ws://127.0.0.1:8900"
    assert settings.database.url == "postgresql://x/y"


def test_option_beats_environment_beats_file_beats_default() -> None:
    file = {"api": {"port": 1}}
    environment = {"HELIOGRAPH_API_PORT": "2"}
    assert built().listen.port == 8000
    assert built(file).listen.port == 1
    assert built(file, environment).listen.port == 2
    assert built(file, environment, {"api": {"port": 3}}).listen.port == 3


def test_database_url_is_read_and_our_own_name_for_it_wins() -> None:
    assert built({}, {"DATABASE_URL": "postgresql://a/b"}).database.url == "postgresql://a/b"
    both = {"DATABASE_URL": "postgresql://a/b", "HELIOGRAPH_DATABASE_URL": "postgresql://c/d"}
    assert built({"database": "postgresql://e/f"}, both).database.url == "postgresql://c/d"


def test_a_data_folder_as_option_asks_for_the_embedded_server() -> None:
    environment = {"DATABASE_URL": "postgresql://a/b"}
    assert built({}, environment, {"database": {"data_dir": Path("/d")}}).database.url is None
    with pytest.raises(SettingsError, match=r"give one of them$"):
        built({}, {}, {"database": {"data_dir": Path("/d"), "url": "postgresql://a/b"}})


def test_limits_of_requests_reach_the_indexer() -> None:
    settings = built({"rpc": {"url": "http://h:1", "ws_url": "ws://h:9", "concurrency": 2}})
    assert settings.indexing().rpc.concurrency == 2
    assert settings.indexing().websocket_url == "ws://h:9"


def test_a_websocket_of_a_lower_source_is_not_mixed_with_another_cluster() -> None:
    file = {"rpc": {"url": "http://a:1", "ws_url": "ws://a:9"}}
    variable = {"HELIOGRAPH_RPC_URL": "http://b:1"}
    assert built(file).indexing().websocket_url == "ws://a:9"
    assert built(file, variable).indexing().websocket_url == "ws://b:2"
    assert (
        built(file, {**variable, "HELIOGRAPH_RPC_WS_URL": "ws://b:9"}).indexing().websocket_url == "ws://b:9"
    )
    assert built(file, {}, {"rpc": {"url": "http://c:1"}}).indexing().websocket_url == "ws://c:2"
    assert built(file, {}, {"rpc": {"ws_url": "ws://a:8"}}).indexing().websocket_url == "ws://a:8"


def test_several_endpoints_are_named_by_a_list_a_table_a_variable_or_options() -> None:
    urls = ("http://a:1", "http://b:1")
    for settings in (
        built({"rpc": list(urls)}),
        built({"rpc": {"url": urls[0], "urls": [urls[1]]}}),
        built({}, {"HELIOGRAPH_RPC_URLS": "http://a:1, http://b:1"}),
        built({}, {}, {"rpc": {"url": urls[0], "urls": (urls[1],)}}),
    ):
        assert settings.indexing().endpoint_urls == urls
        assert settings.indexing().websocket_urls == ("ws://a:2", "ws://b:2")


def test_endpoints_of_a_lower_source_are_not_mixed_with_another_cluster() -> None:
    file = {"rpc": {"url": "http://a:1", "urls": ["http://b:1"], "ws_urls": ["ws://b:9"], "concurrency": 2}}
    variable = {"HELIOGRAPH_RPC_URL": "http://c:1"}
    settings = built(file, variable).indexing()
    assert (settings.endpoint_urls, settings.websocket_urls) == (("http://c:1",), ("ws://c:2",))
    assert settings.rpc.concurrency == 2
    option: dict[str, dict[str, object]] = {"rpc": {"url": "http://d:1", "urls": ()}}
    both = built(file, {**variable, "HELIOGRAPH_RPC_URLS": "http://e:1"}, option).indexing()
    assert both.endpoint_urls == ("http://d:1",)


def test_streams_are_read() -> None:
    settings = built({"streams": {"main": {"protocol": "godark", "programs": ["A", "B"], "first_slot": 7}}})
    assert (settings.streams["main"].programs, settings.streams["main"].first_slot) == (("A", "B"), 7)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"databse": "x"}, "unknown setting 'databse' of heliograph.toml; did you mean 'database'?"),
        (
            {"api": {"prot": 1}},
            "unknown setting 'prot' of [api] in heliograph.toml; did you mean 'port'?",
        ),
        ({"streams": []}, "streams in heliograph.toml must be tables, [streams.NAME], not []"),
        (
            {"streams": {"a": {"programs": []}}},
            (
                "streams.a.protocol is missing in heliograph.toml: "
                "Name of the protocol that gives the programs' events their meaning; `anchor` is any program with an IDL."
            ),
        ),
    ],
)
def test_a_mistake_in_the_file_is_named(document: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        built(document)
    assert str(caught.value) == message


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml does not exist: name another with --config$"):
        load(file=tmp_path / "absent.toml", environment={})


def test_the_file_of_the_working_directory_may_be_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(file=None, environment={}).listen.port == 8000
    (tmp_path / "heliograph.toml").write_text("[api]\nport = 7\n")
    assert load(file=None, environment={}).listen.port == 7


def test_malformed_toml_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "h.toml").write_text("[api\nport = 7\n")
    with pytest.raises(SettingsError, match=r"h\.toml is not valid TOML: .*line 1"):
        load(file=tmp_path / "h.toml", environment={})
