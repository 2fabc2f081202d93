"""Run by test_cache: evaluate the log-density, print what PyTensor's Numba cache did."""

from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt

import pymc_safetrunc as pst

CACHE = Path(pytensor.config.base_compiledir) / "numba"

x, mu = pt.dvectors("x", "mu")
logp = pst.math.truncated_normal_logpdf(x, mu, 2.0, 0.0, np.inf)
function = pytensor.function([x, mu], [logp, *pt.grad(logp.sum(), [x, mu])], mode="NUMBA")
function(np.ones(3), np.ones(3))

files = sorted(path.name for path in CACHE.rglob("*.nb*"))
hits = sum(function.vm.jit_fn.stats.cache_hits.values())
misses = sum(function.vm.jit_fn.stats.cache_misses.values())
print(len(files), hits, misses)
