"""One look at an endpoint shows both fleets, their stages and the alarms."""

from __future__ import annotations

from automation.endpoint import state_from

BAKING = {
    "EndpointName": "wine-dev",
    "EndpointStatus": "Updating",
    "EndpointConfigName": "config-1",
    "LastModifiedTime": 0.0,
    "ProductionVariants": [
        {
            "VariantName": "AllTraffic",
            "CurrentInstanceCount": 3,
            "DesiredInstanceCount": 3,
            "CurrentWeight": 1.0,
        }
    ],
    "PendingDeploymentSummary": {
        "EndpointConfigName": "config-2",
        "ProductionVariants": [
            {
                "VariantName": "AllTraffic",
                "CurrentInstanceCount": 1,
                "DesiredInstanceCount": 3,
                "VariantStatus": [
                    {"Status": "Baking", "StatusMessage": "Baking for 120 seconds on canary"}
                ],
            }
        ],
    },
}


def test_both_fleets_are_shown_while_a_swap_bakes() -> None:
    state = state_from("wine-dev", BAKING)

    blue, green = state.fleets
    assert (blue.role, blue.endpoint_config_name, blue.current_instance_count) == (
        "blue", "config-1", 3,
    )  # fmt: skip
    assert (green.role, green.endpoint_config_name) == ("green", "config-2")
    assert (green.current_instance_count, green.desired_instance_count) == (1, 3)
    assert blue.weight == 1.0
    assert green.weight is None
    assert state.is_moving


def test_the_line_names_stage_and_firing_alarms() -> None:
    alarms = [
        {"AlarmName": "errors", "StateValue": "ALARM", "StateReason": "3 over 0"},
        {"AlarmName": "latency", "StateValue": "OK"},
    ]

    state = state_from("wine-dev", BAKING, alarms)

    assert state.line == (
        "Updating | canary baking: Baking for 120 seconds on canary | alarm: errors"
    )
    assert [alarm.reason for alarm in state.alarms] == ["3 over 0", ""]


def test_weights_are_shares_of_their_config() -> None:
    variants = [
        {"VariantName": "A", "CurrentWeight": 3.0},
        {"VariantName": "B", "CurrentWeight": 1.0},
    ]

    state = state_from(
        "ab",
        {"EndpointStatus": "InService", "LastModifiedTime": 0.0, "ProductionVariants": variants},
    )

    assert [fleet.weight for fleet in state.fleets] == [0.75, 0.25]
    assert not state.is_moving


def test_an_endpoint_that_is_being_made_may_show_no_variant() -> None:
    state = state_from("wine-dev", {"EndpointStatus": "Creating", "LastModifiedTime": 0.0})

    assert state.fleets == ()
    assert state.line == "Creating"
