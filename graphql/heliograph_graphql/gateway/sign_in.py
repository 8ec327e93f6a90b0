"""Sign-In with Solana: a wallet signs a message that names a nonce of ours, and receives a key of its own.

The message is laid out as wallets show it (Sign-In with Solana, after EIP-4361). A nonce is the time at which it ends and a
code that only a server of this database can make, so asking for one writes nothing; that a nonce is used once is seen to
where its key is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import base58
import msgspec
import orjson
from solders.pubkey import Pubkey
from solders.signature import Signature
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from heliograph_core.errors import HeliographError
from heliograph_graphql.failures import BAD_INPUT, BAD_REQUEST, show
from heliograph_graphql.gateway.refusal import UNAUTHENTICATED
from heliograph_graphql.gateway.settings import GatewaySettings
from heliograph_sql.database import Database
from heliograph_sql.keys import make_key, read_secret, store_wallet_key

STATEMENT = "Sign in to receive an API key for market data. This costs nothing and moves nothing."
_MAC_BYTES = 16


class SignInError(HeliographError):
    """A message or signature that is refused; the text is for the client."""


@dataclass(frozen=True)
class Challenge:
    """What a wallet is to sign, and until when."""

    domain: str
    address: str
    nonce: str
    issued_at: datetime
    expires_at: datetime

    @property
    def message(self) -> str:
        return (
            f"{self.domain} wants you to sign in with your Solana account:\n{self.address}\n\n{STATEMENT}\n\n"
            f"URI: https://{self.domain}\nVersion: 1\nNonce: {self.nonce}\n"
            f"Issued At: {_shown(self.issued_at)}\nExpiration Time: {_shown(self.expires_at)}"
        )


def challenge(secret: bytes, domain: str, address: str, now: float, good_s: float) -> Challenge:
    """A challenge for `address`. Pure but for the nonce's random part. Raises SignInError for what is no address."""
    wallet(address)
    issued = int(now)
    return _build(secret, domain, address, issued, issued + round(good_s), secrets.token_hex(8))


def check(secret: bytes, domain: str, address: str, nonce: str, signature: str, now: float) -> None:
    """Raises SignInError unless `address` signed the challenge of this nonce, which is ours and not over."""
    try:
        issued, expires, salt = int(nonce[:8], 16), int(nonce[8:16], 16), nonce[16:32]
    except ValueError:
        raise SignInError("this nonce is none of ours: ask for one at /auth/nonce") from None
    asked = _build(secret, domain, address, issued, expires, salt)
    if not hmac.compare_digest(asked.nonce.encode(), nonce.encode("utf-8", "replace")):
        raise SignInError(
            "this nonce is none of ours, or another domain's or wallet's: ask for one at /auth/nonce"
        )
    if now > expires:
        raise SignInError("this nonce is over: ask for another at /auth/nonce")
    if not _signature(signature).verify(wallet(address), asked.message.encode()):
        raise SignInError(
            "the signature is not this wallet's over this message: sign the message as it was received"
        )


def wallet(address: str) -> Pubkey:
    """Raises SignInError for what is no address, or one written otherwise than addresses are."""
    try:
        found = Pubkey.from_string(address)
    except ValueError:
        found = None
    if found is None or str(found) != address:
        raise SignInError(f"{address[:60]!r} is no address: pass 32 bytes in base58")
    return found


def _signature(text: str) -> Signature:
    try:
        return Signature.from_bytes(base58.b58decode(text[:120]))
    except ValueError:
        raise SignInError("the signature is not 64 bytes in base58") from None


def _build(secret: bytes, domain: str, address: str, issued: int, expires: int, salt: str) -> Challenge:
    head = f"{issued:08x}{expires:08x}{salt}"
    code = hmac.new(secret, f"{head}\n{domain}\n{address}".encode("utf-8", "replace"), hashlib.sha256)
    return Challenge(
        domain, address, head + code.hexdigest()[: 2 * _MAC_BYTES], _time(issued), _time(expires)
    )


def _time(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _shown(time_: datetime) -> str:
    return time_.isoformat().replace("+00:00", "Z")


class _Signed(msgspec.Struct):
    domain: str
    address: str
    nonce: str
    signature: str


class SignIn:
    """GET /auth/nonce and POST /auth/key."""

    def __init__(
        self, database: Database, settings: GatewaySettings, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Nothing where no domain may sign in."""
        if not self._settings.sign_in_domains:
            return []
        return [
            Route("/auth/nonce", self._nonce, methods=["GET"]),
            Route("/auth/key", self._key, methods=["POST"]),
        ]

    async def _nonce(self, http: Request) -> Response:
        given = http.query_params
        domain = given.get("domain") or self._settings.sign_in_domains[0]
        try:
            self._check_domain(domain)
            async with self._database.acquire() as connection:
                secret = await read_secret(connection)
            made = challenge(
                secret, domain, given.get("address", ""), self._clock(), self._settings.sign_in_s
            )
        except HeliographError as error:
            return _failed(error)
        return _answer(
            {
                "domain": made.domain,
                "address": made.address,
                "nonce": made.nonce,
                "message": made.message,
                "expiresAt": _shown(made.expires_at),
            }
        )

    async def _key(self, http: Request) -> Response:
        try:
            signed = msgspec.json.decode(await http.body(), type=_Signed)
        except ClientDisconnect:
            return _answer({"error": "the body ended early", "code": BAD_REQUEST}, 400)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            text = f"the body is not what /auth/key takes ({str(error)[:100]}): send domain, address, nonce and signature"
            return _answer({"error": text, "code": BAD_REQUEST}, 400)
        try:
            self._check_domain(signed.domain)
            async with self._database.acquire() as connection:
                secret = await read_secret(connection)
                check(secret, signed.domain, signed.address, signed.nonce, signed.signature, self._clock())
                made = make_key()
                expires = datetime.now(UTC) + timedelta(days=self._settings.sign_in_key_days)
                stored = await store_wallet_key(connection, made, signed.address, signed.nonce, expires)
            if not stored:
                raise SignInError("this nonce was used: ask for another at /auth/nonce")
        except HeliographError as error:
            return _failed(error)
        return _answer(
            {"key": made.text, "id": made.id, "address": signed.address, "expiresAt": _shown(expires)}
        )

    def _check_domain(self, domain: str) -> None:
        if domain not in self._settings.sign_in_domains:
            raise SignInError(f"{domain[:60]!r} may not sign in here: sign_in_domains names who may")


def _failed(error: HeliographError) -> Response:
    if isinstance(error, SignInError):
        code = BAD_INPUT if "address" in str(error) and "base58" in str(error) else UNAUTHENTICATED
        return _answer({"error": str(error), "code": code}, 400 if code == BAD_INPUT else 401)
    shown = show(error)
    return _answer({"error": shown["message"], "code": shown["extensions"]["code"]}, 503)


def _answer(body: dict[str, str], status: int = 200) -> Response:
    return Response(
        orjson.dumps(body), status, media_type="application/json", headers={"cache-control": "no-store"}
    )
