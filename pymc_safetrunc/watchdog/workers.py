"""Chains in worker processes that can be waited for, and ended, within a time limit.

PyMC's own loop waits for a worker without end. This one speaks the same protocol with the same
workers, so that draws are the same; it is used for every run with several processes.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing import connection
from pathlib import Path

import cloudpickle
from pymc.progress_bar import MCMCProgressBarManager
from pymc.sampling.parallel import Draw, ParallelSamplingError, ProcessAdapter
from pymc.step_methods.compound import flatten_steps

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop, in_short
from pymc_safetrunc.watchdog.request import Request

__all__ = ["Workers"]

# Together below the two seconds promised for the end of all processes.
_ABORT_SECONDS = 1.0
_TERMINATE_SECONDS = 0.5
# Starting an interpreter and importing PyMC takes seconds and is no stall; a minute is.
_STARTUP_SECONDS = 60.0
_STARTUP_POLL_SECONDS = 0.1


class Workers:
    """One process a chain, at most ``request.cores`` of them sampling at a time.

    Use it as a context manager and iterate over the draws. Leaving the context ends every process.
    """

    def __init__(self, request: Request, step, points: Sequence[dict], tune: int, zarr_chains):
        self._request = request
        self._tune = tune
        self._stall = request.policy.stall_seconds
        self._directory = None
        if self._stall is not None:
            self._directory = tempfile.TemporaryDirectory(prefix="pymc-safetrunc-")
            for leaf in flatten_steps(step):
                leaf._watchdog.started_in = self._directory.name
        self._waiting: list[ProcessAdapter] = []
        self._active: list[ProcessAdapter] = []
        self._all: list[ProcessAdapter] = []
        self._heard: dict[int, float] = {}
        self._drawn = dict.fromkeys(range(request.chains), 0)
        self._points = dict(enumerate(points))
        try:
            self._create(step, points, zarr_chains)
        except BaseException:
            self.close()
            raise
        self._progress = MCMCProgressBarManager(
            step_method=step,
            chains=request.chains,
            draws=request.draws,
            tune=tune,
            progressbar=request.progressbar,
            progressbar_theme=request.progressbar_theme,
        )

    def _create(self, step, points, zarr_chains) -> None:
        request = self._request
        step_pickled = zarr_pickled = None
        if request.mp_ctx.get_start_method() != "fork":
            step_pickled = cloudpickle.dumps(step, protocol=-1)
            if zarr_chains is not None:
                zarr_pickled = cloudpickle.dumps(zarr_chains, protocol=-1)
        for chain, (rng, point) in enumerate(zip(request.rngs, points, strict=True)):
            worker = ProcessAdapter(
                request.draws,
                self._tune,
                step,
                step_pickled,
                chain,
                rng,
                point,
                request.blas_cores_per_worker,
                request.mp_ctx,
                zarr_chains=zarr_chains,
                zarr_chains_pickled=zarr_pickled,
            )
            self._all.append(worker)
            self._waiting.append(worker)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()

    def __iter__(self) -> Iterator[Draw]:
        self._fill()
        with self._progress:
            while self._active:
                worker = self._next_ready()
                yield self._receive(worker)

    def _fill(self) -> None:
        while self._waiting and len(self._active) < self._request.cores:
            worker = self._waiting.pop(0)
            self._active.append(worker)
            self._heard[worker.chain] = time.monotonic()
            with self._named(worker):
                worker.start()
                worker.write_next()

    def _next_ready(self) -> ProcessAdapter:
        """Wait for a message, the death or the stall of a worker; the two last raise."""
        by_pipe = {_upstream.worker_pipe(worker): worker for worker in self._active}
        by_sentinel = {_upstream.worker_process(w).sentinel: w for w in self._active}
        while True:
            ready = connection.wait([*by_pipe, *by_sentinel], self._patience())
            for handle in ready:
                if handle in by_pipe:
                    return by_pipe[handle]
            for handle in ready:  # no message left and no process: it was killed
                raise self._died(by_sentinel[handle])
            self._raise_if_stalled()

    def _receive(self, worker: ProcessAdapter) -> Draw:
        with self._named(worker):
            _, is_last, draw, tuning, stats = ProcessAdapter.recv_draw([worker])
        self._heard[worker.chain] = time.monotonic()
        self._drawn[worker.chain] = draw + 1
        self._progress.update(
            chain_idx=worker.chain, is_last=is_last, draw=draw, tuning=tuning, stats=stats
        )
        point = {name: value.copy() for name, value in worker.shared_point_view.items()}
        self._points[worker.chain] = point
        if not is_last:
            with self._named(worker):
                worker.write_next()
        else:
            worker.join(_ABORT_SECONDS)  # one that goes on has nothing more to give
            self._active.remove(worker)
            self._fill()
        return Draw(worker.chain, is_last, draw, tuning, stats, point)

    @contextlib.contextmanager
    def _named(self, worker: ProcessAdapter):
        """Turn what a worker's end of the pipe tells into the stop of its chain."""
        try:
            yield
        except ParallelSamplingError as error:
            original = error.__cause__
            if isinstance(original, ChainStopped):
                raise ChainStopped(worker.chain, original.stop, original.original) from error
            raise self._stopped(worker, Cause.EXCEPTION, in_short(original), original) from error
        except (EOFError, OSError) as error:
            raise self._died(worker) from error

    def _died(self, worker: ProcessAdapter) -> ChainStopped:
        process = _upstream.worker_process(worker)
        process.join(_TERMINATE_SECONDS)
        code = process.exitcode
        told = (
            f"Killed by signal {-code}." if code is not None and code < 0 else f"Exit code {code}."
        )
        return self._stopped(worker, Cause.WORKER_DIED, told)

    def _stopped(self, worker, cause: Cause, detail: str, original=None) -> ChainStopped:
        drawn = self._drawn[worker.chain]
        phase = "tuning" if drawn < self._tune else "sampling"
        stop = Stop(
            cause=cause,
            transitions=drawn,
            phase=phase,
            point=dict(self._points[worker.chain]),
            detail=detail,
        )
        return ChainStopped(worker.chain, stop, original)

    def _started(self, chain: int) -> bool:
        if self._directory is None or self._drawn[chain]:
            return True
        return (Path(self._directory.name) / str(chain)).exists()

    def _patience(self) -> float | None:
        if self._stall is None:
            return None
        if not all(self._started(worker.chain) for worker in self._active):
            return _STARTUP_POLL_SECONDS
        oldest = min(self._heard[worker.chain] for worker in self._active)
        return max(0.0, oldest + self._stall - time.monotonic())

    def _raise_if_stalled(self) -> None:
        now = time.monotonic()
        for worker in self._active:
            marker = Path(self._directory.name) / str(worker.chain)  # type: ignore[union-attr]
            if not self._drawn[worker.chain] and marker.exists() and marker.stat().st_size == 0:
                # The chain has only now begun: what came before was the start of its process.
                marker.write_text("seen")
                self._heard[worker.chain] = now
            limit = self._stall if self._started(worker.chain) else _STARTUP_SECONDS
            if now - self._heard[worker.chain] >= limit:  # type: ignore[operator]
                raise self._stopped(worker, Cause.STALLED, f"Waited {limit:g} seconds.")

    def close(self) -> None:
        """End every process: ask, then terminate, then kill."""
        for worker in self._all:
            with contextlib.suppress(Exception):
                worker.abort()
        processes = [_upstream.worker_process(worker) for worker in self._all]
        _join(processes, _ABORT_SECONDS)
        for process in processes:
            if process.is_alive():
                process.terminate()
        _join(processes, _TERMINATE_SECONDS)
        for process in processes:
            if process.is_alive():
                process.kill()
                process.join()
        if self._directory is not None:
            self._directory.cleanup()


def _join(processes, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
