"""Largest errors of `Truncated` against the families' mpmath tables, for each family and linker.

Relative to the larger of the truth and the natural scale of the column, as
`tests.accuracy.families.budget` defines them. Closed forms and sums are measured under every
linker, quadratures under Numba.
"""

import numpy as np

from pymc_safetrunc.distributions.truncated import Truncated
from tests.accuracy.families import budget, evaluation, families


def run():
    for name in families():
        for linker in ("NUMBA", "CVM", "JAX") if budget.route(name) == "closed" else ("NUMBA",):
            table, got = evaluation.evaluated(name, Truncated.dist, linker)
            errors = {k: np.max(budget.errors(table, k, v)) for k, v in got.items()}
            cases = f"{len(table['value'])} cases"
            logp = errors.pop("logp")
            yield f"{name}, log density ({linker})", logp, budget.limit(name, "logp"), cases
            if errors:
                worst = max(errors, key=errors.get)
                limit = budget.limit(name, worst)
                yield f"{name}, gradients ({linker})", errors[worst], limit, f"worst: {worst}"
