"""The JAX backend registers whatever is imported first, and costs nothing where JAX is not used.

Each case is a fresh interpreter, since what is imported stays imported.
"""

import subprocess
import sys
from textwrap import dedent

import pytest

from tests import optional

optional.require("jax")

EVALUATE = """
import numpy as np
import pytensor
import pytensor.tensor as pt
def evaluate():
    import pymc_safetrunc as pst
    x = pt.dscalar()
    logp = pst.math.truncated_normal_logpdf(x, 0, 1, 0, np.inf)
    return float(pytensor.function([x], logp, mode="JAX")(0.0))
# half a normal density at its mode
assert np.isclose(evaluate(), np.log(2 / np.sqrt(2 * np.pi)), rtol=1e-14, atol=0)
"""

ORDERS = {
    "never imported by hand": EVALUATE,
    "jax first": "import jax" + EVALUATE,
    "jax after the package": "import pymc_safetrunc.ops, jax" + EVALUATE,
    "dispatch before the package": "import pytensor.link.jax.dispatch" + EVALUATE,
    "dispatch between package and ops": (
        "import pymc_safetrunc, pytensor.link.jax.dispatch" + EVALUATE
    ),
    "submodule of dispatch": "import pymc_safetrunc.ops, pytensor.link.jax.dispatch.basic"
    + EVALUATE,
    "reloaded": """
import importlib, pymc_safetrunc.ops
importlib.reload(pymc_safetrunc.ops)
"""
    + EVALUATE,
    "looked up without being imported": """
import importlib.util, pymc_safetrunc.ops
assert importlib.util.find_spec("pytensor.link.jax.dispatch") is not None
"""
    + EVALUATE,
}

# Before the package, after it, and never: one each, the others in the soak.
SPOKESMEN = {"never imported by hand", "dispatch before the package", "submodule of dispatch"}


def run(code, tmp_path):
    """Run the code as a script, so that a spawned worker finds its functions."""
    script = tmp_path / "script.py"
    script.write_text(dedent(code))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "order", [o if o in SPOKESMEN else pytest.param(o, marks=pytest.mark.soak) for o in ORDERS]
)
def test_registers_in_any_order(order, tmp_path):
    run(ORDERS[order], tmp_path)


def test_spawned_worker_that_unpickles_a_graph(tmp_path):
    run(
        """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        def evaluate(x, logp):
            import sys
            # unpickling the argument has imported the Ops, and nothing has imported JAX
            assert "pymc_safetrunc.ops" in sys.modules and "jax" not in sys.modules
            return float(logp.eval({x: 0.0}, mode="JAX"))

        if __name__ == "__main__":
            import numpy as np
            import pymc_safetrunc as pst
            import pytensor.tensor as pt

            x = pt.dscalar()
            logp = pst.math.truncated_normal_logpdf(x, 0, 1, 0, np.inf)
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                value = pool.submit(evaluate, x, logp).result()
            assert np.isclose(value, np.log(2 / np.sqrt(2 * np.pi)), rtol=1e-14, atol=0)
        """,
        tmp_path,
    )


def test_package_does_not_import_jax(tmp_path):
    run(
        """
        import sys
        import pymc_safetrunc as pst
        pst.TruncatedNormal, pst.math
        assert "jax" not in sys.modules
        """,
        tmp_path,
    )


def test_hook_leaves_nothing_behind(tmp_path):
    run(
        """
        import sys
        finders = list(sys.meta_path)
        import pymc_safetrunc.ops
        assert sys.meta_path != finders
        import pytensor.link.jax.dispatch
        assert sys.meta_path == finders
        """,
        tmp_path,
    )
