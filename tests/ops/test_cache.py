"""The compiled kernels are found again by another process, and not after a kernel has changed."""

import os
import subprocess
import sys

from pymc_safetrunc.ops import kernel_op
from pymc_safetrunc.ops import truncated_normal as ops


def run(compiledir):
    flags = f"base_compiledir={compiledir},blas__ldflags="
    output = subprocess.run(
        [sys.executable, "-m", "tests.ops.cached_process"],
        env={**os.environ, "PYTENSOR_FLAGS": flags},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [int(v) for v in output.split()]


def test_a_second_process_compiles_nothing(tmp_path):
    files, _, misses = run(tmp_path)
    assert files > 0
    assert misses == 1
    files_again, hits, misses = run(tmp_path)
    assert files_again == files
    assert (hits, misses) == (1, 0)


def test_keys_change_with_the_kernels(monkeypatch):
    def keys():
        node = ops.distance.make_node(1.0, 2.0, 3.0)
        _, numba_key = kernel_op.numba_funcify_kernel_op(ops.distance, node)
        return numba_key, ops.distance.c_code_cache_version()

    before = keys()
    assert keys() == before
    monkeypatch.setattr(kernel_op, "kernel_version", lambda: "another")
    after = keys()
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert () not in after  # an empty C version means: never cached
