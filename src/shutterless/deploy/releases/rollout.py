"""Bring a new version by change sets: publish it, ask it, give it its calls, or put the old one back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import boto3

from shutterless.deploy.aws.cloudformation.change_sets import Action, RollbackTriggers
from shutterless.deploy.aws.cloudwatch import read_alarm_states
from shutterless.deploy.aws.functions import ask_version
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.canary.comparison import Comparison
from shutterless.deploy.canary.watch import Watch, watch_canary
from shutterless.deploy.releases.alias import read_version_numbers, wait_until_moved
from shutterless.deploy.state import State, apply_template, read_updatable_state
from shutterless.deploy.template.alarms import canary_alarm_names
from shutterless.deploy.template.diff import ResourceChange, compare_templates
from shutterless.deploy.template.releases import Releases, read_releases
from shutterless.deploy.template.template import (
    provisioned_between,
    stack_name,
    with_releases,
    with_version_published,
)
from shutterless.deploy.template.types import Template
from shutterless.errors import DeployError
from shutterless.utils.progress import Progress

StepName = Literal["create", "update", "publish", "turn", "provision", "promote"]

WATCH_INTERVAL_S = 15
# Failures that are the new version's fault, so that the template from before is put back.
REFUSALS = (
    "smoke-test-failed",
    "function-failed",
    "function-inactive",
    "alarm-rollback",
    "canary-turned-back",
)


@dataclass(frozen=True)
class Step:
    """One change set of a deploy.

    Attributes:
        name: `create` or `update`, or, to bring a new version: `publish` it without calls, `turn` the alias
            to it, `provision` another number of warm instances, `promote` a canary.
        template: The template after it.
        changes: What it changes; empty if CloudFormation need not be asked.
    """

    name: StepName
    template: Template
    changes: tuple[ResourceChange, ...]


def plan_steps(deployed: Template | None, target: Template, canary_minutes: int) -> Iterator[Step]:
    """Yield the change sets that turn one template into another, also those that change nothing.

    Args:
        deployed: The template that is deployed, None if nothing is.
        target: The template to deploy.
        canary_minutes: How long a canary is watched before it is promoted; 0 for no promotion.
    """
    before = deployed
    for name, template in _templates(deployed, target, canary_minutes):
        yield Step(name, template, tuple(compare_templates(before, template)))
        before = template


def _templates(
    deployed: Template | None, target: Template, canary_minutes: int
) -> Iterator[tuple[StepName, Template]]:
    """Yield the name of each change set with the template after it."""
    if deployed is None:
        yield "create", target
        return
    before, after = read_releases(deployed), read_releases(target)
    is_turned = (before.live, before.canary) != (after.live, after.canary)
    between = with_releases(target, after, provisioned=provisioned_between(deployed, target))
    if after.latest.version not in (before.live, before.canary):
        yield "publish", with_version_published(deployed, target)
        yield "turn", between
    elif is_turned:
        yield "update", between
    yield "provision" if is_turned else "update", target
    if after.canary and canary_minutes:
        yield "promote", with_releases(target, after.promote())


@dataclass
class Rollout:
    """Carries out the change sets of a deploy.

    Attributes:
        session: The AWS session.
        progress: Called as the work goes on.
        photo: The photo to ask the new version with before it gets calls; None not to ask it.
        canary_minutes: How long a canary is watched before it is promoted; 0 for no promotion.
        ignore_answers: Whether to judge a canary by its errors only.
        comparison: What a canary's answers showed beside the live version's; None if none was watched.
    """

    session: boto3.Session
    progress: Progress
    photo: bytes | None
    canary_minutes: int
    ignore_answers: bool = False
    comparison: Comparison | None = None

    def run(self, state: State, target: Template) -> State:
        """Change a deployment to what a template says.

        Args:
            state: The state before.
            target: The template to deploy.

        Returns:
            The state after, which is the same object if nothing had to be changed.

        Raises:
            ShutterlessError: A change set failed, or the new version was turned back.
        """
        before, is_watched = state.template, False
        for step in plan_steps(before, target, self.canary_minutes):
            if step.name == "turn" and before is not None:
                state = self._turn(state, step.template, before)
                is_watched = True
            elif step.name == "promote":
                if not is_watched:
                    self._watch(state, target)
                state = self._apply(state, step.template, action="promote")
            else:
                if step.name == "provision" and step.changes:
                    wait_until_moved(self.session, state.name)
                state = self._apply(state, step.template)
        return state

    def _apply(self, state: State, template: Template, action: Action = "deploy") -> State:
        cloudformation = self.session.client("cloudformation")
        return apply_template(cloudformation, state, template, self.progress, action=action)

    def _turn(self, state: State, template: Template, before: Template) -> State:
        """Ask the published version, then give it its calls; if it fails, put the old template back."""
        releases = read_releases(template)
        version = releases.latest.version
        numbers = read_version_numbers(self.session, state)
        try:
            if self.photo:
                function = stack_name(state.name)
                ask_version(self.session, function, numbers[version], self.photo, self.progress)
            if releases.canary and self.canary_minutes:
                return self._turn_watched(state, template)
            return self._apply(state, template)
        except DeployError as error:
            if error.code in REFUSALS:
                self._put_back(state.name, before, version)
            raise

    def _turn_watched(self, state: State, template: Template) -> State:
        """Give a canary its share, while CloudFormation watches its alarms and we its answers."""
        releases = read_releases(template)
        alarms = canary_alarm_names(stack_name(state.name), releases.canary)
        watch = self._start_watch(state, releases)
        watch.look()  # so that a missing permission is noticed before the canary gets its share
        result = apply_template(
            self.session.client("cloudformation"),
            state,
            template,
            self.progress,
            action="canary",
            triggers=RollbackTriggers(alarms, self.canary_minutes),
            check=lambda: self._check_answers(state.name, watch),
        )
        if refusal := self._check_answers(state.name, watch, is_last=True):
            raise refusal
        return result

    def _watch(self, state: State, template: Template) -> None:
        """Watch a canary that an earlier command has started; if it fails, end it."""
        releases = read_releases(template)
        alarms = canary_alarm_names(stack_name(state.name), releases.canary)
        watch, total_s = self._start_watch(state, releases), self.canary_minutes * 60
        for elapsed_s in poll(WATCH_INTERVAL_S, total_s):
            self.progress("Watching the canary", round(elapsed_s), total_s)
            is_last = elapsed_s + WATCH_INTERVAL_S > total_s
            refusal = self._check_alarms(state.name, alarms)
            if refusal := refusal or self._check_answers(state.name, watch, is_last=is_last):
                self._apply(state, with_releases(template, releases.roll_back()), action="rollback")
                raise refusal

    def _start_watch(self, state: State, releases: Releases) -> Watch:
        numbers = read_version_numbers(self.session, state)
        live, canary = numbers[releases.live], numbers[releases.canary]
        return watch_canary(self.session, state.name, live, canary, ignore_answers=self.ignore_answers)

    def _check_answers(self, name: str, watch: Watch, *, is_last: bool = False) -> DeployError | None:
        """Return the error for a canary whose answers are worse than the live version's."""
        self.comparison = watch.look(is_last=is_last)
        return self.comparison.to_error(name)

    def _check_alarms(self, name: str, alarms: Sequence[str]) -> DeployError | None:
        """Return the error for the first of these alarms that has gone off."""
        states = read_alarm_states(self.session, alarms)
        for alarm in alarms:
            if states.get(alarm) == "ALARM":
                return DeployError(
                    "alarm-rollback",
                    f"The alarm {alarm} went off, so the canary was ended",
                    f"Find out why with: shutterless logs {name} --since 1h",
                )
        return None

    def _put_back(self, name: str, before: Template, version: str) -> None:
        """Put the template back from before a version that failed, unless somebody else has changed it."""
        state = read_updatable_state(self.session.client("cloudformation"), name, self.progress)
        releases = read_releases(state.template) if state.template else None
        if releases and version in (releases.pending, releases.canary):
            template = with_releases(before, read_releases(before).withdraw(version))
            self._apply(state, template, action="rollback")
