"""`python -m pymc_safetrunc check package.module:model`."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import Any

CLEAN, FOUND, NOT_RUN = 0, 1, 2


class _NotRun(Exception):
    """Why there was nothing to check, in words for stderr."""


def add_command(commands) -> None:
    """Add `check` to the command line."""
    parser = commands.add_parser(
        "check",
        help="look for what will go wrong in a model, before it is sampled",
        description=(
            "Check a model as pymc_safetrunc.check_model does, and print what was found. Exit "
            f"code {CLEAN}: nothing, or nothing worse than a hint; {FOUND}: errors or warnings; "
            f"{NOT_RUN}: the model could not be checked, with the reason on stderr."
        ),
    )
    parser.add_argument(
        "model",
        metavar="PACKAGE.MODULE:MODEL",
        help="where a pymc.Model is, or a function without arguments that returns one",
    )
    parser.add_argument("--draws", type=int, default=20, help="draws from the prior (default 20)")
    parser.add_argument("--seed", type=int, default=None, help="seed of the points looked at")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check the model and return the exit code."""
    from rich.console import Console

    # as for `python -m`, whoever calls
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.insert(0, os.getcwd())
    try:
        model = _model(arguments.model)
        check = _checked(model, arguments)
    except _NotRun as reason:
        print(f"{arguments.model}: {reason}", file=sys.stderr)
        return NOT_RUN
    Console(highlight=False).print(check)
    return FOUND if any(f.severity != "hint" for f in check.findings) else CLEAN


def _model(where: str) -> Any:
    module_name, colon, path = where.partition(":")
    if not (module_name and colon and path):
        raise _NotRun("write PACKAGE.MODULE:MODEL, for example my_project.models:regression.")
    value = _attempt(f"importing {module_name}", import_module, module_name)
    for name in path.split("."):
        if not hasattr(value, name):
            raise _NotRun(f"{getattr(value, '__name__', value)} has no attribute {name!r}.")
        value = getattr(value, name)
    from pymc.model import Model

    if callable(value) and not isinstance(value, Model):
        value = _attempt(f"calling {path}()", value)
    if not isinstance(value, Model):
        raise _NotRun(
            f"{path} is {type(value).__name__}; it must be a pymc.Model, or a function without "
            "arguments that returns one."
        )
    return value


def _checked(model: Any, arguments: argparse.Namespace):
    from pymc_safetrunc.diagnosis import check_model

    return _attempt(
        "checking", check_model, model, random_seed=arguments.seed, draws=arguments.draws
    )


def _attempt(what: str, function, *args, **kwargs) -> Any:
    """Call what belongs to the user, who is told in one line what it raised."""
    try:
        return function(*args, **kwargs)
    except (Exception, SystemExit) as error:
        raise _NotRun(f"{what} raised {type(error).__name__}: {error}") from error
