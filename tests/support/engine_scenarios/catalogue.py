"""All scenarios, in the order a reader would take them."""

from __future__ import annotations

from tests.support.engine_scenarios import (
    scenarios_command,
    scenarios_failure,
    scenarios_lifecycle,
    scenarios_option,
    scenarios_reading,
    scenarios_replacement,
    scenarios_secret,
)
from tests.support.engine_scenarios.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    *scenarios_lifecycle.SCENARIOS,
    *scenarios_replacement.SCENARIOS,
    *scenarios_failure.SCENARIOS,
    *scenarios_option.SCENARIOS,
    *scenarios_secret.SCENARIOS,
    *scenarios_reading.SCENARIOS,
    *scenarios_command.SCENARIOS,
)
