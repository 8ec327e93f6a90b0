"""Drift v2: this event means that record.

Channels: `Program data:` lines (emit!) and base64 behind `Program log:` (emit_stack, for most orders). Its IDL comes from the
chain or a path. Keys: a position is that of a sub-account (`user`) in a perp market, `<user>-<market index>`; a market is the
address that the program derives from its index; wallets are authorities, which many events do not name: they name the
sub-account, and `Owner` says whose it is once an event or the account does.

Units on chain: base 9 decimals, quote and price 6, funding 9 (quote per base), margin ratios 4, amounts of a spot
market those of its mint. Signs as ours: a funding payment is negative when the user pays, a maker's fee when it is a
rebate. Fills tell a direction and no side: they are flows (heliograph_core.flow_fold). A fill that reduces says for how
much what it closed was entered; one that flips also how much there was.

Sources: FACTS 5 and 6; the IDLs of 2.30 to 2.150; controller/{funding,liquidation,pnl,position}.rs of drift-labs/protocol-v2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from heliograph_core.account import AccountState
from heliograph_core.event import Channel, Event
from heliograph_core.records import Holding, Record, State
from heliograph_indexer.protocols.drift.accounts import perp_market_account, user_account
from heliograph_indexer.protocols.drift.collateral import deposit, settle_pnl, user
from heliograph_indexer.protocols.drift.fills import liquidity, order_action
from heliograph_indexer.protocols.drift.funding import funding_payment, funding_rate
from heliograph_indexer.protocols.drift.liquidations import liquidation
from heliograph_indexer.protocols.drift.units import PROGRAM, Fields

Projection = Callable[[dict[str, Any], Fields], Iterable[Record | State]]


class Drift:
    """One program."""

    name = "drift"
    programs: Mapping[str, str] = {"drift": PROGRAM}

    def channels(self) -> Mapping[str, frozenset[Channel]]:
        return {PROGRAM: frozenset({Channel.DATA, Channel.LOG})}

    def idls(self) -> Mapping[str, bytes]:
        return {}

    def project(self, stream: str, event: Event) -> Iterable[Record | State]:
        projection = _EVENTS.get(event.name)
        if projection is None:
            return ()
        return projection(event.key.columns(stream, event.program), event.fields)

    def project_account(self, stream: str, state: AccountState) -> Iterable[State | Holding]:
        projection = _ACCOUNTS.get(state.name or "")
        if projection is None or state.fields is None:
            return ()
        return projection(stream, state, state.fields)


_EVENTS: Mapping[str, Projection] = {
    "OrderActionRecord": order_action,
    "LPRecord": liquidity,
    "FundingRateRecord": funding_rate,
    "FundingPaymentRecord": funding_payment,
    "SettlePnlRecord": settle_pnl,
    "DepositRecord": deposit,
    "LiquidationRecord": liquidation,
    "NewUserRecord": user,
    "DeleteUserRecord": user,
}

_ACCOUNTS: Mapping[str, Callable[[str, AccountState, Fields], Iterable[State | Holding]]] = {
    "PerpMarket": perp_market_account,
    "User": user_account,
}
