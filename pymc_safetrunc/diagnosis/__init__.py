"""Which operation made the NaN, and whether a gradient is right."""

from pymc_safetrunc.diagnosis.check import check_model
from pymc_safetrunc.diagnosis.examination import diagnose
from pymc_safetrunc.diagnosis.gradient import check_gradient

__all__ = ["check_gradient", "check_model", "diagnose"]
