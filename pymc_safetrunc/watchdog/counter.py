"""What one chain did: consecutive bad transitions, counted in plain Python without PyMC."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pymc_safetrunc.watchdog.policy import WatchdogPolicy

__all__ = ["MAX_RUNS", "Cause", "ChainCounter", "counted", "first_limit"]

# Runs of bad transitions kept for each chain: enough to draw a timeline, and a bound on memory.
MAX_RUNS = 1_000


class Cause(StrEnum):
    """Why a transition was bad, or a chain was ended."""

    GRADIENT_AT_STATE = "gradient-at-state"
    GRADIENT_ON_PATH = "gradient-on-path"
    LOGP_AT_STATE = "logp-at-state"
    LOGP_NAN = "logp-nan"
    LOGP_MINUS_INF = "logp-minus-inf"
    ENERGY_ERROR = "energy-error"
    LINEAR_ALGEBRA = "linear-algebra"
    ACCEPTANCE_NAN = "acceptance-nan"
    ACCEPTED_NAN = "accepted-nan"
    STALLED = "stalled"
    WORKER_DIED = "worker-died"
    EXCEPTION = "exception"

    @property
    def words(self) -> str:
        """The cause as the end of a sentence."""
        return _WORDS[self]


_WORDS = {
    Cause.GRADIENT_AT_STATE: "the gradient is not finite at the current state",
    Cause.GRADIENT_ON_PATH: "the gradient was not finite along the path",
    Cause.LOGP_AT_STATE: "the log-density is not finite at the current state",
    Cause.LOGP_NAN: "the log-density of the proposal was NaN or +inf",
    Cause.LOGP_MINUS_INF: "the log-density of the proposal was -inf",
    Cause.ENERGY_ERROR: "the energy error was too large",
    Cause.LINEAR_ALGEBRA: "linear algebra failed inside the integrator",
    Cause.ACCEPTANCE_NAN: "the acceptance probability was not a number",
    Cause.ACCEPTED_NAN: "a point with a NaN log-density was accepted",
    Cause.STALLED: "no draw arrived in the time allowed",
    Cause.WORKER_DIED: "the worker process of the chain died",
    Cause.EXCEPTION: "an exception was raised while sampling",
}

NONFINITE = frozenset(
    {
        Cause.GRADIENT_AT_STATE,
        Cause.GRADIENT_ON_PATH,
        Cause.LOGP_AT_STATE,
        Cause.LOGP_NAN,
        Cause.ACCEPTANCE_NAN,
        Cause.ACCEPTED_NAN,
    }
)


class ChainCounter:
    """Count the transitions of one chain and say when a limit of the policy is reached.

    Parameters
    ----------
    policy : WatchdogPolicy or None
        The limits; None counts without ever stopping.
    tune : int
        Tuning transitions the chain begins with.
    owns_all : bool
        Whether the step owns all free variables, so that a non-finite gradient at its current
        state is absorbing.

    Examples
    --------
    >>> from pymc_safetrunc.watchdog.counter import Cause, ChainCounter
    >>> from pymc_safetrunc.watchdog import WatchdogPolicy
    >>> counter = ChainCounter(WatchdogPolicy(max_nonfinite=2))
    >>> [counter.record(cause) for cause in (None, Cause.LOGP_NAN, Cause.LOGP_NAN)]
    [None, None, 'max_nonfinite']
    >>> counter.transitions, counter.runs
    (3, [[1, 2, <Cause.LOGP_NAN: 'logp-nan'>]])
    """

    __slots__ = (
        "divergent",
        "divergent_run",
        "longest_divergent",
        "longest_nonfinite",
        "nonfinite",
        "nonfinite_run",
        "owns_all",
        "policy",
        "runs",
        "transitions",
        "tune",
    )

    def __init__(
        self, policy: WatchdogPolicy | None = None, tune: int = 0, owns_all: bool = False
    ) -> None:
        self.policy = policy
        self.tune = tune
        self.owns_all = owns_all
        self.transitions = 0
        self.divergent = 0
        self.nonfinite = 0
        self.divergent_run = 0
        self.nonfinite_run = 0
        self.longest_divergent = 0
        self.longest_nonfinite = 0
        # [start, length, cause of the last transition]; start counts from the first tuning one
        self.runs: list[list] = []

    @property
    def transitions_tune(self) -> int:
        """Tuning transitions taken."""
        return min(self.transitions, self.tune)

    @property
    def transitions_draw(self) -> int:
        """Transitions taken after tuning."""
        return max(0, self.transitions - self.tune)

    @property
    def bad_after_tuning(self) -> bool:
        """Whether a transition after tuning was bad."""
        kept = sum(length for _, length, _ in self.runs)
        # runs are kept from the first on: what is missing came later
        return self.divergent > kept or any(s + n > self.tune for s, n, _ in self.runs)

    @property
    def tuning(self) -> bool:
        """Whether the last transition was a tuning one."""
        return self.transitions <= self.tune

    def record(self, cause: Cause | None = None) -> str | None:
        """Count one transition.

        Parameters
        ----------
        cause : Cause or None
            Why it was bad; None for a good one.

        Returns
        -------
        str or None
            The limit that is reached: a field of the policy, or "absorbing"; None to go on.
        """
        self.transitions += 1
        if cause is None:
            self.divergent_run = self.nonfinite_run = 0
            return None
        self._count(cause)
        return self._limit(cause) if self.policy is not None else None

    def run_length(self, limit: str) -> int:
        """Return how many bad transitions in a row have reached a limit."""
        return self.nonfinite_run if "nonfinite" in limit else self.divergent_run

    def _count(self, cause: Cause) -> None:
        if self.divergent_run == 0 and len(self.runs) < MAX_RUNS:
            self.runs.append([self.transitions - 1, 0, cause])
        self.divergent += 1
        self.divergent_run += 1
        self.longest_divergent = max(self.longest_divergent, self.divergent_run)
        if cause in NONFINITE:
            self.nonfinite += 1
            self.nonfinite_run += 1
            self.longest_nonfinite = max(self.longest_nonfinite, self.nonfinite_run)
        else:
            self.nonfinite_run = 0
        last = self.runs[-1]
        if last[0] == self.transitions - self.divergent_run:  # not when the list is full
            last[1] = self.divergent_run
            last[2] = cause

    def _limit(self, cause: Cause) -> str | None:
        if cause is Cause.GRADIENT_AT_STATE and self.owns_all:
            return "absorbing"
        phase = "_tuning" if self.tuning else ""
        for kind, length in (("nonfinite", self.nonfinite_run), ("divergent", self.divergent_run)):
            name = f"max_{kind}{phase}"
            limit = getattr(self.policy, name)
            if limit is not None and length >= limit:
                return name
        return None


def counted(causes: Iterable[Cause | None], tune: int) -> ChainCounter:
    """Count a chain that has been sampled, tuning first."""
    counter = ChainCounter(None, tune)
    for cause in causes:
        counter.record(cause)
    return counter


def first_limit(
    causes: Iterable[Cause | None], tune: int, policy: WatchdogPolicy
) -> tuple[ChainCounter, str] | None:
    """Return the counter at the first limit that a sampled chain reaches, and that limit."""
    counter = ChainCounter(policy, tune)
    for cause in causes:
        limit = counter.record(cause)
        if limit is not None:
            return counter, limit
    return None
