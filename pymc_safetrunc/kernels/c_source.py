"""The C text of the kernels: the Python tables and constants, then the headers."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from pymc_safetrunc.kernels import (
    counts,
    elementary,
    log_interval,
    narrow,
    quadrature,
    tail_table,
    truncated_normal,
    truncated_normal_quantile,
)

FOLDER = Path(__file__).parent
# The first has the macro that the others begin their functions with.
HEADERS = ("truncated_normal.h", "quadrature.h")

CONSTANTS = (
    (tail_table, ("OFFSET", "PIECES", "RATIO_2", "RATIO_4")),
    (
        narrow,
        ("TERMS", "MANY_TERMS", "WEIGHT_0", "WEIGHT_1", "WEIGHT_2", "WEIGHT_3", "WEIGHT_4"),
    ),
    (
        truncated_normal,
        (
            "INV_SQRT_2PI",
            "NARROW_DELTA",
            "NARROW_WIDTH",
            "NARROW_DELTA_2",
            "NARROW_WIDTH_2",
            "FAR_DELTA",
            "FAR_BOUND",
            "UNDERFLOW",
            "SMALLEST_SCALE",
            "LARGEST_SCALE",
        ),
    ),
    (counts, ("SERIES_FROM", "NEAR")),
    (elementary, ("LOG_LARGEST", "SQUARE_IS_ALL", "LOG_2")),
    (log_interval, ("HALF_LOG_2PI", "CENTRAL_WIDTH")),
    (quadrature, ("NEAREST",)),
    (truncated_normal_quantile, ("MAX_STEPS", "SPLITTER", "SMALLEST_SQUARED", "LARGEST_SQUARED")),
)


def _declaration(name, value):
    if isinstance(value, int | float):
        return f"#define SAFETRUNC_{name} {value!r}"
    shape = "".join(f"[{n}]" for n in value.shape)
    body = str(value.tolist()).replace("[", "{").replace("]", "}")
    return f"static const double SAFETRUNC_{name}{shape} __attribute__((unused)) = {body};"


@cache
def c_source() -> str:
    """C code that defines every kernel, safe to include more than once."""
    lines = [
        _declaration(name, getattr(module, name)) for module, names in CONSTANTS for name in names
    ]
    headers = [(FOLDER / "c" / name).read_text() for name in HEADERS]
    guard = "SAFETRUNC_KERNELS"
    return "\n".join([f"#ifndef {guard}", f"#define {guard}", *lines, *headers, "#endif", ""])


@cache
def kernel_version() -> str:
    """Digest of every kernel source, so that a changed kernel is never run from an old cache."""
    sources = sorted([*FOLDER.glob("*.py"), *FOLDER.glob("c/*.h")])
    return sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
