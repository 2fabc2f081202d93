import multiprocessing

import numpy as np
import pymc as pm
import pytest


@pytest.fixture(scope="session")
def healthy():
    """A small model nothing is wrong with."""
    with pm.Model() as model:
        x = pm.Normal("x", shape=2)
        pm.Normal("y", x.sum(), observed=0.5)
    return model


@pytest.fixture(scope="session")
def doomed():
    """An infinite upper bound as data: the gradient of PyMC's log-density is NaN everywhere."""
    with pm.Model() as model:
        up = pm.Data("up", np.inf)
        s = pm.InverseGamma("s", 2, 3)
        pm.TruncatedNormal("V", 0, s, lower=0, upper=up)
    return model


@pytest.fixture(scope="session")
def settings():
    """Small, quiet and repeatable runs of PyMC's own samplers."""
    return {
        "draws": 25,
        "tune": 25,
        "chains": 2,
        "cores": 1,
        "random_seed": 11,
        "quiet": True,
        "progressbar": False,
        "compute_convergence_checks": False,
    }


@pytest.fixture
def no_child_left():
    before = set(multiprocessing.active_children())
    yield
    assert set(multiprocessing.active_children()) <= before


def pytest_collection_modifyitems(items):
    """Let workers be forked though another test has brought threads into this process.

    The workers use neither JAX nor those threads; in a process without them nothing is warned of.
    """
    for item in items:
        if item.path.parent.name == "watchdog":
            item.add_marker(pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called"))
            item.add_marker(pytest.mark.filterwarnings(r"ignore:.*use of fork\(\) may lead"))
