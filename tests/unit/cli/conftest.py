from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from shutterless.cli.app import app
from shutterless.cli.console import console
from shutterless.errors import ShutterlessError

Shutterless = Callable[..., Result]
ErrorOf = Callable[..., ShutterlessError]


@pytest.fixture
def shutterless(monkeypatch) -> Shutterless:
    """Type a command and return its exit code, standard output and standard error."""
    monkeypatch.setattr(console, "width", 200)  # so that no word of a table or a message is wrapped

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def error_of(shutterless) -> ErrorOf:
    """Type a command that fails and return the error behind its message."""

    def run(*arguments: object) -> ShutterlessError:
        result = shutterless("--debug", *arguments)
        assert isinstance(result.exception, ShutterlessError), result.output
        return result.exception

    return run


@pytest.fixture
def shutterless_reading() -> Shutterless:
    """Type a command that reads a text from standard input."""

    def run(text: str, *arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=text)

    return run
