"""First compilation of log-density and gradient in a fresh process with empty caches.

Three processes for each of ours and pm.TruncatedNormal, in turn; the ratio of the medians.
"""

import os
import subprocess
import sys
import tempfile

import numpy as np

PROGRAM = """
import time
import numpy as np
import pymc as pm
import pymc_safetrunc as pst
from benchmarks.log_density import likelihood
distribution = {distribution}
model = likelihood(distribution, "{case}", 1000)
start = time.perf_counter()
function = model.logp_dlogp_function(ravel_inputs=True)
function.set_extra_values({{}})
function(np.zeros(sum(v.size for v in model.initial_point().values())))
print(time.perf_counter() - start)
"""


def seconds(distribution: str, case: str) -> float:
    program = PROGRAM.format(distribution=distribution, case=case)
    with tempfile.TemporaryDirectory() as caches:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={caches}"},
            capture_output=True,
            text=True,
            check=True,
        )
    return float(done.stdout.split()[-1])


def run():
    for case in ("vector mu, one bound", "two vector bounds", "scalars, two bounds"):
        times = np.array(
            [
                (seconds("pst.TruncatedNormal", case), seconds("pm.TruncatedNormal", case))
                for _ in range(3)
            ]
        )
        ours, peer = np.median(times, axis=0)
        yield f"{case}: time / PyMC's", ours / peer, 1.5, f"{ours:.1f} s against {peer:.1f} s"
