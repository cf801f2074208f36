"""Import the names that a package offers when they are first used: TensorFlow takes seconds."""

import importlib
from collections.abc import Mapping


def import_name(package: str, modules: Mapping[str, str], name: str) -> object:
    """Import what `package` offers as `name`, for its `__getattr__`.

    Args:
        package: The name of the package.
        modules: Name → the module below the package that defines it, or that it is itself.
        name: The name that was asked for.

    Raises:
        AttributeError: The package does not offer the name.
    """
    if name not in modules:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module = importlib.import_module(f"{package}.{modules[name]}")
    return module if name == modules[name] else getattr(module, name)
