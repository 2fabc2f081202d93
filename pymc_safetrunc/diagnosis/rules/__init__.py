"""Known patterns, each one small function: what happened in the user's words, and a remedy."""

from pymc_safetrunc.diagnosis.rules.base import Case, Match, recognise

__all__ = ["Case", "Match", "recognise"]
