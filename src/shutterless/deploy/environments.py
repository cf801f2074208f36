"""Environments, such as dev and prod: where a project is deployed and how, read from shutterless.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from shutterless.deploy.options import OptionChanges, Options, check_changes, check_name
from shutterless.errors import InputError
from shutterless.text_files import read_text
from shutterless.utils.messages import did_you_mean

FILE = Path("shutterless.toml")
MAX_FILE_BYTES = 1_000_000
# The arguments of `deploy` that an environment may have beside its options, with their types.
ARGUMENTS = {"name": str, "region": str, "profile": str, "canary": float, "canary_minutes": int}
KINDS = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table of texts in quotes",
}


@dataclass(frozen=True)
class Environment:
    """One environment: where a project is deployed, and with which options.

    Attributes:
        label: Its name in the file, such as `prod`.
        file: The file.
        name: The deployment's name; None if the file leaves it to the caller, as with everything below.
        region: The AWS region.
        profile: A profile of the AWS configuration.
        canary: The share of the calls, 0 to 1, that a new version gets first.
        canary_minutes: How long a canary is watched.
        options: The options to deploy with.
    """

    label: str
    file: Path
    name: str | None = None
    region: str | None = None
    profile: str | None = None
    canary: float | None = None
    canary_minutes: int | None = None
    options: OptionChanges = field(default_factory=lambda: OptionChanges())

    def settings(self) -> dict[str, object]:
        """Return everything that the file sets, by key."""
        arguments = {key: getattr(self, key) for key in ARGUMENTS}
        return {**{key: value for key, value in arguments.items() if value is not None}, **self.options}


def read_environment(file: str | Path, environment: str) -> Environment:
    """Read one environment from a configuration file.

    Each environment is a table of the file, with the arguments of `deploy` as its keys. Keys above the first
    table apply to every environment. All environments are checked, whichever is read.

    Args:
        file: The file, in TOML.
        environment: The environment's name.

    Raises:
        ShutterlessError: The file cannot be read (`unreadable-config`), has an unknown key or an impossible
            value (`invalid-config`), or has no such environment (`unknown-environment`).

    Example:
        >>> from pathlib import Path
        >>> from shutterless import deploy
        >>> text = '[prod]\\nname = "clothes"\\nregion = "eu-central-1"\\nmemory = 3008\\n'
        >>> _ = Path("shutterless.toml").write_text(text)
        >>> prod = deploy.read_environment("shutterless.toml", "prod")
        >>> prod.name, prod.region, prod.options
        ('clothes', 'eu-central-1', {'memory': 3008})
    """
    file = Path(file)
    document = _read_document(file)
    # A table is an environment, even one called `stage`, except for an option that is a table itself.
    tables = {
        label: table
        for label, table in document.items()
        if isinstance(table, dict) and not _fits(table, _types().get(label))
    }
    common = {key: value for key, value in document.items() if key not in tables}
    _parse_environment(file, "", common)
    environments = {
        label: _parse_environment(file, label, {**common, **table}) for label, table in tables.items()
    }
    if environment not in environments:
        names = ", ".join(environments) or "none"
        raise InputError(
            "unknown-environment",
            f"{file} has no environment {environment!r}",
            f"{did_you_mean(environment, environments)}The environments are: {names}.",
        )
    return environments[environment]


def _read_document(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(read_text(file, MAX_FILE_BYTES))
    except FileNotFoundError as error:
        raise InputError(
            "unreadable-config",
            f"There is no configuration file {file}",
            "Create it, or give another one with --config FILE.",
        ) from error
    except OSError as error:
        raise InputError(
            "unreadable-config", f"{file} cannot be read: {error.strerror}", "Give a .toml file."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError("unreadable-config", f"{file} is not UTF-8 text", "Give a .toml file.") from error
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise InputError(
            "invalid-config", f"{file} is not valid TOML: {error}", "Correct that line."
        ) from error


def _types() -> dict[str, type]:
    """Return the type of each key that an environment may have; that of a choice is `str`."""
    types: dict[str, type] = {**ARGUMENTS}
    for option, hint in get_type_hints(OptionChanges).items():
        (kind,) = (each for each in get_args(hint) if each is not NoneType)  # they are all `… | None`
        origin = get_origin(kind) or kind
        types[option] = {Literal: str, Mapping: dict}.get(origin, origin)
    return types


def _fits(value: object, kind: type | None) -> bool:
    """Tell whether a value has a type; a number may be written without a point, but true is not 1."""
    if isinstance(value, dict) and kind is dict:
        return all(isinstance(each, str) for each in value.values())
    return type(value) is kind or (kind is float and type(value) is int)


def _parse_environment(file: Path, label: str, members: Mapping[str, object]) -> Environment:
    """Return an environment after checking its members as `deploy` does."""
    where, types = f"[{label}] in {file}" if label else str(file), _types()
    for key, value in members.items():
        if key not in types:
            raise InputError(
                "invalid-config",
                f"{where} has an unknown key {key!r}",
                f"{did_you_mean(key, types)}The keys are: {', '.join(types)}.",
            )
        if not _fits(value, types[key]):
            raise InputError(
                "invalid-config", f"{where} has a wrong {key}: {value!r}", f"Write {KINDS[types[key]]}."
            )
    options = cast(OptionChanges, {key: value for key, value in members.items() if key not in ARGUMENTS})
    environment = Environment(
        label, file, **{key: cast(Any, members[key]) for key in ARGUMENTS if key in members}, options=options
    )
    try:
        if environment.name is not None:
            check_name(environment.name)
        check_changes(options)
        if label:  # keys that several environments share may need others of each
            Options().with_changes(options)
    except InputError as error:
        raise InputError(error.code, f"{where}: {error.message}", error.hint) from error
    return environment
