"""How long work reports how far it is.

A stage never prints. It takes a `Progress` and calls it with what it is doing, how many
steps are done and how many there are in all; the command line turns that into a bar.
"""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """Report to nobody: the default of every function that takes a `Progress`."""
