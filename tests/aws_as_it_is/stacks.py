"""Stacks, and what an operation has done to them so far."""

import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.aws_as_it_is.resources import Resource
from tests.aws_as_it_is.templates import Template


@dataclass
class Change:
    """What an update has done to one resource: None before it was created, None after it is removed."""

    before: Resource | None
    after: Resource | None
    is_replacement: bool = False


@dataclass
class Stack:
    """A stack.

    Attributes:
        template: The template of its resources, None before its first one.
        text: That template as it was sent.
        stale: Descriptions from before the last call, that the next reads still give, until a time.
        changes: What the operation in progress, or one that could not be rolled back, has done.
        previous: Template, text, tags and outputs before that operation.
        pending: The resources that are being changed.
        operation: Number of the latest operation; one with another number has been superseded.
    """

    name: str
    id: str
    created: datetime
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    updated: datetime | None = None
    template: Template | None = None
    text: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    monitoring_s: float = 0
    token: str = ""
    stale: list[dict[str, Any]] = field(default_factory=list)
    stale_until: float = 0
    changes: list[Change] = field(default_factory=list)
    previous: tuple[Any, ...] = ()
    pending: list[Resource] = field(default_factory=list)
    operation: int = 0


def remember_previous(stack: Stack) -> None:
    """Keep what a rollback goes back to."""
    stack.previous = (stack.template, stack.text, dict(stack.tags), copy.copy(stack.outputs))
