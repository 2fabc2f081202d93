"""Do something when, and only when, an optional module gets imported."""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder


class _CallAfter(MetaPathFinder):
    """Finder that changes one thing: once `trigger` has been executed, `action` is called.

    It stays until then, since a module may be looked for without being imported.
    """

    def __init__(self, trigger: str, action: Callable[[], object]):
        self.trigger = trigger
        self.action = action

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
            self.action()

        # on this loader alone: it was made for this one lookup
        spec.loader.exec_module = exec_module
        return spec


def call_after(trigger: str, action: Callable[[], object]) -> None:
    """Call `action` now if `trigger` is loaded already, otherwise as soon as it is."""
    if trigger in sys.modules:
        action()
    else:
        sys.meta_path.insert(0, _CallAfter(trigger, action))


def import_after(trigger: str, module: str) -> None:
    """Import `module` now if `trigger` is loaded already, otherwise as soon as it is."""
    call_after(trigger, lambda: import_module(module))
