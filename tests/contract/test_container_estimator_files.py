"""Packager and server take the same estimator files: neither passes what the other refuses."""

from __future__ import annotations

from automation.gate import estimator_file, inference_script
from server import script, sklearn_runtime


def test_gate_and_server_trust_the_same_parts_of_scikit_learn() -> None:
    assert sklearn_runtime.TRUSTED_PREFIXES == estimator_file.TRUSTED_PREFIXES


def test_gate_and_server_call_the_same_functions_of_a_script() -> None:
    assert {
        name: len(arguments) for name, arguments in script.HOOKS.items()
    } == inference_script.FUNCTIONS
    assert script.OTHER_HOOKS.keys() == inference_script.OTHER_FUNCTIONS.keys()
