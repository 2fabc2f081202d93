"""The truncated normal by Gauss-Legendre quadrature: a check that shares nothing with ``exact``."""

from itertools import pairwise

from mpmath import mp, mpf
from mpmath.calculus.quadrature import GaussLegendre

RULE = GaussLegendre(mp)
NODES_DEGREE = 4
PIECES = 24


class Law:
    """The normal density over an interval, relative to its largest value there.

    It is integrated from the mode outwards, piece by piece, until it has fallen by 1e-45. Nothing
    cancels as long as ``mean`` is asked for central moments, or for moments about a point inside.
    """

    def __init__(self, mu, sigma, lower, upper):
        self.mu, self.sigma, lower, upper = (mpf(v) for v in (mu, sigma, lower, upper))
        self.mode = min(max(self.mu, lower), upper)
        slope = abs(self.mode - self.mu) / self.sigma
        # exp(-slope s - s^2/2) is below 1e-45 beyond this distance s, in units of sigma
        reach = self.sigma * 207 / (slope / 2 + mp.sqrt(slope**2 / 4 + 104))
        nodes = []
        for start, end in (
            (max(lower, self.mode - reach), self.mode),
            (self.mode, min(upper, self.mode + reach)),
        ):
            if start < end:
                for left, right in pairwise(mp.linspace(start, end, PIECES + 1)):
                    nodes += RULE.get_nodes(left, right, NODES_DEGREE, mp.prec)
        self.weights = [(y, w * self.relative_density(y)) for y, w in nodes]
        self.total = mp.fsum(w for _, w in self.weights)
        # of the integral of exp(-(y - mu)^2 / (2 sigma^2))
        self.log_total = mp.log(self.total) - ((self.mode - self.mu) / self.sigma) ** 2 / 2

    def relative_density(self, y):
        """Density at y over that at the mode; 0 at an infinite y."""
        if not mp.isfinite(y):
            return mpf(0)
        step = y - self.mode
        return mp.exp(-step * (step / 2 + (self.mode - self.mu)) / self.sigma**2)

    def density(self, y):
        """Density of the truncated law."""
        return self.relative_density(mpf(y)) / self.total

    def mean(self, function):
        """Expectation of ``function`` under the truncated law."""
        return mp.fsum(w * function(y) for y, w in self.weights) / self.total
