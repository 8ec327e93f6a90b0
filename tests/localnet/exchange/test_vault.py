from __future__ import annotations

import pytest

from heliograph_localnet.exchange.refusal import Refusal
from heliograph_localnet.exchange.vault import Vault


def test_locking_and_releasing_moves_money_between_free_and_locked() -> None:
    vault = Vault("usdc")
    vault.deposit("ann", 100)
    vault.lock("ann", 60)
    assert (vault.free("ann"), vault.locked("ann")) == (40, 60)
    vault.release("ann", 60, 75)
    assert (vault.free("ann"), vault.locked("ann")) == (115, 0)


@pytest.mark.parametrize("amount", [0, -1, 101])
def test_a_withdrawal_beyond_what_is_free_is_refused(amount: int) -> None:
    vault = Vault("usdc")
    vault.deposit("ann", 100)
    with pytest.raises(Refusal, match="InsufficientFunds"):
        vault.withdraw("ann", amount)
    assert vault.free("ann") == 100


def test_a_wallet_nobody_knows_has_nothing() -> None:
    vault = Vault("usdc")
    assert (vault.free("eve"), vault.locked("eve")) == (0, 0)
    with pytest.raises(Refusal):
        vault.withdraw("eve", 1)


def test_more_than_is_free_or_locked_is_a_bug_of_the_exchange() -> None:
    vault = Vault("usdc")
    vault.deposit("ann", 1)
    with pytest.raises(ValueError, match="cannot be locked"):
        vault.lock("ann", 2)
    with pytest.raises(ValueError, match="cannot be released"):
        vault.release("ann", 1, 1)
