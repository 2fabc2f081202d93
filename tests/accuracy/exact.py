"""The truncated normal from its definitions, in mpmath, for the makers of the accuracy tables.

Nothing here is clever. Masses are differences of complementary error functions, moments come from
the textbook recurrence, and the working precision is made large enough that their cancellation does
no harm. ``settled`` then computes everything twice, at two precisions, and refuses to return a
number whose first 25 digits differ.

Arguments are float64 numbers and are taken as exact.
"""

from mpmath import mp, mpf

AGREEMENT = mpf(10) ** -25
GUARD_DIGITS = 40
EXTRA_DIGITS = 30


def working_digits(mu, sigma, lower, upper, x=None):
    """Decimal digits that leave ``GUARD_DIGITS`` after the worst cancellation of the formulas here.

    With d the width in units of sigma and A the largest standardised number: the mass of a narrow
    interval loses d, each hazard is 1/d, and the variance of the square may be as small as d^4
    among moments as large as A^4; phi(A) loses A^2. Hence d^6 and A^8 (A^4, A^2 and two to spare).
    """
    with mp.workdps(30):
        width = (mpf(upper) - mpf(lower)) / mpf(sigma)
        numbers = [lower, upper] if x is None else [lower, upper, x]
        largest = max(
            [mpf(1)] + [abs(mpf(v) - mpf(mu)) / mpf(sigma) for v in numbers if mp.isfinite(v)]
        )
        lost = 8 * mp.log10(largest) + 6 * max(mpf(0), -mp.log10(width))
        return GUARD_DIGITS + int(mp.ceil(lost))


def settled(compute, digits):
    """Run ``compute`` at two precisions; return the values once 25 digits of each agree.

    ``compute`` returns two dicts, the values and the scales below which a value's own digits do not
    matter (absent: 0, all digits are relative).
    """
    with mp.workdps(digits):
        rough, _ = compute()
    with mp.workdps(digits + EXTRA_DIGITS):
        values, scales = compute()
        for name, value in values.items():
            if rough[name] == value:
                continue
            allowed = AGREEMENT * max(abs(value), scales.get(name, 0))
            if not abs(rough[name] - value) <= allowed:
                raise AssertionError(
                    f"{name}: {digits} digits give {mp.nstr(rough[name], 30)}, "
                    f"{digits + EXTRA_DIGITS} give {mp.nstr(value, 30)}"
                )
        return values


def upper_tail(z):
    """Return 1 - Phi(z)."""
    return mpf(0) if z == mp.inf else mp.erfc(z / mp.sqrt(2)) / 2


def phi(z):
    """Density of the standard normal."""
    return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi) if mp.isfinite(z) else mpf(0)


def mass(a, b):
    """Phi(b) - Phi(a), from the tails on the side where they are small."""
    if a > 0:
        return upper_tail(a) - upper_tail(b)
    if b < 0:
        return upper_tail(-b) - upper_tail(-a)
    return 1 - upper_tail(-a) - upper_tail(b)


def standardised(value, mu, sigma):
    """(value - mu) / sigma of float64 numbers, at the working precision."""
    return (mpf(value) - mpf(mu)) / mpf(sigma)


def moments(a, b):
    """Mass, the hazards phi(a)/Z and phi(b)/Z, and E[z^k], k = 0..4, of the normal on (a, b)."""
    z = mass(a, b)
    ha, hb = phi(a) / z, phi(b) / z
    m = [mpf(1), ha - hb]
    for k in range(1, 4):
        boundary = (a**k * ha if mp.isfinite(a) else 0) - (b**k * hb if mp.isfinite(b) else 0)
        m.append(k * m[k - 1] + boundary)
    return z, ha, hb, m


def log_density(x, mu, sigma, lower, upper):
    """Log-density at the working precision; any of the numbers may be mpf."""
    a, b, z = (standardised(v, mu, sigma) for v in (lower, upper, x))
    return -z * z / 2 - mp.log(mp.sqrt(2 * mp.pi)) - mp.log(mpf(sigma)) - mp.log(mass(a, b))


def density_and_derivatives(x, mu, sigma, lower, upper):
    """Log-density, its gradient, second derivatives in mu and sigma, and the two natural sds.

    From the exponential family: d E[g(X)]/d mu = Cov(g, X)/sigma^2 and
    d E[g(X)]/d sigma = Cov(g, (X-mu)^2)/sigma^3. Here s is sigma and everything is in z = (X-mu)/s.
    """
    digits = working_digits(mu, sigma, lower, upper, x)

    def compute():
        s = mpf(sigma)
        a, b, z = (standardised(v, mu, sigma) for v in (lower, upper, x))
        total, ha, hb, m = moments(a, b)
        variance, covariance, variance_of_square = (
            m[2] - m[1] ** 2,
            m[3] - m[1] * m[2],
            m[4] - m[2] ** 2,
        )
        root, root_square = mp.sqrt(variance), mp.sqrt(variance_of_square)
        values = {
            "logp": -z * z / 2 - mp.log(mp.sqrt(2 * mp.pi)) - mp.log(s) - mp.log(total),
            "d_x": -z / s,
            "d_mu": (z - m[1]) / s,
            "d_sigma": (z * z - m[2]) / s,
            "d_lower": ha / s,
            "d_upper": -hb / s,
            "d2_mu_mu": -variance / s**2,
            "d2_mu_sigma": -(2 * (z - m[1]) + covariance) / s**2,
            "d2_sigma_sigma": -(3 * (z * z - m[2]) + variance_of_square) / s**2,
            "sd_x": s * root,
            "sd_square": s**2 * root_square,
        }
        scales = {
            "logp": mpf(1),
            "d_mu": root / s,
            "d_sigma": root_square / s,
            "d2_mu_sigma": root * root_square / s**2,
            "d2_sigma_sigma": variance_of_square / s**2,
        }
        return values, scales

    return settled(compute, digits)
