"""Jupiter's program as one of its IDLs names things: events, accounts and calls of the pool's books.

Legacy IDLs begin names in upper case, Codama's in lower; newer ones have fields more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliograph_localnet.act import Clock
from heliograph_localnet.draft import AccountData
from heliograph_localnet.scenarios.jupiter_pool import FEE_BPS, LEVERAGE_BPS, Custody, Position
from heliograph_localnet.scripted import Said, ScriptedProgram

NEWER = frozenset({"positionRequest"})
"""Fields that not every IDL of the program has."""


class JupiterProgram(ScriptedProgram):
    """Raises ValueError for an IDL of another program."""

    def __init__(self, document: bytes, address: str | None = None, *, layout: int = 0) -> None:
        super().__init__(document, address, layout=layout)
        # Now, and not once it is to speak.
        self.encoder.blank_event(self.name("LiquidateFullPositionEvent"))
        self.encoder.blank_account(self.name("Custody"))

    def call(self, name: str, held: Position, f: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
        params: dict[str, Any] = {}
        if name == "instantIncreasePosition":
            params = {
                "sizeUsdDelta": f["sizeUsdDelta"],
                "collateralTokenDelta": f["collateralTokenDelta"],
                "side": self.name("Long" if held.side == "long" else "Short"),
                "priceSlippage": f["price"],
                "requestTime": clock().time,
            }
        elif name == "instantDecreasePosition":
            params = {
                "collateralUsdDelta": 0,
                "sizeUsdDelta": f["sizeUsdDelta"],
                "priceSlippage": f["price"],
                "entirePosition": None,
                "requestTime": clock().time,
            }
        wrapped = {"params": params}
        return {"instruction": name, "args": params if self.codama else wrapped}

    def custody_account(self, each: Custody, pool: str) -> AccountData:
        name = self.name("Custody")
        fields = self.encoder.blank_account(name)
        least, most, kink, target = each.curve
        fields |= {
            "pool": pool,
            "mint": each.mint,
            "decimals": each.decimals,
            "isStable": each.symbol is None,
            "increasePositionBps": FEE_BPS,
            "decreasePositionBps": FEE_BPS,
            "dovesAgOracle": each.oracle,
            "pricing": {**fields["pricing"], "maxLeverage": LEVERAGE_BPS},
            "assets": {
                **fields["assets"],
                "owned": each.owned,
                "locked": each.locked,
                "globalShortSizes": each.shorts,
                "globalShortAveragePrices": each.short_price,
            },
            "fundingRateState": {
                "cumulativeInterestRate": each.cumulative,
                "lastUpdate": each.updated,
                "hourlyFundingDbps": each.dbps,
            },
            "jumpRateState": {
                "minRateBps": least,
                "maxRateBps": most,
                "targetRateBps": kink,
                "targetUtilizationRate": target,
            },
        }
        if "withdrawalLimitTokenAmount" in fields:
            # A field of the newer IDL: who has the older one cannot read the account any more.
            fields["withdrawalLimitTokenAmount"] = each.owned
        return self.account(name, fields, padding=64)

    def position_account(self, held: Position, pool: str) -> AccountData:
        name = self.name("Position")
        fields = self.encoder.blank_account(name)
        fields |= {
            "owner": held.owner,
            "pool": pool,
            "custody": held.custody.address,
            "collateralCustody": held.collateral_custody.address,
            "openTime": held.opened,
            "updateTime": held.changed,
            "side": self.name("Long" if held.side == "long" else "Short"),
            "price": held.price if held.size else 0,
            "sizeUsd": held.size,
            "collateralUsd": held.collateral,
            "realisedPnlUsd": held.realised,
            "cumulativeInterestSnapshot": held.snapshot,
            "lockedAmount": held.locked,
        }
        return self.account(name, fields)

    def fill(self, said: Said) -> Said:
        """With a value for every field that the IDL has. Raises ValueError for a field that no IDL has."""
        name = self.name(said.event)
        blank = self.encoder.blank_event(name)
        unknown = said.fields.keys() - blank.keys() - NEWER
        if unknown:
            raise ValueError(f"{said.event} has no field {', '.join(sorted(unknown))}")
        told = {key: value for key, value in said.fields.items() if key in blank}
        return Said(name, {**blank, **told}, "cpi", said.rows)

    @property
    def codama(self) -> bool:
        """Whether the IDL's names begin in lower case."""
        return any(event.name == "increasePositionEvent" for event in self.encoder.idl.events)

    def name(self, name: str) -> str:
        return name[:1].lower() + name[1:] if self.codama else name
