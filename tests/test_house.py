"""Imports go one way, as the layers say; private names of others come through one module."""

import ast
import re
from pathlib import Path

import pytest

import pymc_safetrunc

ROOT = Path(pymc_safetrunc.__file__).parent
OTHERS = ("pymc", "pytensor", "nutpie", "arviz", "numpyro", "jax")

# What each layer may import; a layer may always import itself and `_upstream`.
MATHEMATICS = ("kernels", "ops", "backends", "math")
ALLOWED = {
    "_upstream": (),
    "_import_hook": (),
    "kernels": (),
    "ops": ("kernels", "_import_hook"),
    "backends": ("kernels", "ops"),
    "math": ("kernels", "ops", "backends"),
    "distributions": MATHEMATICS,
    "dims": (*MATHEMATICS, "distributions"),
    "installation": (*MATHEMATICS, "distributions", "dims", "_import_hook"),
    "demo": ("distributions", "report"),
    # a finding shows itself: looked up when it is asked to
    "findings": ("report",),
    "report": ("findings",),
    "diagnosis": ("kernels", "math", "distributions", "findings", "report"),
    "check_command": ("findings", "report", "diagnosis"),
    "watchdog": ("findings", "report", "diagnosis"),
    "fleet": ("findings", "report", "diagnosis", "watchdog"),
}
# On top of everything: they read finished results or tie the rest together.
TOP = {"report.timeline", "report.plots", "report.document", "__init__", "__main__"}


def layer_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts) if ".".join(parts) in TOP else parts[0]


def imports_of(path):
    """(module, name or None) of every import, wherever in the file it stands."""
    package = ("pymc_safetrunc", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_downward(path):
    layer = layer_of(path)
    if layer in TOP:
        return
    assert layer in ALLOWED, f"{layer}: not a room of the house"
    for module, name in imports_of(path):
        parts = [*module.split("."), *([name] if name else [])]
        if parts[0] == "pymc_safetrunc" and len(parts) > 1:
            imported = parts[1]
            if (ROOT / imported).exists() or (ROOT / f"{imported}.py").exists():
                assert imported in {layer, "_upstream", *ALLOWED[layer]}, f"{layer} -> {imported}"


# Attributes that look private and are used nevertheless.
PUBLIC = {
    "_exit",  # of os, which documents it
    "_watchdog",  # this package's own, on step methods of PyMC
}


def own_names(tree):
    """What a file defines at its top, in a class, or on `self` in a class."""
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.Module | ast.ClassDef):
            continue
        for node in scope.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield node.name
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        if isinstance(scope, ast.ClassDef):
            for node in ast.walk(scope):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    yield node.attr


OWN = {
    name
    for path in FILES
    if path.name != "_upstream.py"
    for name in own_names(ast.parse(path.read_text()))
}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_private_attributes_of_others_come_through_upstream(path):
    """As far as a name tells whose it is: one that this package defines somewhere is its own."""
    if path.name == "_upstream.py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr):
            where = f"{path.name}:{node.lineno}: {ast.unparse(node)}"
            assert node.attr in OWN | PUBLIC, f"{where}: reach it through _upstream.py"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_private_names_come_through_upstream(path):
    if path.name == "_upstream.py":
        return
    for module, name in imports_of(path):
        if module.split(".")[0] in OTHERS:
            private = [p for p in (*module.split("."), name or "") if p.startswith("_")]
            assert not private, f"{module}.{name}: import it through _upstream.py"
