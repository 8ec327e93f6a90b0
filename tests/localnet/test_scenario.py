from __future__ import annotations

from collections import Counter

from heliograph_localnet.localnet import Localnet
from heliograph_localnet.operation import Operation
from heliograph_localnet.settings import LocalnetSettings


def transactions(localnet: Localnet) -> int:
    return len(localnet.truth()["heliograph.transactions"])


def test_the_rate_is_kept_over_time() -> None:
    localnet = Localnet(LocalnetSettings(rate=100, skip_probability=0))
    for _ in range(80):
        localnet.produce()
    assert 1_900 <= transactions(localnet) <= 2_150


def test_the_rate_may_be_changed_from_a_slot_on() -> None:
    localnet = Localnet(LocalnetSettings(rate=20, skip_probability=0))
    for _ in range(80):
        localnet.produce()
    quiet = transactions(localnet)
    localnet.trade_at(100)
    for _ in range(80):
        localnet.produce()
    assert quiet <= 600 and 1_900 <= transactions(localnet) - quiet <= 2_150


def test_a_rate_of_nothing_is_silence() -> None:
    localnet = Localnet(LocalnetSettings(rate=0))
    localnet.produce()
    before = transactions(localnet)
    for _ in range(10):
        localnet.produce()
    assert transactions(localnet) == before


def test_hundreds_of_wallets_arrive_and_no_more_than_allowed() -> None:
    localnet = Localnet(LocalnetSettings(rate=100, traders=120, arrivals=20))
    for _ in range(60):
        localnet.produce()
    depositors = {r["wallet"] for r in localnet.truth()["perps.transfers"] if r["kind"] == "deposit"}
    assert 120 <= len(depositors) <= 140


def test_every_market_has_a_price_and_a_rate_each_second() -> None:
    localnet = Localnet(LocalnetSettings(rate=40, skip_probability=0))
    for _ in range(40):
        localnet.produce()
    truth = localnet.truth()
    for market in truth["perps.markets"]:
        rates = [r["block_time"] for r in truth["perps.funding_rates"] if r["market"] == market["market"]]
        assert rates == sorted(set(rates))
        assert len(rates) == 10


def test_funding_is_settled_each_interval_for_every_position() -> None:
    localnet = Localnet(LocalnetSettings(rate=60, funding_interval_seconds=5, skip_probability=0))
    for _ in range(50):
        localnet.produce()
    payments = localnet.truth()["perps.funding_payments"]
    times = Counter((row["market"], row["block_time"]) for row in payments)
    assert {time - localnet.settings.genesis_time for _, time in times} == {5, 10}
    twice = Counter((row["position_key"], row["block_time"]) for row in payments)
    assert max(twice.values()) == 1


def test_skipped_slots_come_as_often_as_asked() -> None:
    localnet = Localnet(LocalnetSettings(rate=5, skip_probability=0.3))
    for _ in range(200):
        localnet.produce()
    made = len(localnet.chain.blocks(localnet.settings.first_slot, localnet.chain.open_slot))
    assert 110 <= made <= 170


def test_a_scenario_only_asks() -> None:
    localnet = Localnet(LocalnetSettings(rate=40))
    localnet.ledger.close()
    requests = list(localnet._scenario._keepers(localnet.exchange, localnet.ledger.now))
    assert all(isinstance(request.operation, Operation) for request in requests)
    assert not localnet.exchange.clearing.positions
