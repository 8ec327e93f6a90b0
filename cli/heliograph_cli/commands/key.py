"""`heliograph key add | list | revoke`: who may ask the API, and how often."""

from __future__ import annotations

from datetime import UTC, datetime

from heliograph_cli.settings import Settings
from heliograph_cli.store import opened
from heliograph_core.errors import SettingsError
from heliograph_sql.keys import Key, add_key, list_keys, make_key, revoke_key

_LONGEST = 200


async def add(settings: Settings, name: str, *, rate: int | None, days: int | None) -> int:
    if not name.strip() or len(name) > _LONGEST or not name.isprintable():
        raise SettingsError(f"name {name[:60]!r} names nothing: write 1 to {_LONGEST} letters")
    made = make_key()
    async with opened(settings.database) as store, store.database.acquire() as connection:
        await add_key(connection, made, name, rate, days)
    print(made.text)
    print("this is shown once: clients send it as `Authorization: Bearer …` or `X-API-Key`")
    return 0


async def list_all(settings: Settings) -> int:
    async with opened(settings.database) as store, store.database.acquire() as connection:
        keys = await list_keys(connection)
    for key in keys:
        print("  ".join(_shown(key)))
    if not keys:
        print("no keys yet: add one with `heliograph key add`")
    return 0


async def revoke(settings: Settings, id: str) -> int:
    id = id.removeprefix("hg_").partition("_")[0]
    async with opened(settings.database) as store, store.database.acquire() as connection:
        revoked = await revoke_key(connection, id)
    if revoked is None:
        raise SettingsError(f"there is no key {id[:60]!r}: `heliograph key list` shows those there are")
    within = f"within {settings.api.gateway.key_cache_s:g} s every API refuses it"
    print(f"key {id} is revoked: {within}" if revoked else f"key {id} was revoked before")
    return 0


def _shown(key: Key) -> list[str]:
    state = "good"
    if key.revoked_at is not None:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    elif key.expires_at is not None:
        over = key.expires_at <= datetime.now(UTC)
        state = f"{'over since' if over else 'good until'} {key.expires_at:%Y-%m-%d %H:%M}"
    rate = f"{key.requests_per_minute} a minute" if key.requests_per_minute else "as set"
    return [key.id, f"{key.created_at:%Y-%m-%d}", state, rate, key.wallet or key.name]
