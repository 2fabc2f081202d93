"""What `import pymc_safetrunc` adds to `import pymc`, in fresh processes."""

import subprocess
import sys
from statistics import median

ROUNDS = 7
BOUND = 0.1

CODE = """
from time import perf_counter as now
start = now(); import pymc; middle = now(); import pymc_safetrunc; end = now()
print(middle - start, end - middle)
"""


def run():
    """Rows of (what, figure, bound, note): the median over processes of the ratio of the two."""
    times = []
    for _ in range(ROUNDS):
        output = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True)
        times.append(tuple(map(float, output.stdout.split())))
    peer, ours = (median(column) for column in zip(*times, strict=True))
    ratio = median(ours / peer for peer, ours in times)
    note = f"{1e3 * ours:.1f} ms after {1e3 * peer:.0f} ms"
    yield "import after `import pymc`", ratio, BOUND, note


if __name__ == "__main__":
    for row in run():
        print(row)
