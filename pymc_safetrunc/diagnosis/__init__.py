"""Which operation made the NaN, and whether a gradient is right."""

from pymc_safetrunc.diagnosis.examination import diagnose

__all__ = ["diagnose"]
