"""Modules that run when they are first used, because Pillow imports more than decoding a photo takes."""

import importlib
import importlib.util
import sys
import threading
from types import ModuleType

_running = threading.RLock()


class LazyModule(ModuleType):
    """A module whose code runs when one of its attributes is first used, by any thread.

    Python's own `importlib.util.LazyLoader` is safe for threads only from 3.12.4.
    """

    def __getattr__(self, name: str) -> object:
        """Run the module's code, because an attribute is missing, and return the attribute."""
        with _running:
            if spec := self.__dict__.pop("_lazy_spec", None):
                spec.loader.exec_module(self)
        if name not in self.__dict__:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return self.__dict__[name]


def defer(name: str) -> None:
    """Let the next `import` of a module, by whomever, give one that runs when it is first used.

    Args:
        name: The module's whole name; nothing happens if it is imported already, or if there is none.
    """
    parent, _, child = name.rpartition(".")
    package = importlib.import_module(parent) if parent else None
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None:
        return
    module = importlib.util.module_from_spec(spec)
    module.__class__ = LazyModule
    module.__dict__["_lazy_spec"] = spec
    sys.modules[name] = module
    if package:
        setattr(package, child, module)
