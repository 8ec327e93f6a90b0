"""Account state by slot: every version that some commitment can still see, and its way back after a fork."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from heliograph_localnet.draft import AccountData

Version = tuple[int, AccountData | None]
"""The slot that wrote the account, and what it wrote; None closed it."""


class AccountStore:
    """Versions are kept from the root on; `root` forgets what only older slots could see."""

    def __init__(self) -> None:
        self._versions: dict[str, list[Version]] = {}
        self._touched: dict[int, dict[str, None]] = {}
        # Addresses with a version of that owner; a dict, because iteration must not depend on hashing.
        self._owned: dict[str, dict[str, None]] = {}

    def write(self, slot: int, address: str, account: AccountData | None) -> None:
        """At most one version a slot stays: a later write of the same slot replaces it."""
        versions = self._versions.setdefault(address, [])
        if versions and versions[-1][0] > slot:
            raise ValueError(f"account {address} was already written at slot {versions[-1][0]}, after {slot}")
        if versions and versions[-1][0] == slot:
            versions.pop()
        versions.append((slot, account))
        self._touched.setdefault(slot, {})[address] = None
        if account is not None:
            self._owned.setdefault(account.owner, {})[address] = None

    def place(self, slot: int, address: str, account: AccountData) -> None:
        """Let the account have been there at `slot`, a root, though nothing wrote it. No rollback undoes it."""
        if self._versions.get(address):
            raise ValueError(f"account {address} was written already: change it by a transaction")
        self._versions[address] = [(slot, account)]
        self._owned.setdefault(account.owner, {})[address] = None

    def read(self, address: str, slot: int) -> Version | None:
        """The newest version at or below `slot`; None where no slot ever wrote it."""
        versions = self._versions.get(address)
        if not versions:
            return None
        at = bisect_right(versions, slot, key=_slot_of) - 1
        return versions[at] if at >= 0 else None

    def latest(self, address: str) -> AccountData | None:
        versions = self._versions.get(address)
        return versions[-1][1] if versions else None

    def owned_by(self, program: str, slot: int) -> Iterator[tuple[str, AccountData]]:
        """Live accounts of `program` as of `slot`, in the order they were first written."""
        for address in self._owned.get(program, ()):
            version = self.read(address, slot)
            if version is not None and version[1] is not None and version[1].owner == program:
                yield address, version[1]

    def modified(self, slot: int) -> Iterator[tuple[str, AccountData | None]]:
        """Accounts that `slot` itself wrote, each once, as it left them."""
        for address in self._touched.get(slot, ()):
            version = self.read(address, slot)
            if version is not None:
                yield address, version[1]

    def rollback(self, slot: int) -> None:
        """Forget all that slots from `slot` on wrote."""
        for gone in [number for number in self._touched if number >= slot]:
            for address in self._touched.pop(gone):
                versions = self._versions.get(address)
                if versions is None:
                    continue
                while versions and versions[-1][0] >= slot:
                    versions.pop()
                self._forget_owners(address)

    def root(self, slot: int) -> None:
        """Nobody asks below `slot` any more."""
        for past in [number for number in self._touched if number <= slot]:
            touched = self._touched[past] if past == slot else self._touched.pop(past)
            for address in touched:
                versions = self._versions.get(address)
                if not versions:
                    continue
                keep = bisect_right(versions, slot, key=_slot_of) - 1
                if keep > 0:
                    del versions[:keep]
                self._forget_owners(address)

    def _forget_owners(self, address: str) -> None:
        versions = self._versions.get(address, [])
        owners = {account.owner for _, account in versions if account is not None}
        for owner, addresses in self._owned.items():
            if owner not in owners:
                addresses.pop(address, None)
        if not owners:
            self._versions.pop(address, None)


def _slot_of(version: Version) -> int:
    return version[0]
