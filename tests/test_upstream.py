"""Each private name of PyMC or PyTensor that is used, and the feature that breaks without it."""

import importlib

import pytest

from pymc_safetrunc import _upstream
from tests import optional

FEATURES = {
    "BaseMixtureRV": (
        "pymc.distributions.mixture",
        "_BaseMixtureRV",
        "pst.Truncated of mixtures",
    ),
    "default_transform": (
        "pymc.distributions.transforms",
        "_default_transform",
        "the unconstraining transform of pst.TruncatedNormal",
    ),
    "distribution_mean": (
        "pymc.distributions.moments.means",
        "_mean",
        "the mean of the safe distributions",
    ),
    "distribution_support_point": (
        "pymc.distributions.distribution",
        "_support_point",
        "the support point of pst.Truncated",
    ),
    "distribution_resize": (
        "pymc.distributions.shape_utils",
        "_change_dist_size",
        "pst.Truncated in another size",
    ),
    "distribution_logp": (
        "pymc.logprob.abstract",
        "_logprob",
        "the log-density of pst.Truncated",
    ),
    "distribution_logcdf": (
        "pymc.logprob.abstract",
        "_logcdf",
        "the log CDF of pst.Truncated",
    ),
    "distribution_logccdf": (
        "pymc.logprob.abstract",
        "_logccdf",
        "the log survival function of pst.Truncated",
    ),
    "distribution_icdf": (
        "pymc.logprob.abstract",
        "_icdf",
        "the quantile of pst.Truncated",
    ),
    "link_only_mode": (
        "pytensor.compile.inner_function",
        "link_only_mode",
        "the diagnosis inside a Scan",
    ),
    "inline_ofg_node": (
        "pytensor.compile.rewriting",
        "inline_ofg_node",
        "the diagnosis inside an OpFromGraph",
    ),
    "compile_kwargs": (
        "pymc.pytensorf",
        "resolve_backend_compile_kwargs",
        "backend= of pst.sample",
    ),
    "sampling_log": (
        "pymc.sampling.mcmc",
        "_log",
        "the log of pst.sample",
    ),
    "quiet_logging": (
        "pymc.sampling.mcmc",
        "_quiet_logging",
        "quiet=True of pst.sample",
    ),
    "sample_sequentially": (
        "pymc.sampling.mcmc",
        "_sample_many",
        "pst.sample with one core",
    ),
    "package_result": (
        "pymc.sampling.mcmc",
        "_sample_return",
        "what pst.sample returns",
    ),
    "assign_step_methods": (
        "pymc.sampling.mcmc",
        "assign_step_methods",
        "the choice of steps in pst.sample",
    ),
    "get_default_tune_steps": (
        "pymc.sampling.mcmc",
        "get_default_tune_steps",
        "tune=None of pst.sample",
    ),
    "instantiate_steppers": (
        "pymc.sampling.mcmc",
        "instantiate_steppers",
        "compound steps in pst.sample",
    ),
    "blas_settings": (
        "pymc.sampling.mcmc",
        "setup_cores_blas_cores",
        "blas_cores= of pst.sample",
    ),
    "cpu_count": (
        "pymc.sampling.parallel",
        "_cpu_count",
        "cores=None of pst.sample",
    ),
    "multiprocessing_context": (
        "pymc.sampling.parallel",
        "_initialize_multiprocessing_context",
        "mp_ctx= of pst.sample",
    ),
    "sample_population": (
        "pymc.sampling.population",
        "_sample_population",
        "DEMetropolis in pst.sample",
    ),
}


# Private attributes the functions of `_upstream` reach for: where each is made, and what needs it.
# Of a function its local variables and the attributes it sets count, too.
ATTRIBUTES = [
    ("pymc.sampling.parallel:ProcessAdapter.__init__", "_msg_pipe", "waiting for a worker"),
    ("pymc.sampling.parallel:ProcessAdapter.__init__", "_process", "ending a worker that hangs"),
    (
        "pymc.step_methods.hmc.integration:CpuLeapfrogIntegrator.__init__",
        "_logp_dlogp_func",
        "judging starting points for NUTS",
    ),
    ("pymc.step_methods:NUTS", "_hamiltonian_step", "the cause of a divergence in NUTS"),
    ("pymc.step_methods:HamiltonianMC", "_hamiltonian_step", "the cause of a divergence in HMC"),
    ("pymc.sampling.mcmc", "_init_jitter", "checking the starting points of NumPyro"),
    ("pymc.util", "_get_seeds_per_chain", "checking the starting points of NumPyro"),
    ("pymc.sampling.mcmc", "_print_step_hierarchy", "the log of pst.sample"),
    ("pymc.sampling.mcmc", "_nutpie_meets_min_version", "choosing nutpie in pst.sample"),
    ("pymc.sampling.mcmc", "NUTPIE_INSTALLED", "choosing nutpie in pst.sample"),
    ("pymc.sampling.mcmc", "NUTPIE_MIN_VERSION", "choosing nutpie in pst.sample"),
    ("pymc.backends.report:SamplerReport.__init__", "_t_sampling", "what an aborted run keeps"),
    ("pymc.backends.report:SamplerReport.__init__", "_n_tune", "what an aborted run keeps"),
    ("pymc.backends.report:SamplerReport.__init__", "_n_draws", "what an aborted run keeps"),
    ("pymc.backends.zarr:ZarrTrace", "_sampling_state", "the draws of an aborted ZarrTrace"),
    ("pymc.backends.zarr:ZarrChain.__init__", "_posterior", "workers that write a ZarrTrace"),
    # the frames in which `running_chain` looks for the number of a chain
    ("pymc.sampling.mcmc:_iter_sample", "chain", "the chain that a bare watch() names"),
    ("pymc.sampling.population:PopulationStepper.step", "c", "the same in a population"),
    ("nutpie.sample:_BackgroundSampler.__init__", "_settings", "the watch over nutpie"),
    ("nutpie.sample:_BackgroundSampler.__init__", "_sampler", "the watch over nutpie"),
    ("nutpie.compile_pymc:CompiledPyMCModel", "logp_func", "the check before nutpie starts"),
    ("nutpie.compile_pymc:CompiledPyMCModel", "initial_point_func", "nutpie's starting points"),
    ("nutpie.compiled_pyfunc:PyFuncModel", "_make_logp_func", "nutpie with JAX"),
    ("nutpie.compiled_pyfunc:PyFuncModel", "_make_expand_func", "nutpie with JAX"),
    ("nutpie.compiled_pyfunc:PyFuncModel", "_make_initial_points", "nutpie with JAX"),
    ("nutpie.compiled_pyfunc:PyFuncModel", "_shared_data", "nutpie with JAX"),
]


@pytest.mark.parametrize(("home", "attribute", "feature"), ATTRIBUTES)
def test_attribute_is_still_there(home, attribute, feature):
    module, _, path = home.partition(":")
    if module.startswith("nutpie"):
        optional.require("nutpie")
    found = importlib.import_module(module)
    for name in filter(None, path.split(".")):
        found = getattr(found, name)
    names = {*dir(found), *getattr(found, "__dataclass_fields__", ())}
    if (code := getattr(found, "__code__", None)) is not None:
        names = {*code.co_varnames, *code.co_names}
    assert attribute in names, f"{home}: {attribute} is gone: {feature} breaks"


def test_every_name_has_its_feature():
    """A name handed on is in the table; a function made here says its feature itself."""
    for name in set(_upstream.__all__) - set(FEATURES):
        value = getattr(_upstream, name)
        assert getattr(value, "__module__", "") == _upstream.__name__, f"{name}: which feature?"
        assert value.__doc__, f"{name}: which feature?"


@pytest.mark.parametrize(("name", "home"), FEATURES.items())
def test_name_is_still_there(name, home):
    module, private, feature = home
    found = getattr(importlib.import_module(module), private, None)
    assert found is not None, f"{module}.{private} is gone: {feature} breaks"
    assert getattr(_upstream, name) is found
