"""Step methods that are healthy up to a chosen transition, and sick from there on."""

import os
import signal
import threading
import time

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from pymc_safetrunc.watchdog.counter import Cause


class SickDensity:
    """A log-density with its gradient that goes wrong once told to."""

    def __init__(self, function, cause):
        self.function = function
        self.cause = cause
        self.sick = False
        self.calls = 0

    def __call__(self, *args):
        logp, gradient = self.function(*args)
        self.calls += 1
        at_state = self.calls == 1
        if self.sick:
            if self.cause == Cause.GRADIENT_AT_STATE or (
                self.cause == Cause.GRADIENT_ON_PATH and not at_state
            ):
                gradient = np.full_like(gradient, np.nan)
            elif not at_state:
                if self.cause == Cause.LINEAR_ALGEBRA:
                    raise np.linalg.LinAlgError("made for the test")
                logp = {
                    Cause.LOGP_NAN: np.float64(np.nan),
                    Cause.LOGP_MINUS_INF: np.float64(-np.inf),
                    Cause.ENERGY_ERROR: np.float64(-1e9),
                }[self.cause]
        return logp, gradient


class SickTrajectories:
    """Mixed into a Hamiltonian step: from transition `sick_from` on, `cause` happens."""

    cause: Cause
    sick_from: int

    def setup_chain(self, rng, tune, draws):
        super().setup_chain(rng, tune, draws)
        self.taken = 0
        if not isinstance(self.integrator._logp_dlogp_func, SickDensity):
            self.integrator._logp_dlogp_func = SickDensity(
                self.integrator._logp_dlogp_func, self.cause
            )

    def astep(self, q0):
        density = self.integrator._logp_dlogp_func
        density.calls = 0
        density.sick = self.taken >= self.sick_from
        self.taken += 1
        return super().astep(q0)


class SickNUTS(SickTrajectories, pm.NUTS):
    pass


class SickHMC(SickTrajectories, pm.HamiltonianMC):
    pass


def sick(step, cause, sick_from):
    step.cause, step.sick_from = cause, sick_from
    return step


class SickProposals(pm.Metropolis):
    """NaN acceptance from transition `sick_from` on."""

    sick_from: int

    def setup_chain(self, rng, tune, draws):
        super().setup_chain(rng, tune, draws)
        self.taken = 0

    def astep(self, q0):
        self.taken += 1
        healthy = self.delta_logp.function
        if self.taken > self.sick_from:
            self.delta_logp.function = lambda q, q0: np.float64(np.nan)
        try:
            return super().astep(q0)
        finally:
            self.delta_logp.function = healthy


class FaultyMetropolis(pm.Metropolis):
    """Does something awful in one transition of one chain."""

    fault: str
    faulty_chain: int
    faulty_from: int

    def setup_chain(self, rng, tune, draws):
        super().setup_chain(rng, tune, draws)
        self.taken = 0
        self.chains_begun = getattr(self, "chains_begun", -1) + 1

    def astep(self, q0):
        self.taken += 1
        if self.taken > self.faulty_from and self.chain_number() == self.faulty_chain:
            if self.fault == "hang":
                time.sleep(3600)
            elif self.fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif self.fault == "raise":
                raise ArithmeticError("made for the test")
            elif self.fault == "interrupt":
                raise KeyboardInterrupt
            elif self.fault == "linger" and self.taken == self.faulty_from + 1:
                threading.Thread(target=time.sleep, args=(60,)).start()
        return super().astep(q0)

    def chain_number(self):
        import multiprocessing

        name = multiprocessing.current_process().name
        return int(name.rsplit("_", 1)[1]) if "_" in name else self.chains_begun


def faulty(step, fault, faulty_from, faulty_chain=1):
    step.fault, step.faulty_from, step.faulty_chain = fault, faulty_from, faulty_chain
    return step


class SlowToArrive:
    """Takes its time to be unpickled."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __setstate__(self, state):
        self.seconds = state["seconds"]
        time.sleep(self.seconds)


class HarmlessFarIn(Op):
    """Zero; what happens elsewhere is for subclasses to say."""

    def make_node(self, x):
        return Apply(self, [pt.as_tensor(x)], [pt.dscalar()])

    def perform(self, node, inputs, outputs):
        self.fault(inputs[0])
        outputs[0][0] = np.asarray(0.0)

    def pullback(self, inputs, outputs, cotangents):
        return [pt.zeros_like(inputs[0])]


class HangsFarOut(HarmlessFarIn):
    """Never an answer beyond two."""

    def fault(self, x):
        if abs(x) > 2:
            time.sleep(3600)


class Raises(HarmlessFarIn):
    """An error in every call of this process after the first so many."""

    def __init__(self, after):
        self.after = after
        self.calls = 0

    def fault(self, x):
        self.calls += 1
        if self.calls > self.after:
            raise ArithmeticError("made for the test")


class KillsItsProcess(Raises):
    """As the system's out-of-memory killer does, after so many calls."""

    def fault(self, x):
        self.calls += 1
        if self.calls > self.after:
            os.kill(os.getpid(), signal.SIGKILL)
