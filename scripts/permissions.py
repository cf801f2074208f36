"""Update the actions that the IAM policy for deploying is made from, and the policy in docs/aws.md.

    python scripts/permissions.py

They come from the schemas of resource types and the actions of services that cfn-lint ships. A test fails
if an update of cfn-lint, a new type in the template or a new call changes them.
"""

import json
from itertools import chain
from pathlib import Path

import cfnlint
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from shutterless.deploy.policy.policy import (
    CALLS,
    DOMAIN,
    IMAGE_CALLS,
    PERMISSIONS,
    PULL,
    PUSH,
    STACK_TAGS,
    ZIP_CALLS,
    deploy_policy,
)
from shutterless.deploy.template.diff import REPLACED_BY

PAGE = Path(__file__).parents[1] / "docs/aws.md"
REGION = "us-east-1"
SERVICES = json.loads(
    (Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json").read_text("utf-8")
)


def collect() -> dict[str, object]:
    """Return the actions of each type's handlers, and those that no resource of an account limits."""
    handlers = {kind: handler_actions(kind) for kind in sorted({*REPLACED_BY, "AWS::ECR::Repository"})}
    actions = {
        *chain(*handlers.values()),
        *CALLS,
        *IMAGE_CALLS,
        *ZIP_CALLS,
        *STACK_TAGS,
        *PUSH,
        *PULL,
        *DOMAIN,
    }
    return {"account_wide": sorted(filter(is_account_wide, actions)), "handlers": handlers}


def handler_actions(kind: str) -> list[str]:
    """Return every action that the handlers of a resource type need."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema["handlers"]
    return sorted({action for handler in handlers.values() for action in handler["permissions"]})


def arn_formats(action: str) -> list[str] | None:
    """Return the forms of the ARNs that an action can be limited to, None for an unknown action."""
    service, _, name = action.partition(":")
    details = SERVICES.get(service, {}).get("Actions", {}).get(name.lower())
    if details is None:
        return None
    resources = SERVICES[service]["Resources"]
    return [
        form
        for resource in details.get("Resources", [])
        for form in resources.get(resource.lower(), {}).get("ARNFormats", [])
    ]


# The kinds of resources that a deployment has, of services that have others too.
OWN_KINDS = {
    "cloudwatch": "alarm:",
    "lambda": "function:",
    "logs": "log-group:",
}


def is_account_wide(action: str) -> bool:
    """Tell whether an action cannot be limited to the resources of a deployment."""
    formats = arn_formats(action)
    own = OWN_KINDS.get(action.partition(":")[0], "")
    return formats is not None and not any(own in form for form in formats)


def document() -> str:
    """Return docs/aws.md with the policy for the default options, a statement on each line."""
    start, _, end = PAGE.read_text("utf-8").rpartition("```json\n")
    statements = ",\n".join(f"    {json.dumps(each)}" for each in deploy_policy()["Statement"])
    policy = f'{{\n  "Version": "2012-10-17",\n  "Statement": [\n{statements}\n  ]\n}}\n'
    return f"{start}```json\n{policy}```{end.partition('```')[2]}"


if __name__ == "__main__":
    PERMISSIONS.write_text(json.dumps(collect(), indent=1) + "\n", "utf-8")
    PAGE.write_text(document(), "utf-8")
