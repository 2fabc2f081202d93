"""Log-densities of counts to the last digits, at real arguments.

A difference of log-gammas loses what they have in common, about n log n. C. Loader (2000), "Fast
and accurate computation of binomial probabilities", writes them by what Stirling's formula leaves
over and by deviances, both small where the density is large.
"""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.elemwise import Elemwise

from pymc_safetrunc.ops import counts as ops

_HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)

stirling_error: Any = Elemwise(ops.stirling_error)
deviance: Any = Elemwise(ops.deviance)


def log_poisson(k, mu):
    """Log of exp(-mu) mu^k / k!."""
    positive = pt.switch(k > 0, k, 1)
    inside = -stirling_error(positive) - deviance(positive, mu) - 0.5 * pt.log(2 * np.pi * positive)
    return pt.switch(k > 0, inside, -mu)


def _saddle_point(x, y, total, p, q):
    """Log of Gamma(total)/(Gamma(x) Gamma(y)) p^x q^y sqrt(total/x)/y, total = x + y, q = 1 - p.

    All three are given: a small part of a large total cannot be had back as a difference.
    """
    leftover = stirling_error(total) - stirling_error(x) - stirling_error(y)
    apart = deviance(x, total * p) + deviance(y, total * q)
    return leftover - apart - 0.5 * pt.log(2 * np.pi * y)


def log_binomial(k, n, p, q):
    """Log of n!/(k! (n - k)!) p^k q^(n - k) with q = 1 - p, 0 <= k <= n, p and q > 0."""
    rest = n - k
    inside = pt.and_(k > 0, rest > 0)
    x, y, total = pt.switch(inside, k, 1), pt.switch(inside, rest, 1), pt.switch(inside, n, 2)
    formula = _saddle_point(x, y, total, p, q) + 0.5 * pt.log(total / x)
    # where p is the smaller of the two, log q is log1p(-p)
    log_q = pt.switch(p < 0.5, pt.log1p(-pt.switch(p < 0.5, p, 0)), pt.log(q))
    log_p = pt.switch(q < 0.5, pt.log1p(-pt.switch(q < 0.5, q, 0)), pt.log(p))
    return pt.switch(inside, formula, pt.switch(k > 0, n * log_p, n * log_q))


def log_negative_binomial(k, alpha, p, q):
    """Log of Gamma(k + alpha)/(k! Gamma(alpha)) p^alpha q^k with q = 1 - p, p and q > 0."""
    positive = pt.switch(k > 0, k, 1)
    total = positive + alpha
    inside = _saddle_point(alpha, positive, total, p, q) + 0.5 * pt.log(alpha / total)
    log_p = pt.switch(q < 0.5, pt.log1p(-pt.switch(q < 0.5, q, 0)), pt.log(p))
    return pt.switch(k > 0, inside, alpha * log_p)


def log_beta(a, b):
    """Log of the beta function, a and b > 0."""
    leftover = stirling_error(a) + stirling_error(b) - stirling_error(a + b)
    halves = _HALF_LOG_2PI + 0.5 * (pt.log(a + b) - pt.log(a) - pt.log(b))
    return leftover + halves - a * pt.log1p(b / a) - b * pt.log1p(a / b)


def log_beta_binomial(k, n, alpha, beta):
    """Log of C(n, k) B(k + alpha, n - k + beta)/B(alpha, beta)."""
    choose = -pt.log(n + 1) - log_beta(k + 1, n - k + 1)
    return choose + log_beta(k + alpha, n - k + beta) - log_beta(alpha, beta)


def log_hypergeometric(k, good, bad, n):
    """Log of C(good, k) C(bad, n - k)/C(good + bad, n)."""
    total = good + bad
    p = n / total
    q = (total - n) / total
    # all or nothing drawn: certain
    certain = pt.or_(pt.eq(n, 0), pt.eq(n, total))
    p, q = pt.switch(certain, 0.5, p), pt.switch(certain, 0.5, q)
    part = log_binomial(k, good, p, q) + log_binomial(n - k, bad, p, q)
    return pt.switch(certain, 0.0, part - log_binomial(n, total, p, q))
