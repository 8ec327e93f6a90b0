"""Addresses of the GoDark programs and of what belongs to them; all base58, all derived, none drawn by chance."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files

from solders.pubkey import Pubkey

from heliograph_indexer.idl.encoder import Encoder, event_authority

POSITIONS_IDL = (files("heliograph_indexer") / "idls" / "godark_positions.json").read_bytes()
VAULT_IDL = (files("heliograph_indexer") / "idls" / "godark_vault.json").read_bytes()
POSITIONS_CODEC = Encoder(POSITIONS_IDL)
VAULT_CODEC = Encoder(VAULT_IDL)
POSITIONS = POSITIONS_CODEC.address
VAULT = VAULT_CODEC.address
POSITIONS_AUTHORITY = event_authority(POSITIONS)
VAULT_AUTHORITY = event_authority(VAULT)

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
MEMO_PROGRAM = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"

_POSITIONS_KEY = Pubkey.from_string(POSITIONS)
_VAULT_KEY = Pubkey.from_string(VAULT)


def named(*parts: object) -> str:
    """The address that stands for `parts`: always the same, and nobody has its key."""
    text = "/".join(map(str, parts))
    return str(Pubkey(hashlib.sha256(text.encode()).digest()))


ROUTER = named("heliograph", "router program")
"""A foreign program that calls godark for others, so that godark runs at depth 2."""
NOISE = named("heliograph", "noise program")
"""A foreign program that says things which look like godark's."""


@lru_cache(maxsize=65_536)
def position_account(wallet: str, market: str) -> tuple[str, int]:
    """(address, bump) of the one position that `wallet` may hold in `market`."""
    seeds = [b"position", bytes(Pubkey.from_string(wallet)), bytes(Pubkey.from_string(market))]
    address, bump = Pubkey.find_program_address(seeds, _POSITIONS_KEY)
    return str(address), bump


def position_address(wallet: str, market: str) -> str:
    return position_account(wallet, market)[0]


@lru_cache(maxsize=4_096)
def market_account(symbol: str) -> tuple[str, int]:
    """(address, bump) of the market called `symbol`."""
    address, bump = Pubkey.find_program_address([b"market", symbol.encode()], _POSITIONS_KEY)
    return str(address), bump


def market_address(symbol: str) -> str:
    return market_account(symbol)[0]


@lru_cache(maxsize=65_536)
def purse_address(wallet: str) -> str:
    """The vault's account for `wallet`."""
    seeds = [b"vault", bytes(Pubkey.from_string(wallet))]
    return str(Pubkey.find_program_address(seeds, _VAULT_KEY)[0])


def idl_address(program: str) -> str:
    """Where Anchor before 1.0 keeps a program's IDL."""
    key = Pubkey.from_string(program)
    base, _ = Pubkey.find_program_address([], key)
    return str(Pubkey.create_with_seed(base, "anchor:idl", key))
