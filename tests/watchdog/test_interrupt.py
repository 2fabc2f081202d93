"""Ctrl-C in a terminal reaches the process and all its workers."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
    import multiprocessing, signal, sys
    # a job in the background is started with the signal ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import pymc as pm
    from pymc_safetrunc.watchdog import WatchdogPolicy, sample

    told = []

    def go(drawn):
        if drawn and not told:
            told.append(True)
            print("go", flush=True)

    def main(sampler, cores, stall):
        if sampler == "nutpie":
            def progress(chains):
                go(all(chain.finished_draws > 200 for chain in chains))
            options = {"nuts": {"progress_callback": progress}, "draws": 10_000_000}
        else:
            def callback(trace, draw):
                go(draw.chain == 1 and draw.draw_idx == 200)
            options = {"callback": callback, "draws": 100_000}
        policy = WatchdogPolicy(stall_seconds=60.0 if stall else None)
        with pm.Model():
            pm.Normal("x", shape=3)
            idata = sample(
                tune=50, chains=2, cores=cores, nuts_sampler=sampler, random_seed=1, quiet=True,
                watchdog=policy, compute_convergence_checks=False, **options,
            )
        kept = {name: tree.posterior.sizes["draw"] for name, tree in idata["interrupted"].items()}
        print(sorted(kept), min(kept.values()) > 0, multiprocessing.active_children(), flush=True)

    if __name__ == "__main__":
        main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "stall")
"""


@pytest.mark.skipif(os.name != "posix", reason="signals a process group")
@pytest.mark.parametrize(
    ("sampler", "cores", "stall"),
    [
        ("pymc", 2, ""),
        ("nutpie", 2, ""),
        pytest.param("nutpie", 2, "stall", marks=pytest.mark.soak),
    ],
)
def test_ctrl_c_returns_the_draws_of_all_chains(sampler, cores, stall, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(SCRIPT))
    process = subprocess.Popen(
        [sys.executable, script, sampler, str(cores), stall],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout.readline() == "go\n"
        os.killpg(process.pid, signal.SIGINT)
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert told == "['chain_0', 'chain_1'] True []\n"
