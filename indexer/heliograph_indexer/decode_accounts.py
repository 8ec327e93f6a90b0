"""What `heliograph decode account` prints: a file's bytes and an IDL in, lines of JSON out. Pure.

In: accounts as account_json reads them. Out: one line an account, and one a problem: an account that no layout fits.
Raises TransactionError for a file that holds no account, or one that another program owns.
"""

from __future__ import annotations

import base64

import orjson

from heliograph_core.errors import DecodeError, TransactionError
from heliograph_indexer.account_json import AccountFile, find_accounts
from heliograph_indexer.decode_tx import Printed, as_json
from heliograph_indexer.idl.decoder import Decoder


def decode_accounts(document: bytes, decoder: Decoder) -> Printed:
    """Every account of the file."""
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise TransactionError(f"not JSON: {error}; give the answer of getAccountInfo") from error
    accounts: list[bytes] = []
    problems: list[bytes] = []
    for account in find_accounts(parsed):
        _check_owner(account, decoder)
        try:
            name, fields = decoder.account(account.data)
        except DecodeError as error:
            problem = {
                "address": account.address,
                "program": account.owner,
                "data": base64.b64encode(account.data).decode(),
                "reason": str(error),
            }
            problems.append(orjson.dumps(problem))
            continue
        line = {
            "address": account.address,
            "program": account.owner or decoder.idl.address,
            "name": name,
            "fields": as_json(fields),
        }
        accounts.append(orjson.dumps(line))
    return Printed(tuple(accounts), tuple(problems))


def _check_owner(account: AccountFile, decoder: Decoder) -> None:
    wanted = decoder.idl.address
    if wanted is not None and account.owner is not None and account.owner != wanted:
        raise TransactionError(
            f"account {account.address or 'of the file'} is owned by {account.owner}, "
            f"not by {wanted}, the program of the IDL {decoder.idl.name}"
        )
