"""The truncated normal from its definitions, in mpmath, for the makers of the accuracy tables.

Nothing here is clever. Masses are differences of complementary error functions, moments come from
the textbook recurrence, and the working precision is made large enough that their cancellation does
no harm. ``settled`` then computes everything twice, at two precisions, and refuses to return a
number whose first 25 digits differ.

Arguments are float64 numbers and are taken as exact.
"""

from itertools import pairwise

from mpmath import mp, mpf

AGREEMENT = mpf(10) ** -25
GUARD_DIGITS = 40
EXTRA_DIGITS = 30
ARGUMENTS = ("x", "mu", "sigma", "lower", "upper")
# times 1/sigma: below this a derivative of a log CDF is judged absolutely
LOG_CDF_GRADIENT_SCALE = mpf("1e-6")


def working_digits(mu, sigma, *points):
    """Decimal digits that leave ``GUARD_DIGITS`` after the worst cancellation of the formulas here.

    With d the least distance of two points (the bounds, x) in units of sigma and A the largest
    standardised one: the mass of a narrow interval loses d, each hazard is 1/d, and the variance of
    the square may be as small as d^4 among moments as large as A^4; phi(A) loses A^2. Hence d^6 and
    A^8 (A^4, A^2 and two to spare).
    """
    with mp.workdps(30):
        finite = sorted({mpf(v) for v in points if mp.isfinite(v)})
        gaps = [(high - low) / mpf(sigma) for low, high in pairwise(finite)]
        closest = min([mpf(1), *gaps])
        largest = max([mpf(1), *(abs(v - mpf(mu)) / mpf(sigma) for v in finite)])
        return GUARD_DIGITS + int(mp.ceil(8 * mp.log10(largest) - 6 * mp.log10(closest)))


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
    digits = working_digits(mu, sigma, x, lower, upper)

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


def log_mass(a, b):
    """log(Phi(b) - Phi(a)), with all digits where it is near zero too."""
    if a < 0 < b:
        return mp.log1p(-(upper_tail(-a) + upper_tail(b)))
    return mp.log(mass(a, b))


def log_ndtr_interval(a, b):
    """log(Phi(b) - Phi(a)) of float64 numbers and its two derivatives."""

    def compute():
        low, high = mpf(a), mpf(b)
        total = mass(low, high)
        values = {
            "value": log_mass(low, high),
            "d_a": -phi(low) / total,
            "d_b": phi(high) / total,
        }
        return values, {}

    return settled(compute, working_digits(0.0, 1.0, a, b))


def log_cdf_and_survival(x, mu, sigma, lower, upper):
    """Log CDF and log survival function at lower < x < upper, and their gradients.

    F = p/(p + s) with p and s the masses on either side of x. F is unchanged when x, mu and the
    bounds move together or when their distances from mu and sigma grow together: that gives the
    derivatives in mu and sigma from the other three.
    """

    def compute():
        width = mpf(sigma)
        a, b, z = (standardised(v, mu, sigma) for v in (lower, upper, x))
        below, above, total = mass(a, z), mass(z, b), mass(a, b)

        def log_share(part, rest):
            return mp.log(part / total) if part < rest else mp.log1p(-rest / total)

        values = {"logcdf": log_share(below, above), "logsf": log_share(above, below)}
        in_z = {
            "cdf": (
                phi(z) / below,
                -phi(a) * above / (below * total),
                -phi(b) / total,
            ),
            "sf": (
                -phi(z) / above,
                phi(a) / total,
                phi(b) * below / (above * total),
            ),
        }
        for name, slopes in in_z.items():
            pairs = zip((z, a, b), slopes, strict=True)
            stretch = mp.fsum(point * slope for point, slope in pairs if mp.isfinite(point))
            gradient = (slopes[0], -mp.fsum(slopes), -stretch, slopes[1], slopes[2])
            for argument, slope in zip(ARGUMENTS, gradient, strict=True):
                values[f"{name}_d_{argument}"] = slope / width
        scales = {k: LOG_CDF_GRADIENT_SCALE / width for k in values if "_d_" in k}
        return values, scales

    return settled(compute, working_digits(mu, sigma, x, lower, upper))


def mean_and_variance(mu, sigma, lower, upper):
    """Mean, its gradient, and the variance of the law, with the natural sds of its table."""

    def compute():
        s = mpf(sigma)
        a, b = (standardised(v, mu, sigma) for v in (lower, upper))
        _, ha, hb, m = moments(a, b)
        variance, covariance = m[2] - m[1] ** 2, m[3] - m[1] * m[2]
        variance_of_square = m[4] - m[2] ** 2
        values = {
            "mean": mpf(mu) + s * m[1],
            "variance": s**2 * variance,
            "mean_d_mu": variance,
            "mean_d_sigma": covariance,
            "mean_d_lower": ha * (m[1] - a) if mp.isfinite(a) else mpf(0),
            "mean_d_upper": hb * (b - m[1]) if mp.isfinite(b) else mpf(0),
            "sd_x": s * mp.sqrt(variance),
            "sd_square": s**2 * mp.sqrt(variance_of_square),
        }
        scales = {
            "mean": s * mp.sqrt(variance),
            "mean_d_sigma": mp.sqrt(variance * variance_of_square),
        }
        return values, scales

    return settled(compute, working_digits(mu, sigma, lower, upper))


def quantile(q, mu, sigma, lower, upper):
    """Solve F(x) = q, with a proof: F is below q just left of the answer and above it just right.

    "Just" is 1e-9 of max(eps |x|, eps sd), far below what a float64 answer can tell apart.
    """
    q = mpf(q)
    with mp.workdps(400):
        other = 1 - q
    if q > 0.5:
        low, high, share = -mpf(upper), -mpf(lower), other
    else:
        low, high, share = mpf(lower), mpf(upper), q
    centre = -mpf(mu) if q > 0.5 else mpf(mu)
    # F(x) is relative to a share as small as 1e-300, and so is x - lower then
    digits = working_digits(mu, sigma, lower, upper) + int(-mp.log10(share))
    with mp.workdps(digits):
        s = mpf(sigma)
        a, b = (low - centre) / s, (high - centre) / s
        _, _, _, m = moments(a, b)
        sd = mp.sqrt(m[2] - m[1] ** 2)
        z = solve_lower_share(share, a, b, mpf(10) ** -30 * sd)
        unit = mpf(2) ** -53 * max(abs(centre / s + z), sd)
    with mp.workdps(digits + EXTRA_DIGITS):
        a, b = (low - centre) / s, (high - centre) / s
        goal, near = share * mass(a, b), unit * mpf(10) ** -9
        if not (z - near <= a or mass(a, z - near) < goal) or not (
            z + near >= b or mass(a, z + near) > goal
        ):
            raise AssertionError(f"quantile {mp.nstr(q)} of {(mu, sigma, lower, upper)} not found")
        x = centre + s * z
        return -x if q > 0.5 else x


def solve_lower_share(share, a, b, tolerance):
    """Return z with mass(a, z) = share * mass(a, b), share <= 1/2, by Newton inside a bracket.

    It ends with a step below ``tolerance``.

    log mass(a, z) is concave in z. Where it grows like a power of z - a, the step is taken in
    log(z - a); where it grows like an exponential, in z; where a step leaves the bracket, the
    bracket is halved.
    """
    goal = share * mass(a, b)
    # the median of a normal cut off below a is less than max(a, 0) + 1
    high = min(b, max(a, mpf(0)) + 1)
    # the density is at most that at the mode, so F needs at least this distance; half of it, for
    # where the density is all but constant the answer is a rounding away
    low = a + goal / phi(min(max(a, mpf(0)), b)) / 2 if mp.isfinite(a) else a
    z = high if not mp.isfinite(a) or b < 0 else low
    for _ in range(400):
        got = mass(a, z)
        excess = mp.log(got / goal)
        if excess > 0:
            high = min(high, z)
        else:
            low = max(low, z)
        growth = phi(z) / got
        power = growth * (z - a)
        if mp.isfinite(a) and power < 2:
            new = a + (z - a) * mp.exp(-excess / power)
        else:
            new = z - excess / growth
        if not low <= new <= high:
            z = a + mp.sqrt((low - a) * (high - a)) if power < 2 else (low + high) / 2
        elif abs(new - z) <= tolerance:
            return new
        else:
            z = new
    raise AssertionError("no convergence")
