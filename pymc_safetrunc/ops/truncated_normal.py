"""The truncated normal in two parts: what the parameters determine, and each observation.

With scalar parameters the first part is evaluated once however long the data. The second has one
output, so PyTensor fuses it with its neighbours. Derivatives are taken with the anchor held fixed
(see `pymc_safetrunc.kernels.truncated_normal`), which the connection patterns say.
"""

from typing import ClassVar

import numpy as np
from pytensor.gradient import DisconnectedType
from pytensor.scalar.basic import and_, exp, invert, or_, switch

from pymc_safetrunc.kernels import log_interval, truncated_normal_quantile
from pymc_safetrunc.kernels import truncated_normal as kernels
from pymc_safetrunc.ops.kernel_op import KernelOp


class Distance(KernelOp):
    """(x - origin)/sigma, opaque to rewrites and to fastmath."""

    nin = 3
    kernel = staticmethod(kernels.distance)
    c_function = "safetrunc_distance"

    def pullback(self, inputs, outputs, cotangents):
        """Derivatives 1/sigma, -1/sigma and -distance/sigma."""
        _, _, sigma = inputs
        step = cotangents[0] / sigma
        return [step, -step, -step * outputs[0]]


class Curvature(KernelOp):
    """Var(s), Cov(s, s^2) and Var(s^2) of the truncated law, s measured from the anchor."""

    nin = 4
    nout = 3
    kernel = staticmethod(kernels.curvature)
    c_function = "safetrunc_curvature"

    def pullback(self, inputs, outputs, cotangents):
        """Gradient of Var(s) = E[s^2] - E[s]^2; of the others not available."""
        for_variance, *others = cotangents
        if not all(isinstance(cotangent.type, DisconnectedType) for cotangent in others):
            raise NotImplementedError(
                "The truncated normal's log-density has derivatives to second order; a third was "
                "asked for. Ask for second derivatives at most (compile_d2logp)."
            )
        law = normalizer(*inputs)
        m1_gradient, m2_gradient, _, _ = _moment_gradients(inputs, law)
        return [
            for_variance * (d_m2 - 2 * law[2] * d_m1)
            for d_m1, d_m2 in zip(m1_gradient, m2_gradient, strict=True)
        ]


class Normalizer(KernelOp):
    """Anchor, log mass, E[s], E[s^2] and the densities at the bounds, from the parameters."""

    nin = 4
    nout = 6
    kernel = staticmethod(kernels.normalizer)
    c_function = "safetrunc_normalizer"

    def connection_pattern(self, node):
        """Every output but the anchor has derivatives in every parameter."""
        return [[False, True, True, True, True, True]] * self.nin

    def pullback(self, inputs, outputs, cotangents):
        """Sum, over the outputs asked for, of cotangent times gradient."""
        gradients = _log_mass_gradient(inputs, outputs), *_moment_gradients(inputs, outputs)
        totals = [x.zeros_like() for x in inputs]
        for cotangent, gradient in zip(cotangents[1:], gradients, strict=True):
            if not isinstance(cotangent.type, DisconnectedType):
                totals = [
                    total + cotangent * slope for total, slope in zip(totals, gradient, strict=True)
                ]
        return totals


class LogDensity(KernelOp):
    """Log-density at an x inside the bounds, from x, mu, sigma, the anchor and the log mass."""

    nin = 5
    # two products and sums, each rounded once then: a third of the time of a sum of scalars' law
    fastmath: ClassVar = {"contract"}
    kernel = staticmethod(kernels.log_density)
    c_function = "safetrunc_log_density"

    def connection_pattern(self, node):
        """No derivative flows through the anchor."""
        return [[True], [True], [True], [False], [True]]

    def pullback(self, inputs, outputs, cotangents):
        """Derivatives -(x - mu)/sigma^2, s/sigma, s (2 kappa + s)/sigma and -1."""
        x, mu, sigma, anchor, _ = inputs
        (cotangent,) = cotangents
        s = distance(x, anchor, sigma)
        kappa = distance(anchor, mu, sigma)
        return [
            # by `distance` twice: 1/sigma may overflow, and is 0 * inf where x is mu
            -cotangent * distance(distance(x, mu, sigma), 0, sigma),
            # plain divisions, which leave a sum over observations where sigma is a scalar
            cotangent * s / sigma,
            cotangent * (s * (2 * kappa + s)) / sigma,
            DisconnectedType()(),
            -cotangent,
        ]


class LogInterval(KernelOp):
    """log(Phi(b) - Phi(a))."""

    nin = 2
    kernel = staticmethod(log_interval.log_interval)
    c_function = "safetrunc_log_interval"

    def pullback(self, inputs, outputs, cotangents):
        """Minus and plus the densities, at the bounds, of the law truncated to [a, b]."""
        a, b = inputs
        (cotangent,) = cotangents
        *_, density_a, density_b = normalizer(np.float64(0), np.float64(1), a, b)
        return [-cotangent * density_a, cotangent * density_b]


class Quantile(KernelOp):
    """Quantile of the truncated law."""

    nin = 5
    kernel = staticmethod(truncated_normal_quantile.quantile)
    c_function = "safetrunc_quantile"

    def pullback(self, inputs, outputs, cotangents):
        """By the implicit function theorem: dx = (dq - dF)/p(x), dF at fixed x.

        dF is taken of the smaller tail's mass, which one truncated law is of another: its log
        changes with mu and sigma by differences of the two laws' moments.
        """
        q, mu, sigma, lower, upper = inputs
        (x,) = outputs
        (cotangent,) = cotangents
        anchor, log_mass, m1, m2, density_lower, density_upper = normalizer(mu, sigma, lower, upper)
        density = exp(log_density(x, mu, sigma, anchor, log_mass))
        low_side = q <= 0.5
        # a tail without mass (q of 0 or 1) is replaced by the whole: its factor is 0
        has_mass = and_(lower < x, x < upper)
        part_lower = switch(or_(low_side, invert(has_mass)), lower, x)
        part_upper = switch(and_(low_side, has_mass), x, upper)
        part_anchor, _, p1, p2, _, _ = normalizer(mu, sigma, part_lower, part_upper)
        kappa = distance(anchor, mu, sigma)
        shift = distance(part_anchor, anchor, sigma)
        d_mean = p1 + shift - m1
        d_square = p2 + shift * (2 * p1 + shift) - m2
        # dF/dmu = q dlogF/dmu, or minus (1 - q) dlogS/dmu
        tail = switch(low_side, -q, 1 - q) / density * cotangent / sigma
        return [
            cotangent / density,
            tail * d_mean,
            tail * (2 * kappa * d_mean + d_square),
            cotangent * density_lower * (1 - q) / density,
            cotangent * density_upper * q / density,
        ]


distance = Distance(name="distance")
curvature = Curvature(name="truncated_normal_curvature")
normalizer = Normalizer(name="truncated_normal_normalizer")
log_density = LogDensity(name="truncated_normal_log_density")
log_ndtr_interval = LogInterval(name="log_ndtr_interval")
quantile = Quantile(name="truncated_normal_quantile")


def _log_mass_gradient(inputs, outputs):
    """Gradient of the log mass in (mu, sigma, lower, upper)."""
    mu, sigma, _, _ = inputs
    anchor, _, m1, m2, density_lower, density_upper = outputs
    kappa = distance(anchor, mu, sigma)
    return m1 / sigma, (2 * kappa * m1 + m2) / sigma, -density_lower, density_upper


def _moment_gradients(inputs, outputs):
    """Gradients of E[s], E[s^2] and the two densities.

    E[s] and E[s^2] change with the parameters of an exponential family by covariances, and with a
    bound by density * (E[f] - f(bound)). A density at a bound is exp(-s (kappa + s/2) - log_mass)
    there; its slope in its own bound is written by E[s] and the other density, since hazard and
    bound would cancel.
    """
    mu, sigma, lower, upper = inputs
    anchor, _, m1, m2, density_lower, density_upper = outputs
    v11, v12, v22 = curvature(mu, sigma, lower, upper)
    kappa = distance(anchor, mu, sigma)
    # an infinite bound has density 0; its distance must not make 0 * inf
    s_lower = distance(switch(density_lower > 0, lower, anchor), anchor, sigma)
    s_upper = distance(switch(density_upper > 0, upper, anchor), anchor, sigma)
    _, log_mass_sigma, _, _ = _log_mass_gradient(inputs, outputs)

    m1_gradient = (
        v11 / sigma,
        (2 * kappa * v11 + v12 - m1) / sigma,
        density_lower * (m1 - s_lower),
        density_upper * (s_upper - m1),
    )
    m2_gradient = (
        v12 / sigma,
        (2 * kappa * v12 + v22 - 2 * m2) / sigma,
        density_lower * (m2 - s_lower * s_lower),
        density_upper * (s_upper * s_upper - m2),
    )
    density_lower_gradient = (
        density_lower * (s_lower - m1) / sigma,
        density_lower * (s_lower * (2 * kappa + s_lower) / sigma - log_mass_sigma),
        density_lower * ((m1 - s_lower) / sigma + density_upper),
        -density_lower * density_upper,
    )
    density_upper_gradient = (
        density_upper * (s_upper - m1) / sigma,
        density_upper * (s_upper * (2 * kappa + s_upper) / sigma - log_mass_sigma),
        density_upper * density_lower,
        density_upper * ((m1 - s_upper) / sigma - density_lower),
    )
    return m1_gradient, m2_gradient, density_lower_gradient, density_upper_gradient
