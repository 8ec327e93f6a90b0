"""The collateral ledger: what each wallet has free and locked, and the treasury that stands against results.

Money is conserved to the last unit: free + collateral of open positions + treasury = deposits - withdrawals.
The treasury takes fees, pays rebates and results, keeps what funding's rounding leaves and carries bad debt, so it
may be negative while winners have closed before losers.
"""

from __future__ import annotations

from heliograph_localnet.exchange.refusal import Refusal


class Purse:
    """One wallet's collateral; both never negative."""

    __slots__ = ("free", "locked")

    def __init__(self) -> None:
        self.free = 0
        self.locked = 0


class Vault:
    """One mint's ledger."""

    def __init__(self, mint: str) -> None:
        self.mint = mint
        self.purses: dict[str, Purse] = {}
        self.deposited = 0
        self.withdrawn = 0
        self.treasury = 0

    def free(self, wallet: str) -> int:
        purse = self.purses.get(wallet)
        return purse.free if purse else 0

    def locked(self, wallet: str) -> int:
        purse = self.purses.get(wallet)
        return purse.locked if purse else 0

    def deposit(self, wallet: str, amount: int) -> Purse:
        if amount <= 0:
            raise Refusal("InsufficientFunds")
        purse = self.purses.get(wallet)
        if purse is None:
            purse = self.purses[wallet] = Purse()
        purse.free += amount
        self.deposited += amount
        return purse

    def withdraw(self, wallet: str, amount: int) -> Purse:
        purse = self.purses.get(wallet)
        if purse is None or not 0 < amount <= purse.free:
            raise Refusal("InsufficientFunds")
        purse.free -= amount
        self.withdrawn += amount
        return purse

    def lock(self, wallet: str, amount: int) -> Purse:
        """Raises ValueError where less than `amount` is free: the exchange asks before it locks."""
        purse = self.purses[wallet]
        if not 0 <= amount <= purse.free:
            raise ValueError(f"wallet {wallet} has {purse.free} free, {amount} cannot be locked")
        purse.free -= amount
        purse.locked += amount
        return purse

    def release(self, wallet: str, amount: int, returned: int) -> Purse:
        purse = self.purses[wallet]
        if not 0 <= amount <= purse.locked or returned < 0:
            raise ValueError(
                f"wallet {wallet} has {purse.locked} locked, {amount} cannot be released as {returned}"
            )
        purse.locked -= amount
        purse.free += returned
        return purse
