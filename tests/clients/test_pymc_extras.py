"""pymc-extras with a safe distribution inside."""

import numpy as np
import pymc as pm
import pymc_extras as pmx

import pymc_safetrunc as pst


def test_map_with_an_infinite_bound():
    """A normal truncated at its mean: the best sigma is the root of the mean square."""
    data = np.array([0.5, 1.0, 1.5])
    with pm.Model():
        s = pm.Uniform("s", 0.01, 100)
        pst.TruncatedNormal("y", 0, s, lower=0, upper=pm.Data("up", np.inf), observed=data)
        found = pmx.find_MAP(method="L-BFGS-B", progressbar=False)
    best = float(found.posterior["s"].squeeze())
    np.testing.assert_allclose(best, np.sqrt(np.mean(data**2)), rtol=1e-4)
