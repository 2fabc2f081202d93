"""Results above the largest float, and below the smallest."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from tests.diagnosis.sick.case import sick

inf = np.inf


@sick("y", "Exp", index=(2,), rule="exp-overflow")
def poisson_with_an_unscaled_covariate():
    b = pm.Normal("b", initval=1.0)
    x = np.array([1.0, 2.0, 1000.0])  # e**1000
    pm.Poisson("y", mu=pt.exp(b * x), observed=[2, 7, 900])


@sick("fit", "TrueDiv", rule="underflowed-scale", index=(0,))
def scale_that_underflowed():
    x = pm.Normal("x", initval=30.0)
    y = np.array([0.5, 1.5])
    scale = pt.exp(-(x**2)) + pt.exp(-2 * x**2)  # e**-900 is 0
    pm.Potential("fit", -pt.abs(y / scale))


@sick("diff", "Sub", source="big", rule="inf-minus-inf")
def difference_of_infinities():
    x = pm.Normal("x", initval=1.0)
    big = pm.Data("big", inf)
    pm.Potential("diff", pt.gammaln(big + x) - pt.gammaln(big))


@sick("mask", "Mul", source="w", rule="zero-times-inf")
def infinite_weight_on_nothing():
    x = pm.Normal("x", initval=0.0)
    w = pm.Data("w", inf)
    pm.Potential("mask", -w * pt.abs(x))  # inf * 0


@sick("mask", "TrueDiv", quantity="gradient", variable="x", index=(1,), rule="masked-branch")
def softmax_behind_a_switch():
    x = pm.Normal("x", shape=3, initval=np.array([1.0, 0.0, 2.0]))
    share = pt.special.softmax(pt.log(x))
    pm.Potential("mask", pt.switch(x > 0, share, 0.0).sum())  # 0 / 0 backwards at the masked entry


@sick("growth", "Pow", rule="power-overflow")
def power_that_overflows():
    k = pm.Normal("k", initval=400.0)
    pm.Potential("growth", -pt.pow(10.0, k))


@sick("h", "Cosh", rule="exp-overflow")
def cosh_that_overflows():
    k = pm.Normal("k", initval=900.0)
    pm.Potential("h", -pt.cosh(k))


@sick("growth", "Mul", rule="power-overflow")
def cube_that_overflows():
    k = pm.Normal("k", initval=-1e120)
    pm.Potential("growth", pt.pow(k, 3))  # PyTensor makes k**2 * k of it


@sick("growth", "Sqr", rule="power-overflow")
def fifth_power_that_overflows():
    k = pm.Normal("k", initval=1e120)
    pm.Potential("growth", -pt.pow(k, 5))  # (k**2)**2 * k


@sick("area", "Mul", rule="overflow")
def product_that_overflows():
    a, b = pm.Cauchy("a", 0, 1, initval=1e200), pm.Cauchy("b", 0, 1, initval=1e200)
    pm.Potential("area", -a * b)


@sick("volume", "Prod", rule="overflow")
def product_of_everything_that_overflows():
    a = pm.Cauchy("a", 0, 1, shape=3, initval=np.full(3, 1e120))
    pm.Potential("volume", -pt.prod(a))


@sick("total", "Add", rule="overflow")
def sum_that_overflows():
    a, b = pm.Flat("a", initval=1e308), pm.Flat("b", initval=1e308)
    pm.Potential("total", -(a + b))


@sick("h", "Exp2", rule="exp-overflow")
def power_of_two_that_overflows():
    k = pm.Normal("k", initval=2000.0)
    pm.Potential("h", -pt.exp2(k))
