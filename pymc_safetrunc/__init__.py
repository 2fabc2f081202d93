"""Truncated distributions for PyMC that are exact to the last digits, with exact gradients."""
