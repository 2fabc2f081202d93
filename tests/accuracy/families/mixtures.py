"""Families with a mass at zero beside another law: zero-inflated ones and hurdles."""

from mpmath import mp, mpf

from tests.accuracy.families.counts import BINOMIAL, NEGATIVE_BINOMIAL, POISSON
from tests.accuracy.families.family import Family
from tests.accuracy.families.incomplete import FAMILIES as INCOMPLETE
from tests.accuracy.families.positive import FAMILIES as POSITIVE

GAMMA = next(f for f in INCOMPLETE if f.name == "Gamma")
LOGNORMAL = next(f for f in POSITIVE if f.name == "LogNormal")
# Of each parameter set, in its turn.
PSI = (0.75, 0.9, 0.3)


def mixed(name, base, at_zero, elsewhere, **rest):
    """Log-density log(1 - psi + at_zero) at 0, log(psi) + elsewhere(k) above it; and its mass."""

    def log_density(k, psi, *parameters):
        if k == 0:
            return mp.log(1 - psi + psi * at_zero(*parameters))
        return mp.log(psi) + elsewhere(k, *parameters)

    def support(psi, *parameters):
        return base.edges(parameters)

    def sets():
        chosen = base.sets[: len(PSI)]
        return tuple((psi, *parameters) for psi, parameters in zip(PSI, chosen, strict=True))

    return Family(
        name,
        kinds={"psi": "shape"} | base.kinds,
        sets=sets(),
        support=support,
        log_density=log_density,
        **rest,
    )


def zero_inflated(base):
    def mass(low, high, psi, *parameters):
        zero = 1 - psi if low <= 0 <= high else mpf(0)
        return zero + psi * base.interval_mass(low, high, parameters)

    return mixed(
        f"ZeroInflated{base.name}",
        base,
        at_zero=lambda *parameters: mp.exp(base.log_density(mpf(0), *parameters)),
        elsewhere=base.log_density,
        mass=mass,
        discrete=True,
    )


def hurdle(base):
    """A discrete base is conditioned on being above 0; a continuous one is so already."""

    def log_positive(*parameters):
        if not base.discrete:
            return mpf(0)
        return mp.log1p(-mp.exp(base.log_density(mpf(0), *parameters)))

    def mass(low, high, psi, *parameters):
        zero = 1 - psi if low <= 0 <= high else mpf(0)
        above = base.interval_mass(max(low, mpf(int(base.discrete))), high, parameters)
        return zero + psi * above / mp.exp(log_positive(*parameters))

    return mixed(
        f"Hurdle{base.name}",
        base,
        at_zero=lambda *parameters: mpf(0),
        elsewhere=lambda k, *parameters: (
            base.log_density(k, *parameters) - log_positive(*parameters)
        ),
        mass=mass,
        discrete=base.discrete,
        atom=None if base.discrete else 0.0,
    )


FAMILIES = (
    zero_inflated(POISSON),
    zero_inflated(BINOMIAL),
    zero_inflated(NEGATIVE_BINOMIAL),
    hurdle(POISSON),
    hurdle(NEGATIVE_BINOMIAL),
    hurdle(GAMMA),
    hurdle(LOGNORMAL),
)
