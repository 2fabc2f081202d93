"""Draws from truncated normals under JAX.

The methods are those of the other backends. A round proposes for every entry, and rounds go on
until each has been accepted: about log(n) of them for n entries, whatever the parameters.
"""

import jax
import jax.numpy as jnp
from pytensor.link.jax.dispatch.random import jax_sample_fn

from pymc_safetrunc.kernels import truncated_normal_draw_array as array_form
from pymc_safetrunc.ops.truncated_normal_rv import SafeTruncatedNormalRV


def register() -> None:
    """Let PyTensor's JAX backend draw from the safe truncated normal."""
    jax_sample_fn.register(SafeTruncatedNormalRV, _sample_fn)


def draw(key, mu, sigma, lower, upper, shape=None, dtype=None):
    """Draws from truncated normals.

    Parameters
    ----------
    key : jax.Array
        Random key.
    mu, sigma, lower, upper : array_like
        Broadcast against one another and to shape.
    shape : tuple of int, optional
        Shape of the result; by default the parameters' joint shape.
    dtype : dtype, optional
        Of the result. Computed in float64 where JAX has it enabled, otherwise in float32.

    Returns
    -------
    jax.Array
        NaN where the parameters are not legal: compiled JAX code cannot raise.
    """
    working = jax.dtypes.canonicalize_dtype("float64")
    parameters = [jnp.asarray(v).astype(working) for v in (mu, sigma, lower, upper)]
    if shape is None:
        shape = jnp.broadcast_shapes(*(v.shape for v in parameters))
    parameters = [jnp.broadcast_to(v, shape) for v in parameters]
    legal = array_form.is_legal(jnp, *parameters)
    # one legal law in the place of the others, so that every entry ends
    stand_in = (0.0, 1.0, -jnp.inf, jnp.inf)
    parameters = [jnp.where(legal, v, s) for v, s in zip(parameters, stand_in, strict=True)]
    frame = array_form.frame_of(jnp, *parameters)

    def propose(state):
        key, t, pending = state
        key, *keys = jax.random.split(key, 4)
        uniform = jax.random.uniform(keys[0], shape, working)
        exponential = jax.random.exponential(keys[1], shape, working)
        normal = jax.random.normal(keys[2], shape, working)
        options = zip(
            array_form.flat_proposal(jnp, frame.a, frame.d, uniform, exponential),
            array_form.tail_proposal(jnp, frame.a, frame.fall, uniform, exponential),
            array_form.central_proposal(jnp, frame.a, frame.b, normal),
            strict=True,
        )
        proposed, rejected = (
            jnp.where(frame.flat, if_flat, jnp.where(frame.tail, if_tail, if_central))
            for if_flat, if_tail, if_central in options
        )
        return key, jnp.where(pending, proposed, t), pending & rejected

    start = key, jnp.zeros(shape, working), jnp.ones(shape, bool)
    _, t, _ = jax.lax.while_loop(lambda state: state[2].any(), propose, start)
    dtype = jax.dtypes.canonicalize_dtype(dtype or working)
    draws = array_form.finish(jnp, frame, t)
    draws = array_form.cast_inside(jnp, draws, parameters[2], parameters[3], dtype)
    return jnp.where(legal, draws, jnp.nan).astype(dtype)


def _sample_fn(op, node):
    def sample_fn(key, size, dtype, mu, sigma, lower, upper):
        shape = None if size is None else tuple(size)
        return draw(key, mu, sigma, lower, upper, shape, dtype)

    return sample_fn
