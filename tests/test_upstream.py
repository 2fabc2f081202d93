"""Each private name of PyMC or PyTensor that is used, and the feature that breaks without it."""

import importlib

import pytest

from pymc_safetrunc import _upstream

FEATURES = {
    "default_transform": (
        "pymc.distributions.transforms",
        "_default_transform",
        "the unconstraining transform of pst.TruncatedNormal",
    ),
    "distribution_mean": (
        "pymc.distributions.moments.means",
        "_mean",
        "the mean of pst.TruncatedNormal",
    ),
    "inline_ofg_node": (
        "pytensor.compile.rewriting",
        "inline_ofg_node",
        "diagnosis inside an OpFromGraph",
    ),
    "link_only_mode": (
        "pytensor.compile.inner_function",
        "link_only_mode",
        "diagnosis inside a Scan",
    ),
}


def test_every_name_has_its_feature():
    assert set(_upstream.__all__) == set(FEATURES)


@pytest.mark.parametrize(("name", "home"), FEATURES.items())
def test_name_is_still_there(name, home):
    module, private, feature = home
    found = getattr(importlib.import_module(module), private, None)
    assert found is not None, f"{module}.{private} is gone: {feature} breaks"
    assert getattr(_upstream, name) is found
