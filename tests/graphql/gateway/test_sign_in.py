"""Sign-In with Solana: a wallet's signature over our message gives it a key, once, for one domain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import base58
import httpx2
import pytest
from solders.keypair import Keypair

from heliograph_core.errors import SettingsError
from heliograph_graphql.app import create_app
from heliograph_graphql.gateway.settings import GatewaySettings
from heliograph_graphql.gateway.sign_in import SignInError, challenge, check
from heliograph_graphql.settings import ApiSettings
from heliograph_sql.database import Database
from heliograph_sql.keys import add_key, list_keys, make_key, store_wallet_key

SECRET = b"s" * 32
NOW = 1_795_000_000.0
WALLET = Keypair.from_seed(bytes(range(32)))
ADDRESS = str(WALLET.pubkey())


def signed(message: str, wallet: Keypair = WALLET) -> str:
    return base58.b58encode(bytes(wallet.sign_message(message.encode()))).decode()


def test_a_wallet_that_signs_the_message_is_let_in_until_it_is_over() -> None:
    asked = challenge(SECRET, "app.example", ADDRESS, NOW, 300)
    assert asked.message.startswith(
        f"app.example wants you to sign in with your Solana account:\n{ADDRESS}\n\n"
    )
    assert f"\nNonce: {asked.nonce}\n" in asked.message and asked.nonce.isalnum()
    for later in (0, 300):
        check(SECRET, "app.example", ADDRESS, asked.nonce, signed(asked.message), NOW + later)
    with pytest.raises(SignInError, match="is over"):
        check(SECRET, "app.example", ADDRESS, asked.nonce, signed(asked.message), NOW + 301)


def test_what_is_not_exactly_that_is_refused() -> None:
    asked = challenge(SECRET, "app.example", ADDRESS, NOW, 300)
    good: dict[str, Any] = {
        "secret": SECRET,
        "domain": "app.example",
        "address": ADDRESS,
        "nonce": asked.nonce,
        "signature": signed(asked.message),
        "now": NOW,
    }
    check(**good)
    other = Keypair.from_seed(bytes(32))
    later = f"{int(asked.nonce[:8], 16):08x}{int(asked.nonce[8:16], 16) + 900:08x}{asked.nonce[16:]}"
    wrong: list[dict[str, Any]] = [
        {"secret": b"t" * 32},
        {"domain": "evil.example"},
        {"address": str(other.pubkey())},
        {"address": str(other.pubkey()), "signature": signed(asked.message, other)},
        {"signature": signed(asked.message, other)},
        {"signature": signed(asked.message + " ")},
        {"signature": "1" * 64},
        {"signature": "0OIl"},
        {"signature": ""},
        {"nonce": later},
        {"nonce": asked.nonce[:-1] + ("0" if asked.nonce[-1] != "0" else "1")},
        {"nonce": ""},
        {"nonce": "é" * 64},
        {"nonce": "-1" * 32},
    ]
    for change in wrong:
        with pytest.raises(SignInError):
            check(**(good | change))
    for address in ("", "nobody", "1" * 31, ADDRESS + "11", "0" * 44, "\0"):
        with pytest.raises(SignInError, match="is no address"):
            challenge(SECRET, "app.example", address, NOW, 300)


async def test_a_wallet_receives_one_key_of_its_own(database: Database) -> None:
    gateway = GatewaySettings(sign_in_domains=("app.example",), require_key=True)
    app = create_app(database, ApiSettings(gateway=gateway))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http:

        async def ask() -> dict[str, str]:
            asked = (await http.get("/auth/nonce", params={"address": ADDRESS})).json()
            body = {name: asked[name] for name in ("domain", "address", "nonce")}
            return {**body, "signature": signed(asked["message"])}

        async def status(key: str) -> int:
            return (await http.get("/api/markets", headers={"authorization": f"Bearer {key}"})).status_code

        first = await ask()
        response = await http.post("/auth/key", json=first)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        key = response.json()["key"]
        assert await status(key) == 200
        again = await http.post("/auth/key", json=first)
        assert (again.status_code, again.json()["code"]) == (401, "UNAUTHENTICATED")
        assert "was used" in again.json()["error"]
        newer = (await http.post("/auth/key", json=await ask())).json()["key"]
        assert await status(newer) == 200
        async with database.acquire() as connection:
            living = await connection.fetch(
                "SELECT id FROM heliograph.api_keys WHERE wallet = $1 AND revoked_at IS NULL", ADDRESS
            )
        assert [row["id"] for row in living] == [newer.split("_")[1]]
        for body, code in (
            ({**first, "domain": "evil.example"}, 401),
            ({**first, "signature": "x"}, 401),
            ({"address": ADDRESS}, 400),
            ([], 400),
        ):
            assert (await http.post("/auth/key", json=body)).status_code == code
        for query in ("address=nobody", "", f"address={ADDRESS}&domain=evil.example"):
            refused = await http.get(f"/auth/nonce?{query}")
            assert refused.status_code in (400, 401) and set(refused.json()) == {"error", "code"}


async def test_a_body_that_ends_early_is_no_defect(database: Database) -> None:
    app = create_app(database, ApiSettings(gateway=GatewaySettings(sign_in_domains=("app.example",))))
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/auth/key", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    assert sent[0]["status"] == 400


async def test_keys_that_wallets_signed_for_are_not_kept_for_ever(database: Database) -> None:
    stored = {"over": -2, "just over": 0, "living": 2}
    async with database.acquire() as connection:
        for wallet, days in stored.items():
            expires = datetime.now(UTC) + timedelta(days=days, minutes=-1)
            assert await store_wallet_key(connection, make_key(), wallet, f"nonce of {wallet}", expires)
        hand = make_key()
        await add_key(connection, hand, "by hand", None, -2)
        assert await store_wallet_key(
            connection, make_key(), "new", "nonce", datetime.now(UTC) + timedelta(days=1)
        )
        # One whose nonce may still be good stays, and so does whatever a person added.
        assert not await store_wallet_key(
            connection, make_key(), "just over", "nonce of just over", datetime.now(UTC)
        )
        assert {key.wallet for key in await list_keys(connection)} == {"just over", "living", "new", None}


def test_a_message_is_not_good_for_longer_than_used_ones_are_remembered() -> None:
    with pytest.raises(SettingsError, match="sign_in_s is 90000"):
        GatewaySettings(sign_in_s=90_000.0)


async def test_without_a_domain_nobody_signs_in(database: Database) -> None:
    app = create_app(database)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http:
        assert (await http.get("/auth/nonce")).status_code == 404
