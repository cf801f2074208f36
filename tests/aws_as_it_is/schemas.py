"""CloudFormation's own schemas of resource types, of which cfn-lint ships a copy."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfnlint

FOLDER = Path(cfnlint.__file__).parent / "data" / "schemas"
TYPES = {
    "string": str,
    "object": dict,
    "array": list,
    "boolean": (bool, str),
    "integer": (int, str),
    "number": (int, float, str),
}


@functools.cache
def _index() -> dict[str, str]:
    return json.loads((FOLDER / "providers" / "eu-central-1.json").read_text())


@functools.cache
def read_schema(kind: str) -> dict[str, Any]:
    """Return the schema of a type such as `AWS::Lambda::Alias`; raises KeyError for an unknown one."""
    return json.loads((FOLDER / "resources" / f"{_index()[kind]}.json").read_text())


@functools.cache
def create_only(kind: str) -> tuple[tuple[str, ...], ...]:
    """Return the paths of the properties whose change replaces a resource."""
    return tuple(tuple(path.split("/")[2:]) for path in read_schema(kind).get("createOnlyProperties", []))


@functools.cache
def reference(kind: str) -> str:
    """Return the property that `Ref` gives: the part of the identifier that AWS chooses, or its last part."""
    schema = read_schema(kind)
    identifier = schema["primaryIdentifier"]
    chosen = [path for path in identifier if path in schema.get("readOnlyProperties", [])]
    return (chosen or identifier)[-1].rpartition("/")[2]


def is_intrinsic(value: object) -> bool:
    """Tell whether a value is a function of a template such as `Ref`, known only at execution."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def violations(kind: str, properties: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and reason for whatever the schema does not allow."""
    schema = read_schema(kind)
    yield from _violations(properties, schema, schema, "")


def _violations(
    value: Any, schema: dict[str, Any], root: dict[str, Any], path: str
) -> Iterator[tuple[str, str]]:
    if is_intrinsic(value):
        return
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    allowed = schema.get("type", [])
    names = [allowed] if isinstance(allowed, str) else allowed
    if names and not any(isinstance(value, TYPES.get(name, object)) for name in names):
        yield path, f"expected type: {' or '.join(names)}, found: {type(value).__name__}"
        return
    if isinstance(value, dict):
        yield from _object_violations(value, schema, root, path)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _violations(item, schema.get("items", {}), root, f"{path}/{number}")
    elif isinstance(value, str):
        yield from _text_violations(value, schema, path)
    elif "minimum" in schema and value < schema["minimum"]:
        yield path, f"{value} is not greater or equal to {schema['minimum']}"
    elif "maximum" in schema and value > schema["maximum"]:
        yield path, f"{value} is not less or equal to {schema['maximum']}"


def _object_violations(
    value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], path: str
) -> Iterator[tuple[str, str]]:
    members = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield path, f"Required property [{name}] not found"
    for name, member in value.items():
        if name in members:
            yield from _violations(member, members[name], root, f"{path}/{name}")
        elif schema.get("additionalProperties") is False and not any(
            re.search(pattern, name) for pattern in schema.get("patternProperties", {})
        ):
            yield f"{path}/{name}", f"Unsupported property [{name}]"


def _text_violations(value: str, schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    if "enum" in schema and value not in schema["enum"]:
        yield path, f"{value} is not a valid enum value"
    if len(value) > schema.get("maxLength", len(value)):
        yield path, f"expected maxLength: {schema['maxLength']}, actual: {len(value)}"
    if len(value) < schema.get("minLength", 0):
        yield path, f"expected minLength: {schema['minLength']}, actual: {len(value)}"
    if "pattern" in schema and not _matches(schema["pattern"], value):
        yield path, f"string [{value}] does not match pattern {schema['pattern']}"


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # a pattern of Java's
        return True
