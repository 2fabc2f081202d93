"""Long lists of cases: some of them now, all of them in the soak."""

import pytest


def in_turn(cases, step=3):
    """Every third case now; the others are left to the soak."""
    return [
        case if i % step == 0 else pytest.param(case, marks=pytest.mark.soak)
        for i, case in enumerate(cases)
    ]
