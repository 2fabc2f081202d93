"""Families that are refused, with what to write instead."""

from pymc.distributions.continuous import FlatRV, HalfFlatRV, PolyaGammaRV

from pymc_safetrunc.distributions.families import dispatch

REASONS = {
    FlatRV: "Flat is not a probability law. Between finite bounds write pm.Uniform(lower, upper).",
    HalfFlatRV: (
        "HalfFlat is not a probability law. Between finite bounds write pm.Uniform(lower, upper)."
    ),
    PolyaGammaRV: (
        "The density of PolyaGamma has no derivatives in PyMC. Give pm.CustomDist a logp=, and "
        "truncate that."
    ),
}


def _refuse(rv_type):
    def refuse(op, *arguments):
        raise NotImplementedError(f"Truncated: {REASONS[rv_type]}")

    for question in (
        dispatch.log_interval_mass,
        dispatch.truncated_logp,
        dispatch.truncated_quantile,
    ):
        question.register(rv_type)(refuse)


for _rv_type in REASONS:
    _refuse(_rv_type)
