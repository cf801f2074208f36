"""Templates: what CloudFormation checks at once, the order of resources, and references to them."""

import functools
import graphlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.aws_as_it_is.errors import AwsError

MAX_BYTES = 51_200
PSEUDO_PARAMETERS = ("Partition", "Region", "AccountId", "URLSuffix", "StackName", "StackId", "NoValue")
VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")
LITERAL = re.compile(r"\$\{!([^}]*)\}")

# (logical id, attribute or None for Ref) → value
Lookup = Callable[[str, str | None], Any]


class Template:
    """A template that CloudFormation accepts.

    Attributes:
        body: The template.
        resources: Its resources by logical id.
        levels: The logical ids in the order in which they are created; those of a level at the same time.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.resources: dict[str, dict[str, Any]] = body["Resources"]
        dependencies = {name: set(self._dependencies(name)) for name in self.resources}
        self.levels = list(_levels(dependencies))
        for output in body.get("Outputs", {}).values():
            self._check(output.get("Value"), "Outputs")

    def _dependencies(self, name: str) -> Iterator[str]:
        resource = self.resources[name]
        explicit = resource.get("DependsOn", [])
        yield from [explicit] if isinstance(explicit, str) else explicit
        yield from self._check(resource.get("Properties", {}), "Resources")

    def _check(self, value: Any, block: str) -> list[str]:
        """Return the resources that a value refers to, which must all be in the template."""
        names = [name for name in _references(value) if not name.startswith("AWS::")]
        if missing := sorted(set(names) - set(self.resources)):
            raise AwsError(
                "ValidationError",
                "Template format error: Unresolved resource dependencies "
                f"[{', '.join(missing)}] in the {block} block of the template",
            )
        return names


@functools.lru_cache(maxsize=256)
def parse_template(text: str) -> Template:
    """Return the template in a text; raises `AwsError` as CreateChangeSet does."""
    if len(text.encode()) > MAX_BYTES:
        raise AwsError(
            "ValidationError",
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_BYTES}",
        )
    body = json.loads(text)
    if not body.get("Resources"):
        raise AwsError(
            "ValidationError", "Template format error: At least one Resources member must be defined."
        )
    if len(body.get("Description", "")) > 1024:
        raise AwsError("ValidationError", "Template format error: 'Description' length is greater than 1024.")
    if len(body["Resources"]) > 500 or len(body.get("Outputs", {})) > 200:
        raise AwsError("ValidationError", "Template format error: too many resources or outputs")
    return Template(body)


def resolve(value: Any, lookup: Lookup) -> Any:
    """Return a value with its functions replaced by what they stand for."""
    if isinstance(value, list):
        return [resolve(item, lookup) for item in value if item != {"Ref": "AWS::NoValue"}]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name in FUNCTIONS:
            return FUNCTIONS[name](argument, lookup)
        if name.startswith("Fn::"):
            raise AwsError("ValidationError", f"Template format error: Unrecognized function: {name}")
    return {name: resolve(item, lookup) for name, item in value.items() if item != {"Ref": "AWS::NoValue"}}


def _attribute(argument: str | list[str], lookup: Lookup) -> Any:
    name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    return lookup(name, attribute)


def _substitute(argument: str | list[Any], lookup: Lookup) -> str:
    text, variables = (argument, {}) if isinstance(argument, str) else argument

    def value(match: re.Match[str]) -> str:
        name, _, attribute = match[1].partition(".")
        if match[1] in variables:
            return str(resolve(variables[match[1]], lookup))
        return str(lookup(name, attribute or None))

    return LITERAL.sub(r"${\1}", VARIABLE.sub(value, text))


FUNCTIONS: dict[str, Callable[[Any, Lookup], Any]] = {
    "Ref": lambda argument, lookup: lookup(argument, None),
    "Fn::GetAtt": _attribute,
    "Fn::Sub": _substitute,
    "Fn::Join": lambda argument, lookup: argument[0].join(map(str, resolve(argument[1], lookup))),
    "Fn::Select": lambda argument, lookup: resolve(argument[1], lookup)[int(argument[0])],
    "Fn::Split": lambda argument, lookup: resolve(argument[1], lookup).split(argument[0]),
}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "Ref" and isinstance(item, str):
                yield item
            elif name == "Fn::GetAtt":
                yield item.split(".")[0] if isinstance(item, str) else item[0]
            elif name == "Fn::Sub":
                text, variables = (item, {}) if isinstance(item, str) else item
                names = (match.split(".")[0] for match in VARIABLE.findall(text))
                yield from (each for each in names if each not in variables)
                yield from _references(variables)
            else:
                yield from _references(item)


def _levels(dependencies: dict[str, set[str]]) -> Iterator[list[str]]:
    sorter = graphlib.TopologicalSorter(dependencies)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        names = ", ".join(sorted(set(error.args[1])))
        raise AwsError("ValidationError", f"Circular dependency between resources: [{names}]") from error
    while sorter.is_active():
        level = sorter.get_ready()
        yield sorted(level)
        sorter.done(*level)
