"""API keys: made, stored as hashes, read, revoked.

A key is `hg_<id>_<secret>`. The id is public and names it in lists and logs; the secret is 256 random bits, so one round of
SHA-256 hides it, and whoever reads the table cannot ask with it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heliograph_sql.queries import load

_KEY = re.compile(r"hg_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_SECRET_BYTES = 32


@dataclass(frozen=True)
class NewKey:
    """A key that was just made: the only moment at which its text is known."""

    id: str
    hash: bytes
    text: str


@dataclass(frozen=True)
class Key:
    """A stored key."""

    id: str
    name: str
    wallet: str | None
    requests_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def make_key() -> NewKey:
    name = "".join(secrets.choice(_LETTERS) for _ in range(12))
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    return NewKey(name, _hash(secret), f"hg_{name}_{secret}")


def parse_key(text: str) -> tuple[str, bytes] | None:
    """Id and hash of a key's text, None for what is no key."""
    match = _KEY.fullmatch(text)
    return (match[1], _hash(match[2])) if match else None


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def add_key(
    connection: Any, key: NewKey, name: str, requests_per_minute: int | None, days: int | None
) -> None:
    await connection.execute(load("keys.sql")["add_key"], key.id, key.hash, name, requests_per_minute, days)


async def read_key(connection: Any, id: str, hash: bytes) -> Key | None:
    """The key of this id and hash, if it is neither revoked nor over."""
    row = await connection.fetchrow(load("keys.sql")["read_key"], id, hash)
    return Key(**row) if row is not None else None


async def list_keys(connection: Any) -> Sequence[Key]:
    """Every key, oldest first, revoked ones too."""
    return [Key(**row) for row in await connection.fetch(load("keys.sql")["list_keys"])]


async def revoke_key(connection: Any, id: str) -> bool | None:
    """True: it is revoked now; False: it was before; None: there is no such key."""
    queries = load("keys.sql")
    if await connection.fetchval(queries["revoke_key"], id) is not None:
        return True
    return False if await connection.fetchval(queries["is_key"], id) else None


async def store_wallet_key(
    connection: Any, key: NewKey, wallet: str, nonce: str, expires_at: datetime
) -> bool:
    """Makes `key` the wallet's only living one. False, and nothing changes, where the nonce was used before."""
    queries = load("keys.sql")
    async with connection.transaction():
        await connection.fetchval(queries["lock_wallet"], wallet)
        if await connection.fetchval(queries["is_used"], nonce):
            return False
        await connection.execute(queries["revoke_of_wallet"], wallet)
        await connection.execute(queries["forget_over"])
        stored = await connection.fetchval(
            queries["add_wallet_key"], key.id, key.hash, wallet, nonce, expires_at
        )
        assert stored is not None, "the wallet's lock keeps others from using its nonce"
    return True


async def read_secret(connection: Any) -> bytes:
    """The secret that nonces of this database are made with."""
    queries = load("keys.sql")
    found = await connection.fetchval(queries["read_secret"])
    if found is None:
        await connection.execute(queries["write_secret"], secrets.token_bytes(32))
        found = await connection.fetchval(queries["read_secret"])
    assert isinstance(found, bytes)
    return found
