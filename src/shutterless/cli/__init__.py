"""The command line: one thin file per command group, each importing its stage when it runs."""

from shutterless.cli.app import main

__all__ = ["main"]
