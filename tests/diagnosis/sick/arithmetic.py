"""Logarithms, roots, powers and divisions."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from tests.diagnosis.sick.case import sick


@sick("p", "Log", rule="log-of-zero", source=None)
def log_of_zero_in_a_potential():
    x = pm.Normal("x", initval=0.0)
    pm.Potential("p", pt.log(pt.abs(x)))


@sick("p", "Log", index=(1,), rule="log-of-negative")
def log_of_a_negative():
    x = pm.Normal("x", initval=1.0)
    offset = pm.Data("offset", [0.5, -3.0, 1.0])
    pm.Potential("p", pt.log(x + offset))  # 1 - 3


@sick("dist", "TrueDiv", quantity="gradient", variable="x", index=(0,), rule="sqrt-of-zero")
def distance_at_its_kink():
    x = pm.Normal("x", shape=2, initval=np.zeros(2))
    pm.Potential("dist", -pt.sqrt((x**2).sum()))  # the gradient of a norm at 0 is 0 / 0


@sick("far", "TrueDiv", quantity="gradient", variable="x", rule="sqrt-of-zero", index=(0, 0, 0))
def distances_with_a_constant_mask():
    x = pm.Normal("x", shape=(3, 2), initval=np.arange(6.0).reshape(3, 2))
    distance = pt.sqrt(((x[:, None] - x[None, :]) ** 2).sum(axis=-1))
    pm.Potential("far", -pt.switch(np.eye(3, dtype=bool), 0.0, distance).sum())


@sick("root", "Sqrt", rule="sqrt-of-negative")
def root_of_a_negative():
    x = pm.Normal("x", initval=2.0)
    pm.Potential("root", pt.sqrt(1 - x))


@sick("share", "TrueDiv", rule="zero-over-zero")
def share_of_nothing():
    x = pm.Normal("x", shape=2, initval=np.zeros(2))
    pm.Potential("share", x / x.sum())


@sick("inverse", "TrueDiv", rule="division-by-zero")
def division_by_zero():
    x = pm.Normal("x", initval=0.0)
    pm.Potential("inverse", -1 / pt.abs(x))


@sick("power", "Pow", rule="power-of-negative")
def fractional_power_of_a_negative():
    x = pm.Normal("x", initval=-1.0)
    pm.Potential("power", -(x**1.3))


@sick("power", "Pow", quantity="gradient", variable="x", rule="power-of-zero")
def fractional_power_at_zero():
    x = pm.Normal("x", initval=0.0)
    pm.Potential("power", -(x**0.3))  # the slope at 0 is infinite


@sick("angle", "ArcCos", rule="outside-domain")
def angle_of_an_impossible_cosine():
    x = pm.Normal("x", initval=1.2)
    pm.Potential("angle", pt.arccos(x))


@sick("custom", "Log", index=(1,), rule="log-of-zero")
def custom_distribution_without_care():
    b = pm.HalfNormal("b")

    def logp(value, b):
        return b * pt.log(value) - value  # forgets that a value may be 0

    pm.CustomDist("custom", b, logp=logp, observed=np.array([1.0, 0.0, 2.0]))


@sick("p", "Log10", rule="log-of-zero")
def decimal_logarithm_of_zero():
    x = pm.Normal("x", initval=0.0)
    pm.Potential("p", pt.log10(pt.abs(x)))


@sick("p", "Log1mexp", rule="log-of-negative")
def logarithm_of_one_minus_a_large_exponential():
    x = pm.Normal("x", initval=1.0)
    pm.Potential("p", pt.log1mexp(x))  # 1 - e


@sick("p", "TrueDiv", quantity="gradient", variable="y", index=(0,), rule="sqrt-of-zero")
def root_of_zero_beside_a_logarithm_of_zero():
    x = pm.Normal("x", initval=0.0)
    y = pm.Normal("y", shape=2, initval=np.zeros(2))
    pm.Potential("p", pt.log(pt.abs(x)) - pt.sqrt((y**2).sum()))
