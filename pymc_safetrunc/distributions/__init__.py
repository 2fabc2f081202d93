"""Drop-in distributions for PyMC models."""
