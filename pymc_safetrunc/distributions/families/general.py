"""Families without an entry: quadrature of their density between the bounds."""

from pymc_safetrunc.distributions.families.dispatch import family_name


def general_log_interval_mass(op, lower, upper, *params):
    """Log of P(lower <= X <= upper) by quadrature."""
    raise NotImplementedError(f"Truncated has no form for {family_name(op)} yet.")


def general_truncated_quantile(op, q, lower, upper, *params):
    """Quantile of the truncated law by quadrature."""
    raise NotImplementedError(f"Truncated has no form for {family_name(op)} yet.")
