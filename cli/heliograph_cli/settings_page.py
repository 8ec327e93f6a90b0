"""Writes docs/settings.md from the settings themselves: `python -m heliograph_cli.settings_page > docs/settings.md`."""

from __future__ import annotations

from pathlib import Path

from heliograph_cli.sections import REQUIRED, Key, spelled_type, variable_name
from heliograph_cli.settings import sections

_HEAD = """\
# Settings

Read once, at start. An option of the command line wins over an environment variable, that over `heliograph.toml` (in the working
directory, or named with `--config`), that over the default. A key that is not listed here is an error. `rpc = "https://…"` and
`database = "postgresql://…"` are short for a table with `url` alone, `rpc = ["https://…", "https://…"]` for one with `urls`. A list in
an environment variable is separated by commas. `DATABASE_URL` is read too; `HELIOGRAPH_DATABASE_URL` wins.

`--verbose` and `--log-file` write log lines; with `HELIOGRAPH_LOG_FORMAT=json` each is a JSON object, else `key=value` text.

This page is written by `python -m heliograph_cli.settings_page > docs/settings.md`; a test compares the two.
"""

_ABOUT = {
    "rpc": "The cluster, and how requests to it are made.",
    "database": "PostgreSQL: where, and how much of it one process uses.",
    "storage": "How tables are stored, and for how long. Put into force by `up`, `index` and `migrate`.",
    "api": "The web application.",
    "gateway": "Who may ask the API, how often, and how its connections are bounded ([gateway.md](gateway.md)).",
    "indexer": "How the streams are indexed.",
    "heal": "How gaps are filled, by the healer beside live indexing and by `heliograph backfill`.",
    "metrics": "[Metrics](metrics.md) of `heliograph index`; a process that serves the API has them there.",
    "rollup": "How candles, funding, volume and open interest are kept ready.",
    "streams.NAME": "One table a stream, called by its name. In the file only.",
}


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD]
    for section, keys in sections().items():
        parts.append(f"\n## [{section}]\n\n{_ABOUT[section]}\n")
        for key in keys:
            parts.append(f"\n{_entry(section, key)}\n")
    return "".join(parts)


def _entry(section: str, key: Key) -> str:
    variable = "" if section.startswith("streams") else f" · `{variable_name(section, key.name)}`"
    default = "required" if key.default is REQUIRED else f"default {_spelled(key.default)}"
    return f"**`{key.name}`**{variable} · {spelled_type(key.wanted)} · {default}  \n{key.meaning}"


def _spelled(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | Path):
        return f'`"{value}"`'
    if isinstance(value, tuple):
        return f"`[{', '.join(_spelled(item).strip('`') for item in value)}]`"
    return f"`{value}`"


if __name__ == "__main__":
    print(page(), end="")
