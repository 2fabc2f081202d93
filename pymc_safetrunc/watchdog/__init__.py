"""The watchdog: no chain runs on doomed, no draw is lost."""

from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.policy import WatchdogPolicy
from pymc_safetrunc.watchdog.sample import sample
from pymc_safetrunc.watchdog.step import watch

__all__ = ["SamplingAborted", "WatchdogPolicy", "sample", "watch"]
