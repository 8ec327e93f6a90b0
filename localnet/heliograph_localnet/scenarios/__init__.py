"""Scenarios of real protocols: one file a protocol, one line of registration. See docs/scenarios.md."""

from __future__ import annotations

from collections.abc import Mapping

from heliograph_localnet.program_scenario import ScenarioType
from heliograph_localnet.scenarios.drift import DriftScenario
from heliograph_localnet.scenarios.jupiter import JupiterScenario
from heliograph_localnet.scenarios.quantdesk import QuantDeskScenario

SCENARIOS: Mapping[str, ScenarioType] = {
    "drift": DriftScenario,
    "jupiter": JupiterScenario,
    "quantdesk": QuantDeskScenario,
}
"""By protocol, as `heliograph demo --protocol NAME` takes it."""
