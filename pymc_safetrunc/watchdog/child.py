"""A function run in one child process, which is killed whatever hangs in it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import cloudpickle

from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.reporting import Stop, build_report

__all__ = ["run_in_child"]


def run_in_child(function: Callable[[], Any], mp_ctx: Any, *, sampler: str) -> Any:
    """Return what a function returns, or raise what it raises, from a process of its own.

    Ctrl-C is handed on to the function, which may then return what it has; a second one ends it.

    Raises
    ------
    ValueError
        If the function cannot be pickled for another process.
    SamplingAborted
        If the process dies.
    KeyboardInterrupt
        If the function did not return after Ctrl-C.
    """
    try:
        pickled = cloudpickle.dumps(function)
    except Exception as error:
        raise ValueError(
            "WatchdogPolicy(stall_seconds=...) needs a worker process, and this model cannot be "
            "pickled for one. Leave it None, or define the model's functions and Ops in a module."
        ) from error
    receiver, sender = mp_ctx.Pipe(duplex=False)
    process = mp_ctx.Process(target=_serve, args=(sender, pickled), daemon=True)
    process.start()
    sender.close()
    interrupted = False
    try:
        while True:
            try:
                receiver.poll(None)
                break
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGINT)
        good, value = cloudpickle.loads(receiver.recv_bytes())
    except EOFError:
        if interrupted:
            raise KeyboardInterrupt from None
        process.join()
        stop = Stop(Cause.WORKER_DIED, detail=f"Exit code {process.exitcode}.")
        report = build_report(stop, chain=None, model=None, sampler=sampler)
        raise SamplingAborted(report) from None
    finally:
        process.kill()
        process.join()
    if good:
        return value
    raise value


def _serve(sender, pickled: bytes) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(AttributeError, OSError):
        # Ctrl-C in the terminal is for the parent, which hands it on; Windows has no such groups.
        os.setpgrp()
    try:
        answer = (True, cloudpickle.loads(pickled)())
    except (Exception, KeyboardInterrupt) as error:
        answer = (False, error)
    sender.send_bytes(cloudpickle.dumps(answer))
    sender.close()
    # A thread that hangs would keep this process from ending by itself.
    signal.pause() if hasattr(signal, "pause") else os._exit(0)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this process is a child
    parent.join()
    os._exit(1)
