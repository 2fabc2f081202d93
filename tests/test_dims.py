"""`pst.dims.TruncatedNormal` is `pst.TruncatedNormal` with named dimensions."""

import inspect

import cloudpickle
import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytest

import pymc_safetrunc as pst
from tests.backends import GRAPH_MODES

LIMITS = np.array([1.0, 2.0, np.inf])
DATA = np.array([0.3, 1.9, 40.0])


def limits():
    return pmd.as_xtensor(LIMITS, dims=("star",))


def named(distribution, **kwargs):
    with pm.Model(coords={"star": range(3)}) as model:
        s = pmd.HalfNormal("s")
        distribution("v", mu=0, sigma=s, lower=0, upper=limits(), dims=("star",), **kwargs)
    return model


def plain(**kwargs):
    with pm.Model(coords={"star": range(3)}) as model:
        s = pm.HalfNormal("s")
        pst.TruncatedNormal("v", 0, s, lower=0, upper=LIMITS, dims="star", **kwargs)
    return model


@pytest.mark.parametrize("mode", GRAPH_MODES)
@pytest.mark.parametrize("observed", [False, True])
def test_is_the_plain_one(observed, mode):
    data = {"observed": pmd.as_xtensor(DATA, dims=("star",))} if observed else {}
    ours, twin = (
        named(pst.dims.TruncatedNormal, **data),
        plain(**({"observed": DATA} if data else {})),
    )
    point = twin.initial_point()
    assert point.keys() == ours.initial_point().keys()
    for key, value in ours.initial_point().items():
        np.testing.assert_allclose(value, point[key], rtol=1e-12)
    densities = [model.compile_logp(mode=mode)(point) for model in (ours, twin)]
    np.testing.assert_allclose(*densities, rtol=1e-13)
    gradients = [model.compile_dlogp(mode=mode)(point) for model in (ours, twin)]
    np.testing.assert_allclose(*gradients, rtol=1e-12)


@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_mends_what_pymc_breaks(mode):
    """A free variable with an infinite bound beside finite ones."""
    point = named(pst.dims.TruncatedNormal).initial_point()
    assert np.isnan(named(pmd.TruncatedNormal).compile_dlogp(mode=mode)(point)).any()
    assert np.isfinite(named(pst.dims.TruncatedNormal).compile_dlogp(mode=mode)(point)).all()


def test_takes_what_pymc_takes():
    for method in ("__new__", "dist"):
        theirs = inspect.signature(getattr(pmd.TruncatedNormal, method)).parameters
        ours = inspect.signature(getattr(pst.dims.TruncatedNormal, method)).parameters
        assert set(theirs) <= set(ours)


def test_draws_are_inside_and_pickle():
    model = cloudpickle.loads(cloudpickle.dumps(named(pst.dims.TruncatedNormal)))
    prior = pm.sample_prior_predictive(500, model=model, random_seed=1).prior["v"]
    assert prior.dims == ("chain", "draw", "star")
    assert ((prior > 0) & (prior < LIMITS)).all()


def test_sampled_with_bounds_that_change():
    with pm.Model(coords={"star": range(3)}) as model:
        upper = pmd.Data("upper", LIMITS, dims="star")
        with pytest.raises(NotImplementedError, match=r"pymc_safetrunc\.TruncatedNormal"):
            pst.dims.TruncatedNormal("v", upper=upper)
        pst.dims.TruncatedNormal("w", upper=upper, transform=None)
        pst.dims.TruncatedNormal(
            "y", upper=upper, lower=0, observed=pmd.as_xtensor(DATA, dims=("star",))
        )
    assert np.isfinite(model.compile_dlogp()(model.initial_point())).all()


def test_bad_bounds():
    with pytest.raises(ValueError, match="lower=3, upper=2"):
        pst.dims.TruncatedNormal.dist(lower=3, upper=2)
    with pytest.raises(ValueError, match=r"entry \(0,\).*lower=1.5, upper=1.0"):
        pst.dims.TruncatedNormal.dist(lower=1.5, upper=limits())
    with pytest.raises(ValueError, match="no named dimensions"):
        pst.dims.TruncatedNormal.dist(lower=[0.0, 1.0])
