"""Families under truncation: one module a group, each registered in `dispatch`."""

from pymc_safetrunc.distributions.families import exponential_like

__all__ = ["exponential_like"]
