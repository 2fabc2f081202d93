"""`install` makes PyMC's own distributions safe; `uninstall` gives every one of them back."""

import logging
import pickle
import subprocess
import sys
import textwrap

import cloudpickle
import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor
import pytest
from pymc.distributions.continuous import TruncatedNormalRV
from pymc.distributions.truncated import TruncatedRV
from pymc.logprob.transforms import IntervalTransform
from scipy import stats

import pymc_safetrunc as pst
from pymc_safetrunc import installation
from pymc_safetrunc.distributions.truncated import SafeTruncatedRV
from tests.backends import GRAPH_MODES


@pytest.fixture(autouse=True)
def not_installed():
    assert not pst.is_installed()
    yield
    pst.uninstall()


def seed_model():
    """The model that started it: an upper bound that is infinite at run time."""
    with pm.Model() as model:
        s = pm.InverseGamma("s", 2, 3)
        pm.TruncatedNormal("v", 0, s, lower=0, upper=pm.Data("up", np.inf))
    return model


def tail_model():
    with pm.Model() as model:
        rate = pm.HalfNormal("rate", initval=1.0)
        pm.Truncated("t", pm.Exponential.dist(rate), lower=50, upper=pm.Data("up", np.inf))
    return model


@pytest.mark.usefixtures("without_c")
@pytest.mark.parametrize("mode", GRAPH_MODES)
@pytest.mark.parametrize("build", [seed_model, tail_model])
def test_models_built_before_become_safe(build, mode):
    model = build()
    # PyMC's own starting point may be outside already
    with pst.installed():
        point = model.initial_point(random_seed=1)
    assert np.isnan(model.compile_dlogp(mode=mode)(point)).any()
    with pst.installed():
        assert np.isfinite(model.compile_logp(mode=mode)(point))
        assert np.isfinite(model.compile_dlogp(mode=mode)(point)).all()
    assert np.isnan(model.compile_dlogp(mode=mode)(point)).any()


def test_the_log_density_is_the_safe_one():
    """Ten standard deviations out, against the exact value of scipy's log_ndtr."""
    from scipy.special import log_ndtr

    x = pm.TruncatedNormal.dist(0, 1, lower=10, upper=11)
    exact = -0.5 * 10.5**2 - 0.5 * np.log(2 * np.pi)
    exact -= log_ndtr(-10) + np.log1p(-np.exp(log_ndtr(-11) - log_ndtr(-10)))
    with pst.installed():
        np.testing.assert_allclose(pm.logp(x, 10.5).eval(), exact, rtol=1e-13)


@pytest.mark.usefixtures("without_c")
@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_a_tail_that_pymc_cannot_start_in(mode):
    with pst.installed():
        with pm.Model() as model:
            pm.Truncated("x", pm.Gamma.dist(2, 1), lower=50, upper=60)
        assert isinstance(model["x"].owner.op, SafeTruncatedRV)
        point = model.initial_point()
        assert np.isfinite(model.compile_logp(mode=mode)(point))
        draws = pm.draw(model["x"], 200, random_seed=1, mode=mode)
        assert ((draws >= 50) & (draws <= 60)).all()
    # built under install(), it stays safe
    assert np.isfinite(model.compile_logp(mode=mode)(point))


def test_hurdle_is_safe():
    """PyMC truncates the part above zero: at 40 standard deviations it loses every digit."""
    with pst.installed():
        hurdle = pm.HurdleLogNormal.dist(psi=0.5, mu=-3.0, sigma=0.1)
        assert np.isfinite(pm.logp(hurdle, 0.05).eval())


def test_a_discrete_law_of_ones_own_is_left_to_pymc():
    def build():
        base = pm.CustomDist.dist(
            np.float64(3.0),
            logp=lambda x, mu: pm.logp(pm.Poisson.dist(mu), x),
            logcdf=lambda x, mu: pm.logcdf(pm.Poisson.dist(mu), x),
            random=lambda mu, rng=None, size=None: rng.poisson(mu, size),
            dtype="int64",
        )
        return pm.Truncated.dist(base, lower=2)

    before = build()
    with pst.installed():
        for law in (before, build()):
            found = pm.logp(law, 3).eval(mode="FAST_COMPILE")
            truth = stats.poisson(3).logpmf(3) - stats.poisson(3).logsf(1)
            # PyMC's own rounding, in a graph of its own
            np.testing.assert_allclose(found, truth, rtol=1e-12)


def test_draws_of_pymcs_truncated_normal():
    """PyMC's own draws collapse on the bound this far out."""
    x = pm.TruncatedNormal.dist(0, 1, lower=1e8, upper=np.inf)
    with pst.installed():
        draws = pm.draw(x, 500, random_seed=1)
        by_numpy = pytensor.function([], x, mode="CVM")()
    assert len(np.unique(draws)) > 1
    assert np.all(draws >= 1e8)
    assert by_numpy >= 1e8


@pytest.mark.usefixtures("without_c")
@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_dims(mode):
    limits = pmd.as_xtensor(np.array([1.0, 2.0, np.inf]), dims=("star",))
    with pm.Model(coords={"star": range(3)}) as model:
        s = pmd.HalfNormal("s")
        pmd.TruncatedNormal("v", mu=0, sigma=s, lower=0, upper=limits)
    point = model.initial_point()
    assert np.isnan(model.compile_dlogp(mode=mode)(point)).any()
    with pst.installed():
        assert np.isfinite(model.compile_dlogp(mode=mode)(point)).all()
    assert np.isnan(model.compile_dlogp(mode=mode)(point)).any()


class Unpatched:
    """Everything that install() touches, as it is now."""

    def __init__(self):
        self.registered = {
            (id(dispatch), theirs): dispatch.registry.get(theirs)
            for dispatch in installation.DISPATCHES
            for theirs in installation.ADOPTED
        }
        self.attributes = {
            (owner, name): owner.__dict__.get(name)
            for owner, name in [
                (TruncatedNormalRV, "rng_fn"),
                (TruncatedNormalRV, "__reduce_ex__"),
                (TruncatedRV, "__reduce_ex__"),
                (pm.Truncated, "dist"),
                *((IntervalTransform, m) for m in ("forward", "backward", "log_jac_det")),
            ]
        }


def test_the_same_objects_are_back():
    before = Unpatched()
    pst.install()
    changed = Unpatched()
    assert all(changed.attributes[key] is not before.attributes[key] for key in before.attributes)
    pst.uninstall()
    after = Unpatched()
    assert all(after.attributes[key] is before.attributes[key] for key in before.attributes)
    for key, function in before.registered.items():
        if function is not None:
            assert after.registered[key] is function


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
def test_bit_for_bit_after_uninstall():
    models = [seed_model(), tail_model()]
    x = pm.TruncatedNormal.dist(0, 1, lower=1.5, upper=4, size=1_000)

    def everything():
        values = [pm.draw(x, random_seed=3), pm.logp(x, np.full(1_000, 2.0)).eval()]
        values += [pm.logcdf(x, np.full(1_000, 2.0)).eval()]
        for model in models:
            point = {v.name: np.array(0.3) for v in model.continuous_value_vars}
            values += [model.compile_logp()(point), model.compile_dlogp()(point)]
        return values

    before = everything()
    with pst.installed():
        pass
    for first, second in zip(before, everything(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_models_built_after_uninstall_are_pymcs():
    """PyMC registers some functions for the distribution, which its Op is a virtual subclass of."""
    before = [build().initial_point().keys() for build in (seed_model, tail_model)]
    with pst.installed():
        pass
    assert [build().initial_point().keys() for build in (seed_model, tail_model)] == before
    assert "v_interval__" in before[0]


def test_where_pymc_had_nothing_it_has_nothing_again():
    """A quantile of pm.Truncated: refused before, given by install(), refused after."""
    x = pm.Truncated.dist(pm.Exponential.dist(2), lower=1)

    def refused():
        with pytest.raises(NotImplementedError) as error:
            pm.icdf(x, 0.5)
        return str(error.value)

    before = refused()
    with pst.installed():
        assert pm.icdf(x, 0.5).eval() > 1
    assert refused() == before


def test_registrations_of_others_are_left_alone():
    dispatch = installation.distribution_logcdf
    own = dispatch.registry[TruncatedRV]
    pst.install()
    try:

        @dispatch.register(TruncatedRV)
        def somebody_elses(op, value, *inputs):
            return value

        pst.uninstall()
        assert dispatch.registry[TruncatedRV] is somebody_elses
    finally:
        dispatch.register(TruncatedRV, own)


def test_idempotent_nested_and_visible(caplog):
    with caplog.at_level(logging.INFO, logger="pymc_safetrunc"):
        pst.install()
        pst.install()
    assert len(caplog.records) == 1
    with pst.installed():
        assert pst.is_installed()
    assert pst.is_installed()
    pst.uninstall()
    pst.uninstall()
    assert not pst.is_installed()


def test_uninstalled_after_an_error():
    with pytest.raises(RuntimeError), pst.installed():
        raise RuntimeError
    assert not pst.is_installed()


@pytest.mark.parametrize("method", ["spawn", pytest.param("forkserver", marks=pytest.mark.soak)])
def test_workers_follow(method, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            """
            import multiprocessing, sys
            import cloudpickle, numpy as np, pymc as pm

            def slope(pickled):
                model = cloudpickle.loads(pickled)
                return bool(np.isfinite(model.compile_dlogp()(model.initial_point())).all())

            if __name__ == "__main__":
                import pymc_safetrunc as pst
                with pm.Model() as model:
                    pm.TruncatedNormal("v", 0, 1, lower=0, upper=pm.Data("up", np.inf))
                pst.install()
                pickled = cloudpickle.dumps(model)
                with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
                    print(pool.map(slope, [pickled]))
            """
        )
    )
    done = subprocess.run(
        [sys.executable, script, method], capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "[True]\n", done.stderr


def test_pickles_made_while_installed_change_nothing_here():
    x = pm.TruncatedNormal.dist(0, 1, lower=1, upper=2)
    with pst.installed():
        pickled = cloudpickle.dumps(x)
    again = pickle.loads(pickled)
    assert not pst.is_installed()
    assert again.owner.op == x.owner.op
