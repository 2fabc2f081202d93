"""Poisson, Binomial, NegativeBinomial, HyperGeometric and BetaBinomial: sums of their densities."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad
from pytensor.graph.basic import Constant
from pytensor.tensor.random.basic import (
    BetaBinomialRV,
    BinomialRV,
    HyperGeometricRV,
    NegBinomialRV,
    PoissonRV,
)
from scipy.special import gammainc, gammaincinv, gammaln

from pymc_safetrunc.distributions.families import count_density as density
from pymc_safetrunc.distributions.families import dispatch, sum_quantile, summation
from pymc_safetrunc.distributions.families.safe import (
    constant_number,
    is_data,
    is_shared,
    log1mexp,
)

# A first number up to which the numbers below it are added up in place of those above.
MOST_BELOW = 32
# Of their mass: beyond, what it leaves of 1 has lost a digit. The least part of that to be added.
NEARLY_ALL = 0.9
NEGLIGIBLE = 1e-18


class Tilt(NamedTuple):
    """Of an exponential family: f(k; p) is f(k; r) exp(k slope) times what no k is in."""

    reference: Callable
    """Parameters r that suit the data, of the data and p; None where there are no constant ones."""
    slope: Callable
    """Of p and r."""


def _family(
    op_class: type,
    log_density: Callable,
    mode: Callable,
    above: Callable | None = None,
    tilt: Tilt | None = None,
):
    """Register a family with one peak by its log-density and its mode.

    `above` gives log P(X >= first) of a small constant first and the parameters, or None where that
    has no form: an interval with an end on the left alone, near 0, is the one people truncate to
    most. With a `tilt`, what constant data of one law cost is a product each: their density under
    the reference is a constant.
    """

    def of(params, batch_ndim):
        def along(k):
            # nodes come with one axis more than the parameters' joint shape
            nodes = k.ndim > batch_ndim
            return log_density(k, *(p[..., None] if nodes else p for p in params))

        return along

    def rule(lower, upper, params):
        batch_ndim = max(x.ndim for x in (lower, upper, *params))
        return of(params, batch_ndim), mode(*params), lower, upper

    @dispatch.log_interval_mass.register(op_class)
    def log_interval_mass(op, lower, upper, *params):
        if above is not None and constant_number(upper) == np.inf:
            first = constant_number(lower)
            if first is not None and (mass := above(first, *params)) is not None:
                return mass
        return summation.log_sum(*rule(lower, upper, params))

    @dispatch.is_cheap.register(op_class)
    def is_cheap(op):
        return tilt is not None

    @dispatch.truncated_logp.register(op_class)
    def truncated_logp(op, value, lower, upper, *params):
        numbers = summation.few_numbers(lower, upper)
        if tilt and numbers is not None and (reference := tilt.reference(numbers, *params)):
            # what does not depend on the number cancels: one exponential for each of them is left
            slope = tilt.slope(params, reference)

            def tilted(k, slope):
                return log_density(k, *reference) + (k - numbers[0]) * slope

            return tilted(value, slope) - summation.log_sum_exp(tilted(numbers, slope[..., None]))
        mass = log_interval_mass(op, lower, upper, *params)
        constant = is_data(value) and is_shared(lower, upper, *params)
        reference = tilt.reference(value.data, *params) if tilt and constant else None
        if reference is None:
            return log_density(value, *params) - mass
        # measured from the largest density, where the two logs of the tilt and the mass are small
        center = disconnected_grad(pt.clip(mode(*params), lower, upper))
        own = log_density(value, *reference) + (value - center) * tilt.slope(params, reference)
        return own + (log_density(center, *params) - log_density(center, *reference) - mass)

    def placed(place, q, lower, upper, params):
        shared = is_shared(lower, upper, *params)
        if not shared:
            q, lower, upper, *params = pt.broadcast_arrays(q, lower, upper, *params)
        along, center, lower, upper = rule(lower, upper, params)
        return place(along, q, center, lower, upper, shared=shared)

    @dispatch.truncated_quantile.register(op_class)
    def truncated_quantile(op, q, lower, upper, *params):
        return placed(sum_quantile.quantile, q, lower, upper, params)

    @dispatch.truncated_draw.register(op_class)
    def truncated_draw(op, q, lower, upper, *params):
        return placed(sum_quantile.approximate_quantile, q, lower, upper, params)

    @dispatch.truncated_start.register(op_class)
    def truncated_start(op, lower, upper, *params):
        return truncated_draw(op, np.float64(0.5), lower, upper, *params)


@dispatch.support.register(PoissonRV)
@dispatch.support.register(NegBinomialRV)
def _(op, *params):
    return 0.0, np.inf


@dispatch.support.register(BinomialRV)
@dispatch.support.register(BetaBinomialRV)
def _(op, n, *params):
    return 0.0, n


@dispatch.support.register(HyperGeometricRV)
def _(op, good, bad, n):
    return pt.maximum(0.0, n - bad), pt.minimum(good, n)


@dispatch.legal.register(PoissonRV)
def _(op, mu):
    return (mu > 0,), "mu > 0"


@dispatch.legal.register(BinomialRV)
def _(op, n, p):
    return (n >= 0, p > 0, p < 1), "n >= 0, 0 < p < 1"


@dispatch.legal.register(NegBinomialRV)
def _(op, n, p):
    return (n > 0, p > 0, p < 1), "n > 0, 0 < p < 1"


@dispatch.legal.register(HyperGeometricRV)
def _(op, good, bad, n):
    return (n >= 0, n <= good + bad, good >= 0, bad >= 0), "0 <= n <= N, 0 <= k <= N"


@dispatch.legal.register(BetaBinomialRV)
def _(op, n, alpha, beta):
    return (n >= 0, alpha > 0, beta > 0), "n >= 0, alpha > 0, beta > 0"


def _binomial_reference(k, n, p):
    """The same n, and the share of successes away from 0 and 1."""
    if not isinstance(n, Constant) or n.data.size != 1:
        return None
    trials = n.data.item()
    return np.float64(trials), np.float64((k.sum() + 0.5) / (k.size * trials + 1))


def _poisson_above(first, mu):
    """Log of P(X >= first): 1 less the numbers below, or where those are nearly all, the rest."""
    if first == 1:
        return log1mexp(mu)
    if not 1 < first <= MOST_BELOW:
        return None
    # where the rest is less than 1/10 of all, mu is less than this, and so many of them count
    most_mu = gammaincinv(first, 1 - NEARLY_ALL)
    count = np.argmax(gammainc(first + np.arange(1, 1000), most_mu) < NEGLIGIBLE)
    k = np.arange(first + count + 1)
    logs = k * pt.log(mu)[..., None] - gammaln(k + 1) - mu[..., None]
    first = int(first)
    below = pt.exp(logs[..., :first]).sum(axis=-1)
    most = pt.log1p(-pt.minimum(below, NEARLY_ALL))
    return pt.switch(below < NEARLY_ALL, most, summation.log_sum_exp(logs[..., first:]))


_family(
    PoissonRV,
    density.log_poisson,
    mode=pt.floor,
    above=_poisson_above,
    tilt=Tilt(lambda k, mu: (k.mean() + 0.5,), lambda new, old: pt.log(new[0] / old[0])),
)
_family(
    BinomialRV,
    lambda k, n, p: density.log_binomial(k, n, p, 1 - p),
    mode=lambda n, p: pt.floor((n + 1) * p),
    tilt=Tilt(
        _binomial_reference,
        lambda new, old: pt.log(new[1] / old[1]) - pt.log((1 - new[1]) / (1 - old[1])),
    ),
)
_family(
    NegBinomialRV,
    lambda k, n, p: density.log_negative_binomial(k, n, p, 1 - p),
    mode=lambda n, p: pt.maximum(pt.floor((n - 1) * (1 - p) / p), 0.0),
    above=lambda first, n, p: log1mexp(-n * pt.log(p)) if first == 1 else None,
)
_family(
    HyperGeometricRV,
    density.log_hypergeometric,
    mode=lambda good, bad, n: pt.floor((n + 1) * (good + 1) / (good + bad + 2)),
)


@dispatch.log_interval_mass.register(BetaBinomialRV)
def beta_binomial_log_interval_mass(op, lower, upper, n, alpha, beta):
    """Add up number by number: with alpha and beta below 1 there are two peaks."""
    terms, largest = _beta_binomial_terms(lower, upper, n, alpha, beta)
    return largest + pt.log(terms.sum(axis=-1))


@dispatch.truncated_logp.register(BetaBinomialRV)
def _(op, value, lower, upper, n, alpha, beta):
    mass = beta_binomial_log_interval_mass(op, lower, upper, n, alpha, beta)
    return density.log_beta_binomial(value, n, alpha, beta) - mass


@dispatch.truncated_quantile.register(BetaBinomialRV)
def _(op, q, lower, upper, n, alpha, beta):
    terms, _ = _beta_binomial_terms(lower, upper, n, alpha, beta)
    cumulative = pt.cumsum(terms, axis=-1)
    target = q * cumulative[..., -1]
    return (cumulative < target[..., None]).sum(axis=-1).astype("float64")


def _beta_binomial_terms(lower, upper, n, alpha, beta):
    """Densities of 0, ..., n relative to the largest inside the bounds, 0 outside of them."""
    k = pt.arange(pt.maximum(n.max(), 0) + 1)
    inside = pt.and_(k >= lower[..., None], k <= upper[..., None])
    known = pt.switch(inside, k, lower[..., None])
    log_density = density.log_beta_binomial(known, n[..., None], alpha[..., None], beta[..., None])
    largest = log_density.max(axis=-1)
    return pt.switch(inside, pt.exp(log_density - largest[..., None]), 0.0), largest
