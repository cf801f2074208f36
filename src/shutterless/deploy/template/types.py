"""Types of the parts of a CloudFormation template."""

from typing import Final, NotRequired, TypedDict

from shutterless.runtime.json_types import Json, JsonObject

# The member of a template's metadata that is ours.
METADATA: Final = "Shutterless"


class Resource(TypedDict):
    """One resource. AWS's reference of its type lists its properties."""

    Type: str
    Properties: JsonObject
    DependsOn: NotRequired[str | list[str]]
    DeletionPolicy: NotRequired[str]
    UpdateReplacePolicy: NotRequired[str]


class Output(TypedDict):
    """A value that CloudFormation returns with the stack."""

    Description: str
    Value: Json


class DeploymentRecord(TypedDict):
    """How a template was made: the version of shutterless, the options, and the releases, oldest first.

    `Pending` and `RolledBack` are the logical ids of a version that was published and has no calls yet, and
    of the one that the last rollback turned away from. Older templates lack them.
    """

    MadeBy: str
    Options: JsonObject
    Releases: list[JsonObject]
    Pending: NotRequired[str]
    RolledBack: NotRequired[str]


class Metadata(TypedDict):
    """A template's metadata, which CloudFormation keeps and otherwise ignores."""

    Shutterless: DeploymentRecord


class Template(TypedDict):
    """A CloudFormation template as `build_template` makes it."""

    AWSTemplateFormatVersion: str
    Description: str
    Metadata: Metadata
    Resources: dict[str, Resource]
    Outputs: dict[str, Output]
