"""Known patterns, each one small function: what happened in the user's words, and a remedy."""

from pymc_safetrunc.diagnosis.rules.base import UNKNOWN, Case, Match, recognise, same_cause

__all__ = ["UNKNOWN", "Case", "Match", "recognise", "same_cause"]
