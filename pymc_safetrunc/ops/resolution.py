"""The check that a quadrature rule has resolved its density, and the error that says for whom not.

PyMC's own check has a fixed message. This one takes what was given along with what it lets
through, as columns of one table, and is a check of PyMC's in everything else: an impossible point
inside a model, nothing where checks are off.
"""

from hashlib import sha256

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.utils import CheckParameterValue, ParameterValueError
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from pymc_safetrunc.ops.quadrature import stop_gradient


class UnresolvedDensityError(ParameterValueError):
    """A rule that has not resolved its density: the message, and the first law it is about.

    Compiled code raises it with numbers alone: the text is made when somebody reads it.
    """

    def __str__(self):
        """Return the message and the first row of the table that is not resolved."""
        message, *rest = self.args
        if not rest:
            return message
        names, table = rest
        entries = np.argwhere(table[..., 1] == 0)
        first = tuple(int(i) for i in entries[0])
        numbers = zip(names.split("; "), table[first][2:], strict=True)
        given = ", ".join(f"{name}={number:.10g}" for name, number in numbers)
        where = f" in entry {first}" if first else ""
        more = f", the first of {len(entries)} such entries" if len(entries) > 1 else ""
        return f"{message} Given: {given}{where}{more}."


class ResolvedCheck(CheckParameterValue):
    """Let a table through whose last axis has the result, whether it is resolved, and the given."""

    __props__ = (*CheckParameterValue.__props__, "names")
    # PyTensor would make one of the props
    __str__ = CheckParameterValue.__str__

    def __init__(self, msg, names, can_be_replaced_by_ninf):
        super().__init__(msg, can_be_replaced_by_ninf)
        self.exc_type = UnresolvedDensityError
        self.names = names

    def perform(self, node, inputs, outputs):
        """Raise with the table."""
        table, condition = inputs
        if not condition:
            raise self.exc_type(self.msg, self.names, table)
        outputs[0][0] = table

    def c_code(self, *args, **kwargs):
        """None: C code would raise with the message alone."""
        raise NotImplementedError


@register_funcify_and_cache_key(ResolvedCheck)
def numba_funcify_resolved_check(op, node, **kwargs):
    """Compile the check, which raises with the table."""
    error, message, names = op.exc_type, op.msg, op.names

    def check(table, condition):
        if not condition:
            raise error(message, names, table)
        return table

    key = sha256(repr((type(op), error, message, names)).encode()).hexdigest()
    return numba_njit(check), key


def check_resolved(result, resolved, message, given, *, can_be_replaced_by_ninf=True):
    """Return the result, or raise where it is not resolved.

    Parameters
    ----------
    result, resolved : TensorVariable
        Of the batch's shape.
    message : str
        What is wrong, allowed and to be done.
    given : dict of str to tensor
        What the message is to show of the first entry that is not resolved.
    can_be_replaced_by_ninf : bool
        Whether it is -inf inside a model.
    """
    # no derivative is to go through these, a product of 0 and a NaN included
    columns = [result, *(stop_gradient(x) for x in (resolved.astype("float64"), *given.values()))]
    table = pt.stack(pt.broadcast_arrays(*columns), axis=-1)
    check = ResolvedCheck(message, "; ".join(given), can_be_replaced_by_ninf)
    return check(table, pt.all(resolved))[..., 0]
