"""Patterns of truncated distributions, recognised by PyMC's own Op types."""
RULES = ()
