"""What PyMC offers beyond sampling, on truncated normals with bounds infinite at run time."""

import mpmath
import numpy as np
import pymc as pm
import pytensor
import pytest
import xarray as xr
from scipy import optimize, stats
from scipy.special import logsumexp

import pymc_safetrunc as pst
from tests.backends import GRAPH_MODES

pytestmark = pytest.mark.usefixtures("without_c")

INF = np.inf
# Above 2.5 nothing was recorded of every second unit; of the others there is no limit.
UPPER = np.tile([INF, 2.5], 20)
PRIOR_SD = 2.0
# as Python floats these would be float32 constants in PyMC, with logarithms of seven digits
SIGMA_PRIOR = {"alpha": np.float64(3), "beta": np.float64(3)}


def truncnorm(mu, sigma, lower, upper):
    return stats.truncnorm((lower - mu) / sigma, (upper - mu) / sigma, loc=mu, scale=sigma)


OBSERVED = truncnorm(0.8, 1.2, 0.0, UPPER).rvs(random_state=1)


def build(distribution=pst.TruncatedNormal, observed=OBSERVED):
    """Mean and deviation of a truncated sample; some upper bounds, in the data, are infinite."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, PRIOR_SD)
        sigma = pm.InverseGamma("sigma", **SIGMA_PRIOR)
        distribution("y", mu, sigma, lower=0, upper=pm.Data("upper", UPPER), observed=observed)
    return model


@pytest.fixture(scope="module")
def model():
    return build()


def log_posterior(mu, sigma):
    """By scipy, up to a constant, at arrays of mu and sigma."""
    mu, sigma = np.asarray(mu)[..., None], np.asarray(sigma)[..., None]
    likelihood = truncnorm(mu, sigma, 0.0, UPPER).logpdf(OBSERVED).sum(axis=-1)
    prior = stats.norm.logpdf(mu[..., 0], scale=PRIOR_SD) + stats.invgamma.logpdf(
        sigma[..., 0], SIGMA_PRIOR["alpha"], scale=SIGMA_PRIOR["beta"]
    )
    return likelihood + prior


@pytest.fixture(scope="module")
def exact():
    """Posterior means and deviations of mu and of log sigma, by summation over a grid."""
    mu, log_sigma = np.meshgrid(np.linspace(-9, 4, 200), np.linspace(-1.5, 2, 150))
    # a flat grid in log sigma: the density there is that of sigma, times sigma
    weights = log_posterior(mu, np.exp(log_sigma)) + log_sigma
    weights = np.exp(weights - logsumexp(weights))
    moments = {}
    for name, x in (("mu", mu), ("sigma", log_sigma)):
        mean = (weights * x).sum()
        moments[name] = mean, np.sqrt((weights * (x - mean) ** 2).sum())
    return moments


def distances(posterior, exact):
    """How many posterior deviations the means of mu and log sigma are from the exact ones."""
    draws = {"mu": posterior["mu"].values, "sigma": np.log(posterior["sigma"].values)}
    return {
        name: (draws[name].mean() - mean) / deviation for name, (mean, deviation) in exact.items()
    }


def test_find_map(model):
    found = pm.find_MAP(
        model=model, progressbar=False, return_inferencedata=True, jitter=False
    ).posterior
    best = optimize.minimize(
        lambda p: -log_posterior(p[0], np.exp(p[1])),
        x0=[0.5, 0.0],
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-12},
    )
    # L-BFGS-B stops where the gradient is 1e-5, some 1e-5 deviations off the mode
    np.testing.assert_allclose(
        [found["mu"].item(), np.log(found["sigma"].item())], best.x, rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_second_derivatives(mode):
    """Against central differences of the gradient, in parameters and value."""
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, PRIOR_SD), pm.InverseGamma("sigma", **SIGMA_PRIOR)
        top = pm.Data("top", [INF, 7.0])
        pst.TruncatedNormal("x", mu, sigma, lower=-1, upper=top, shape=2)
    point = {
        "mu": np.array(0.3),
        "sigma_log__": np.array(0.2),
        "x_interval__": np.array([0.4, -0.7]),
    }
    names = list(point)
    assert [v.name for v in model.continuous_value_vars] == names
    hessian = model.compile_d2logp(negate_output=False, mode=mode)(point)
    gradient = model.compile_dlogp(mode=mode)
    flat = np.concatenate([np.atleast_1d(point[name]) for name in names])
    step = 1e-5

    def gradient_at(flat):
        return gradient({"mu": flat[0], "sigma_log__": flat[1], "x_interval__": flat[2:]})

    differences = [
        (gradient_at(flat + step * unit) - gradient_at(flat - step * unit)) / (2 * step)
        for unit in np.eye(len(flat))
    ]
    # rounding 1e-16 * 50/step, truncation step^2 times third derivatives of order 50
    np.testing.assert_allclose(hessian, differences, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_advi(model, exact, mode):
    with pytensor.config.change_flags(mode=mode):
        fit = pm.fit(
            4000,
            method="fullrank_advi",
            model=model,
            obj_optimizer=pm.adam(learning_rate=0.05),
            random_seed=1,
            progressbar=False,
        )
        posterior = fit.sample(1000, random_seed=2).posterior
    assert np.isfinite(fit.hist).all()
    assert fit.hist[-500:].mean() < fit.hist[:100].mean()
    # the best normal law has other means than a skewed posterior: 0.15 deviations off here
    assert all(abs(d) < 0.5 for d in distances(posterior, exact).values())


def test_smc(model, exact):
    posterior = pm.sample_smc(
        draws=1000,
        chains=2,
        cores=1,
        model=model,
        random_seed=1,
        progressbar=False,
        compute_convergence_checks=False,
    ).posterior
    # 2000 particles: 0.02 deviations were they independent
    assert all(abs(d) < 0.15 for d in distances(posterior, exact).values())


def follows_its_law(y, mu, sigma, upper):
    """Whether draws are inside their bounds and their probabilities of being less uniform."""
    assert (y >= 0).all()
    assert (y <= upper).all()
    u = truncnorm(mu, sigma, 0.0, upper).cdf(y)
    # fixed seeds: the level is the chance that a right law fails after any change of the draws
    return stats.kstest(u.ravel(), "uniform").pvalue > 1e-4


def test_prior_predictive(model):
    drawn = pm.sample_prior_predictive(100, model=model, random_seed=1)
    parameters = [drawn.prior[name].values[..., None] for name in ("mu", "sigma")]
    assert follows_its_law(drawn.prior_predictive["y"].values, *parameters, UPPER)


def test_posterior_predictive_with_new_bounds():
    """At given parameters, first with the model's bounds, then with those set anew."""
    model, rng = build(), np.random.default_rng(1)
    mu, sigma = rng.normal(1, 0.5, (1, 100)), rng.uniform(0.5, 2, (1, 100))
    posterior = xr.Dataset({"mu": (("chain", "draw"), mu), "sigma": (("chain", "draw"), sigma)})
    for upper in (UPPER, np.full(40, 0.7), np.full(40, INF)):
        with model:
            pm.set_data({"upper": upper})
            y = pm.sample_posterior_predictive(posterior, random_seed=2, progressbar=False)
        y = y.posterior_predictive["y"].values
        assert follows_its_law(y, mu[..., None], sigma[..., None], upper)


def test_do(model):
    """Interventions on a parameter and on the bounds."""
    upper = np.full(40, 1.5)
    changed = pm.do(model, {"mu": 5.0, "upper": upper})
    got = changed.compile_logp(jacobian=False)({"sigma_log__": np.log(0.8)})
    assert OBSERVED.max() > 1.5
    assert got == -INF
    unlimited = pm.do(model, {"mu": 5.0, "upper": np.full(40, INF)})
    got = unlimited.compile_logp(jacobian=False)({"sigma_log__": np.log(0.8)})
    expected = stats.invgamma.logpdf(0.8, SIGMA_PRIOR["alpha"], scale=SIGMA_PRIOR["beta"])
    expected += truncnorm(5.0, 0.8, 0.0, INF).logpdf(OBSERVED).sum()
    assert got == pytest.approx(expected, rel=1e-12)
    drawn = pm.sample_prior_predictive(100, model=changed, random_seed=3)
    sigma = drawn.prior["sigma"].values[..., None]
    assert follows_its_law(drawn.prior_predictive["y"].values, 5.0, sigma, upper)


MISSING = np.where(np.arange(40) % 10 < 2, np.nan, OBSERVED)
imputing = pytest.mark.filterwarnings("ignore:Data in y contains missing values")


@imputing
def test_pymc_has_no_gradient_where_values_are_missing():
    """Why the next test exists: see pymc issue 6999."""
    model = build(pm.TruncatedNormal, MISSING)
    with np.errstate(invalid="ignore"):
        gradient = model.compile_dlogp(mode="FAST_COMPILE")(model.initial_point())
    assert np.isnan(gradient).any()


@imputing
def test_missing_values():
    """Imputed inside the bounds of their own units, by the law of what is not observed."""
    model = build(observed=MISSING)
    draws = pm.sample(
        tune=300,
        draws=300,
        chains=2,
        cores=1,
        model=model,
        random_seed=1,
        progressbar=False,
        compute_convergence_checks=False,
    )
    posterior = draws.posterior
    imputed = posterior["y_unobserved"].values
    missing = np.isnan(MISSING)
    assert imputed.shape[-1] == missing.sum() == 8
    mu, sigma = (posterior[name].values[..., None] for name in ("mu", "sigma"))
    assert follows_its_law(imputed[:, ::10], mu[:, ::10], sigma[:, ::10], UPPER[missing])
    np.testing.assert_array_equal(posterior["y"].values[..., missing], imputed)
    np.testing.assert_array_equal(posterior["y"].values[0, 0, ~missing], MISSING[~missing])


@pytest.mark.parametrize("mode", GRAPH_MODES)
@pytest.mark.parametrize("as_list", [False, True])
def test_mixture(as_list, mode):
    weights, mu, sigma, upper = [0.3, 0.7], [-1.0, 2.5], [1.0, 0.5], [INF, 3.0]
    x = np.array([0.2, 1.1, 2.9, 3.0, 3.1, 6.0])
    with pm.Model() as model:
        shift = pm.Normal("shift")
        top = pm.Data("top", upper)
        laws = (np.array(mu) + shift, np.array(sigma))
        if as_list:
            components = [
                pst.TruncatedNormal.dist(laws[0][i], laws[1][i], lower=0, upper=top[i])
                for i in range(2)
            ]
        else:
            components = pst.TruncatedNormal.dist(*laws, lower=0, upper=top)
        pm.Mixture("x", weights, components, observed=x)

    def truth(shift):
        parts = truncnorm(np.array(mu) + shift, np.array(sigma), 0.0, np.array(upper))
        return logsumexp(parts.logpdf(x[:, None]), b=weights, axis=1)

    got = model.compile_logp(vars=[model["x"]], sum=False, mode=mode)({"shift": 0.4})[0]
    np.testing.assert_allclose(got, truth(0.4), rtol=1e-12)
    # the prior's own slope is -shift
    slope = model.compile_dlogp(mode=mode)({"shift": 0.4}) + 0.4
    difference = (truth(0.4 + 1e-5).sum() - truth(0.4 - 1e-5).sum()) / 2e-5
    np.testing.assert_allclose(slope, difference, rtol=1e-8)
    drawn = pm.draw(model["x"], 50, random_seed=1, mode=mode)
    assert (drawn >= 0).all()
    assert (drawn <= 3).any()


def censored_truth(x, mu, sigma, lower, upper, left, right):
    """Log density inside the limits, log mass at them."""
    z, a, b = ((mpmath.mpf(float(v)) - mu) / sigma for v in (x, lower, upper))

    def mass(low, high):
        return (mpmath.erfc(low / mpmath.sqrt(2)) - mpmath.erfc(high / mpmath.sqrt(2))) / 2

    if x == left:
        return mpmath.log(mass(a, z) / mass(a, b))
    if x == right:
        return mpmath.log(mass(z, b) / mass(a, b))
    return mpmath.log(mpmath.npdf(z) / sigma / mass(a, b))


LEFT, RIGHT = 0.25, 2.0
CENSORED = np.array([LEFT, 0.3, 1.0, RIGHT])
CENSORED_UPPER = np.array([INF, 3.0, INF, 3.0])


@pytest.fixture(scope="module", params=GRAPH_MODES)
def censored(request):
    """Log probability of each observation, and the gradient of their sum in mu and sigma."""
    with pm.Model() as model:
        mu, sigma, upper = pm.Flat("mu"), pm.Flat("sigma"), pm.Data("upper", CENSORED_UPPER)
        law = pst.TruncatedNormal.dist(mu, sigma, lower=0, upper=upper)
        pm.Censored("x", law, lower=LEFT, upper=RIGHT, observed=CENSORED)
    logp = model.compile_logp(vars=[model["x"]], sum=False, mode=request.param)
    return logp, model.compile_dlogp(mode=request.param)


@pytest.mark.parametrize(
    ("mu", "sigma"), [(0.7, 1.0), (-30.0, 1.0), (40.0, 1.5)], ids=["body", "right", "left"]
)
def test_censored(censored, mu, sigma):
    """Masses and gradients at both limits, also where all of it is far in a tail."""

    def truth(mu, sigma):
        return [
            censored_truth(x, mu, sigma, 0, upper, LEFT, RIGHT)
            for x, upper in zip(CENSORED, CENSORED_UPPER, strict=True)
        ]

    # the masses are differences of numbers near 2 that agree in 155 digits
    with mpmath.workdps(400):
        expected = truth(mpmath.mpf(mu), mpmath.mpf(sigma))
        slopes = [
            mpmath.diff(lambda *p: mpmath.fsum(truth(*p)), (mu, sigma), order)
            for order in ((1, 0), (0, 1))
        ]
    logp, gradient = censored
    point = {"mu": mu, "sigma": sigma}
    np.testing.assert_allclose(logp(point)[0], np.array(expected, float), rtol=1e-13)
    np.testing.assert_allclose(gradient(point), np.array(slopes, float), rtol=1e-9)
