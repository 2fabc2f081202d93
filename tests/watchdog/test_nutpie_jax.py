"""nutpie with JAX's functions: an error of theirs makes nutpie panic and drop every draw."""

import numpy as np
import pymc as pm
import pytest

from pymc_safetrunc.watchdog import SamplingAborted, sample
from tests import optional
from tests.watchdog.faults import Raises

optional.require("nutpie")
jax = optional.require("jax")


@pytest.fixture(scope="module", autouse=True)
def called_back():
    from pytensor.link.jax.dispatch import jax_funcify

    @jax_funcify.register(Raises)
    def _(op, **kwargs):
        def on_host(x):
            outputs = [[None]]
            op.perform(None, [x], outputs)
            return outputs[0][0]

        return lambda x: jax.pure_callback(on_host, jax.ShapeDtypeStruct((), np.float64), x)


@pytest.mark.parametrize(
    ("where", "cores"),
    [
        (pm.Potential, 1),
        (pm.Deterministic, 2),
        pytest.param(pm.Potential, 2, marks=pytest.mark.soak),
        pytest.param(pm.Deterministic, 1, marks=pytest.mark.soak),
    ],
)
def test_an_op_that_raises_costs_no_draws(where, cores, settings):
    several = settings | {
        "draws": 150,
        "tune": 50,
        "cores": cores,
        "nuts_sampler": "nutpie",
        "backend": "jax",
    }
    with pm.Model():
        where("p", 0 * pm.Normal("x"))
        undisturbed = pm.sample(**several)
    with pm.Model():
        where("p", Raises(after=600)(pm.Normal("x")))
        with pytest.raises(SamplingAborted) as caught:
            sample(**several | {"draws": 3_000})
    error = caught.value
    report = error.report
    assert report.cause == "exception"
    assert report.detail.endswith("ArithmeticError: made for the test")
    assert "made for the test" in str(error.__cause__)
    assert len(str(error).splitlines()) < 12
    assert set(report.point) == {"x"}
    assert set(error.chains) == ({0} if cores == 1 else {0, 1})
    lengths = {chain: sum(pair) for chain, pair in report.kept.items()}
    assert report.draw in lengths.values()
    assert report.chain is None or lengths[report.chain] == report.draw
    if where is pm.Deterministic:  # called once a draw, so every draw but the failing one is there
        assert sum(lengths.values()) == 600
    for chain, tree in error.chains.items():
        assert not tree.sample_stats.diverging.any()
        drawn = tree.posterior.x.values[0]
        np.testing.assert_array_equal(
            drawn[:150], undisturbed.posterior.x.values[chain, : len(drawn)]
        )
