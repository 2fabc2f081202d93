"""Import a module of this package when, and only when, an optional one gets imported."""

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder


class _ImportAfter(MetaPathFinder):
    """Finder that changes one thing: once `trigger` has been executed, `module` is imported.

    It stays until then, since a module may be looked for without being imported.
    """

    def __init__(self, trigger: str, module: str):
        self.trigger = trigger
        self.module = module

    def find_spec(self, fullname, path=None, target=None):
        """Find the trigger on the path, and prolong its execution."""
        if fullname != self.trigger:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            import_module(self.module)

        # on this loader alone: it was made for this one lookup
        spec.loader.exec_module = exec_module
        return spec


def import_after(trigger: str, module: str) -> None:
    """Import `module` now if `trigger` is loaded already, otherwise as soon as it is."""
    if trigger in sys.modules:
        import_module(module)
    else:
        sys.meta_path.insert(0, _ImportAfter(trigger, module))
