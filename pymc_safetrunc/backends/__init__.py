"""Backends that need a package of their own, loaded with it and never before."""
