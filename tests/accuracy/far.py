"""The log-density and its gradient at the ends of the floating-point range, in mpmath.

`exact` writes the mass by erfc, which mpmath cannot evaluate at 1e300. Here a tail is measured
relative to the density at its near bound, and the Mills ratio comes from Laplace's continued
fraction wherever the bound is far.
"""

from mpmath import mp, mpf

from tests.accuracy import exact

# Beyond this many sigmas the continued fraction gains nine digits a level.
FAR = mpf(10) ** 6
DIGITS_A_LEVEL = 9


def mills(a):
    """(1 - Phi(a))/phi(a), a >= 0."""
    if a == mp.inf:
        return mpf(0)
    if a < FAR:
        return exact.upper_tail(a) / exact.phi(a)
    ratio = 1 / a
    for k in range(10 + mp.dps // DIGITS_A_LEVEL, 0, -1):
        ratio = 1 / (a + k * ratio)
    return ratio


def tail(a):
    """1 - Phi(a) for a >= 0: 0 where that is below 1e-(10^11)."""
    return exact.upper_tail(a) if a < FAR else mpf(0)


def density(z):
    return exact.phi(z) if abs(z) < FAR else mpf(0)


def log_density_and_gradient(x, mu, sigma, lower, upper):
    """Value, the five derivatives, and the natural sds, as mpf (which has no largest number).

    Moments are taken about the bound nearer the mode (about mu if that is inside), where they are
    of the size of the result. The precision covers the cancellation of what is left.
    """
    digits = exact.working_digits(mu, sigma, x, lower, upper)
    with mp.workdps(digits):
        s = mpf(sigma)
        a, b, z = (exact.standardised(v, mu, sigma) for v in (lower, upper, x))
        mirrored = a + b < 0
        if mirrored:
            a, b, z = -b, -a, -z
        if a >= 0:
            d = b - a
            delta = d * (a + d / 2)
            e = mp.exp(-delta) if delta < FAR else mpf(0)
            h = mills(a) - (e * mills(b) if e else 0)
            t = z - a
            logp = -t * (a + t / 2) - mp.log(s) - mp.log(h)
            near, far = 1 / h, e / h
        else:
            total = 1 - tail(-a) - tail(b)
            logp = -z * z / 2 - mp.log(mp.sqrt(2 * mp.pi)) - mp.log(s) - mp.log(total)
            near, far = density(a) / total, density(b) / total
        m = [mpf(1), near - far]
        for k in range(1, 4):
            ends = (a**k * near if near else 0) - (b**k * far if far else 0)
            m.append(k * m[k - 1] + ends)
        side = -1 if mirrored else 1
        variance, square = m[2] - m[1] ** 2, m[4] - m[2] ** 2
        values = {
            "logp": logp,
            "d_x": side * -z / s,
            "d_mu": side * (z - m[1]) / s,
            "d_sigma": (z * z - m[2]) / s,
            "d_lower": (far if mirrored else near) / s,
            "d_upper": -(near if mirrored else far) / s,
        }
        smallest = mpf("1e-290")  # of an s: subnormal numbers have no digits to be judged by
        kappa = max(mpf(1), a)
        scales = {
            "logp": mpf(1),
            "d_x": max(abs(z), 1) / s,
            "d_mu": max(mp.sqrt(variance), smallest) / s,
            "d_sigma": max(mp.sqrt(square), smallest * kappa) / s,
            "d_lower": smallest / s,
            "d_upper": smallest / s,
        }
        return values, scales
