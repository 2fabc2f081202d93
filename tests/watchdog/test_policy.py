import dataclasses

import numpy as np
import pytest

from pymc_safetrunc.watchdog import WatchdogPolicy

COUNTS = (
    "max_divergent",
    "max_divergent_tuning",
    "max_nonfinite",
    "max_nonfinite_tuning",
    "max_init_attempts",
)


@pytest.mark.parametrize(
    ("field", "value", "error", "allowed"),
    [
        ("max_divergent", 0, ValueError, "at least 1, or None"),
        ("max_divergent", True, TypeError, "at least 1, or None"),
        ("max_divergent_tuning", 2.5, TypeError, "at least 1, or None"),
        ("max_nonfinite", -3, ValueError, "at least 1, or None"),
        ("max_nonfinite_tuning", "ten", TypeError, "at least 1, or None"),
        ("max_init_attempts", None, TypeError, "a whole number of at least 1"),
        ("max_init_attempts", 0, ValueError, "a whole number of at least 1"),
        ("stall_seconds", 0, ValueError, "a positive number of seconds"),
        ("stall_seconds", float("inf"), ValueError, "a positive number of seconds"),
        ("stall_seconds", "1", TypeError, "a positive number of seconds"),
        ("on_abort", "ignore", ValueError, '"raise" or "return"'),
        ("on_abort", np.array(["raise", "return"]), TypeError, '"raise" or "return"'),
    ],
)
def test_a_wrong_value_names_field_value_and_what_is_allowed(field, value, error, allowed):
    with pytest.raises(error) as caught:
        WatchdogPolicy(**{field: value})
    message = str(caught.value)
    assert f"{field}={value!r}" in message
    assert allowed in message


def test_the_smallest_values_are_allowed():
    smallest = dict.fromkeys(COUNTS, 1)
    assert WatchdogPolicy(**smallest).to_dict().items() >= smallest.items()


def test_defaults_are_the_documented_ones():
    assert WatchdogPolicy().to_dict() == {
        "max_divergent": 50,
        "max_divergent_tuning": None,
        "max_nonfinite": 10,
        "max_nonfinite_tuning": 200,
        "stall_seconds": None,
        "max_init_attempts": 100,
        "on_abort": "raise",
    }


def test_a_policy_cannot_change_under_a_running_chain():
    with pytest.raises(dataclasses.FrozenInstanceError):
        WatchdogPolicy().max_divergent = 3
