"""Interpolated: the density is a straight line between points, its integral a sum of trapezes."""

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.continuous import InterpolatedRV

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.ops.quadrature import mass_between, stop_gradient


@dispatch.support.register(InterpolatedRV)
def _(op, x_points, pdf_points, cdf_points):
    return x_points[..., 0], x_points[..., -1]


def trapezes(lower, upper, x_points, pdf_points):
    """Of each stretch between points what is inside the bounds: left end, width, height, slope."""
    start, end = x_points[..., :-1], x_points[..., 1:]
    slope = pt.diff(pdf_points, axis=-1) / (end - start)
    left = pt.clip(lower[..., None], start, end)
    width = pt.clip(upper[..., None], start, end) - left
    return left, width, _height(left, x_points, pdf_points), slope


def _height(x, x_points, pdf_points):
    """The density on each stretch: by both ends, next to one where it is 0 to the last digit."""
    start, end = x_points[..., :-1], x_points[..., 1:]
    ends = pdf_points[..., :-1] * (end - x) + pdf_points[..., 1:] * (x - start)
    return ends / (end - start)


def masses(width, height, slope):
    """Mass of each stretch."""
    return width * (height + slope * width / 2)


def log_density(x, x_points, pdf_points):
    """Log of the height at x, -inf where that is 0."""
    x = x[..., None]
    start, end = x_points[..., :-1], x_points[..., 1:]
    within = pt.and_(start <= x, pt.or_(x < end, pt.eq(x, x_points[..., -1:])))
    within = pt.and_(within, x <= end)
    density = pt.switch(within, _height(x, x_points, pdf_points), 0).sum(-1)
    positive = density > 0
    return pt.switch(positive, pt.log(pt.switch(positive, density, 1)), -np.inf)


@dispatch.log_interval_mass.register(InterpolatedRV)
def _(op, lower, upper, x_points, pdf_points, cdf_points):
    """Derivatives in the bounds are density over mass: those of the trapezes add up and cancel."""
    _, width, height, slope = trapezes(
        stop_gradient(lower), stop_gradient(upper), x_points, pdf_points
    )
    return mass_between(
        pt.log(masses(width, height, slope).sum(-1)),
        lower,
        upper,
        log_density(lower, x_points, pdf_points),
        log_density(upper, x_points, pdf_points),
    )


@dispatch.truncated_logp.register(InterpolatedRV)
def _(op, value, lower, upper, x_points, pdf_points, cdf_points):
    log_mass = dispatch.log_interval_mass(op, lower, upper, x_points, pdf_points, cdf_points)
    return log_density(value, x_points, pdf_points) - log_mass


@dispatch.truncated_quantile.register(InterpolatedRV)
def _(op, q, lower, upper, x_points, pdf_points, cdf_points):
    """Whole stretches up to the one that holds q, and of that the root of a square equation."""
    _, width, height, slope = trapezes(lower, upper, x_points, pdf_points)
    mass = masses(width, height, slope)
    until = pt.cumsum(mass, axis=-1)
    goal = (q * until[..., -1])[..., None]
    part = pt.clip(goal - (until - mass), 0, mass)
    root = height + pt.sqrt(pt.maximum(height**2 + 2 * slope * part, 0))
    inside = pt.switch(root > 0, 2 * part / pt.switch(root > 0, root, 1), np.float64(0))
    return lower + pt.switch(goal >= until, width, inside).sum(-1)
