"""How CloudFormation creates, updates, rolls back and deletes its resources.

Each operation is a generator that yields the seconds until it goes on.
"""

import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from tests.aws_as_it_is.errors import AwsError
from tests.aws_as_it_is.resources import Resource, handler, is_replaced, name_conflict
from tests.aws_as_it_is.stacks import Change, Stack
from tests.aws_as_it_is.templates import PSEUDO_PARAMETERS, resolve

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account

Steps = Generator[float, None, None]
STACK = "AWS::CloudFormation::Stack"
WATCH_INTERVAL_S = 10.0
API_HOST = re.compile(r"https://([\w-]+)\.(execute-api|lambda-url)\.[\w-]+\.(?:amazonaws\.com|on\.aws)")


class Engine:
    """Runs the operations of an account's stacks.

    Attributes:
        failures: Reasons why the next actions of resources fail, by (logical id, `CREATE`, `UPDATE` or
            `DELETE`).
    """

    def __init__(self, account: "Account") -> None:
        self.account = account
        self.failures: dict[tuple[str, str], list[str]] = {}

    def start(self, stack: Stack, steps: Steps) -> None:
        """Run an operation, in place of any other of this stack."""
        stack.operation += 1
        number = stack.operation

        def go() -> None:
            if stack.operation == number and (seconds := next(steps, None)) is not None:
                self.account.clock.after(seconds, go)

        go()

    def set_status(self, stack: Stack, status: str, reason: str = "") -> None:
        stack.status, stack.reason = status, reason
        self._add_event(stack, stack.name, stack.id, STACK, status, reason)

    def create(self, stack: Stack) -> Steps:
        """Create all resources of the stack's template."""
        self.set_status(stack, "CREATE_IN_PROGRESS", "User Initiated")
        reason = yield from self._apply(stack, "create")
        if not reason:
            yield from self._finish(stack, "CREATE_COMPLETE")
            return
        self.set_status(stack, "ROLLBACK_IN_PROGRESS", reason)
        created = {change.after.name: change.after for change in stack.changes if change.after}
        failures = yield from self._delete_all(stack, created)
        stack.resources = {name: created[name] for name in failures}
        self.set_status(
            stack, "ROLLBACK_FAILED" if failures else "ROLLBACK_COMPLETE", _failed("delete", failures)
        )

    def update(self, stack: Stack) -> Steps:
        """Change the resources to those of the stack's template."""
        self.set_status(stack, "UPDATE_IN_PROGRESS", "User Initiated")
        reason = yield from self._apply(stack, "update")
        if reason:
            yield from self.roll_back(stack, reason)
            return
        self.set_status(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        yield self.account.behaviour.step_s
        assert stack.template
        removed = [each for name, each in stack.resources.items() if name not in stack.template.resources]
        for resource in removed:
            del stack.resources[resource.name]
        replaced = [change.before for change in stack.changes if change.is_replacement and change.before]
        yield from self._clean_up(stack, [*replaced, *removed])
        yield from self._finish(stack, "UPDATE_COMPLETE")

    def roll_back(self, stack: Stack, reason: str) -> Steps:
        """Undo what an update has done."""
        action = "Resource {} cancelled".format
        for resource in stack.pending:
            kind = "CREATE" if resource.status == "CREATE_IN_PROGRESS" else "UPDATE"
            noun = "creation" if kind == "CREATE" else "update"
            self._resource_event(stack, resource, f"{kind}_FAILED", action(noun))
        stack.pending = []
        stack.template, stack.text, stack.tags, stack.outputs = stack.previous
        self.set_status(stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
        yield self.account.behaviour.step_s
        garbage = []
        while stack.changes:
            change = stack.changes[-1]
            if change.before and change.after and not change.is_replacement:
                self._resource_event(stack, change.before, "UPDATE_IN_PROGRESS")
                if error := self._perform(stack, "UPDATE", change.before, change.after.properties):
                    self._resource_event(stack, change.before, "UPDATE_FAILED", error)
                    self.set_status(stack, "UPDATE_ROLLBACK_FAILED", _failed("update", [change.before.name]))
                    return
                self._resource_event(stack, change.before, "UPDATE_COMPLETE")
            elif change.after:
                garbage.append(change.after)
            if change.before:
                stack.resources[change.before.name] = change.before
            elif change.after:
                stack.resources.pop(change.after.name, None)
            stack.changes.pop()
        self.set_status(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        yield self.account.behaviour.step_s
        yield from self._clean_up(stack, garbage)
        self.set_status(stack, "UPDATE_ROLLBACK_COMPLETE")

    def delete(self, stack: Stack) -> Steps:
        """Delete all resources and the stack."""
        self.set_status(stack, "DELETE_IN_PROGRESS", "User Initiated")
        yield self.account.behaviour.step_s
        failures = yield from self._delete_all(stack, stack.resources)
        stack.resources = {name: stack.resources[name] for name in failures}
        self.set_status(
            stack, "DELETE_FAILED" if failures else "DELETE_COMPLETE", _failed("delete", failures)
        )

    def _apply(self, stack: Stack, verb: str) -> Generator[float, None, str]:
        """Create and change resources; return why that failed, empty if it did not."""
        stack.changes, stack.pending = [], []
        assert stack.template
        if missing := [arn for arn in stack.triggers if not self.account.metrics.find(arn)]:
            return f"The following rollback triggers do not exist: [{', '.join(missing)}]"
        for level in stack.template.levels:
            yield self.account.behaviour.step_s
            if reason := self._alarm(stack):
                return reason
            try:
                changes = [change for name in level if (change := self._plan(stack, name))]
            except AwsError as error:
                return error.message
            for change in changes:
                assert change.after
                action = "UPDATE" if change.before else "CREATE"
                note = (
                    "Requested update requires the creation of a new physical resource; hence creating one."
                    if change.is_replacement
                    else ""
                )
                self._resource_event(stack, change.after, f"{action}_IN_PROGRESS", note)
                stack.pending.append(change.after)
            if changes:
                yield self.account.behaviour.step_s
            if failures := self._carry_out(stack, changes):
                return _failed(verb, failures) + ("Rollback requested by user." if verb == "create" else "")
        end = self.account.clock.time_s + stack.monitoring_s
        while self.account.clock.time_s < end:
            if reason := self._alarm(stack):
                return reason
            yield min(WATCH_INTERVAL_S, end - self.account.clock.time_s)
        return self._alarm(stack)

    def _carry_out(self, stack: Stack, changes: list[Change]) -> list[str]:
        """Make the changes of one level and return the logical ids of those that failed."""
        failures: list[str] = []
        for change in changes:
            resource, before = change.after, change.before
            assert resource
            action = "UPDATE" if before else "CREATE"
            stack.pending.remove(resource)
            if failures:
                noun = "creation" if action == "CREATE" else "update"
                self._resource_event(stack, resource, f"{action}_FAILED", f"Resource {noun} cancelled")
                continue
            is_update = before and not change.is_replacement
            old = before.properties if before else {}
            error = name_conflict(resource, before) if change.is_replacement else ""
            error = error or self._perform(stack, "UPDATE" if is_update else "CREATE", resource, old)
            if is_update or not error:
                stack.changes.append(change)
                stack.resources[resource.name] = resource
            if error:
                failures.append(resource.name)
            self._resource_event(stack, resource, f"{action}_{'FAILED' if error else 'COMPLETE'}", error)
        return failures

    def _plan(self, stack: Stack, name: str) -> Change | None:
        """Return what has to be done to a resource, None for nothing."""
        assert stack.template
        definition, before = stack.template.resources[name], stack.resources.get(name)
        properties = resolve(definition.get("Properties", {}), lambda *key: self._look_up(stack, *key))
        if before and before.type == definition["Type"] and before.properties == properties:
            before.definition = definition
            return None
        after = Resource(name, definition["Type"], properties, definition)
        if before is None:
            return Change(None, after)
        if before.type != after.type or is_replaced(after.type, before.properties, properties):
            return Change(before, after, is_replacement=True)
        after.id, after.attributes = before.id, dict(before.attributes)
        return Change(before, after)

    def _look_up(self, stack: Stack, name: str, attribute: str | None) -> Any:
        if name.startswith("AWS::"):
            return self._pseudo_parameter(stack, name.removeprefix("AWS::"))
        resource = stack.resources[name]
        if attribute is None:
            return resource.id
        if attribute in resource.attributes:
            return resource.attributes[attribute]
        raise AwsError(
            "ValidationError",
            f"Requested attribute {attribute} must be a readonly property in schema for {resource.type}",
        )

    def _pseudo_parameter(self, stack: Stack, name: str) -> str:
        assert name in PSEUDO_PARAMETERS, name
        values = {
            "Partition": "aws",
            "Region": self.account.region,
            "AccountId": self.account.id,
            "URLSuffix": "amazonaws.com",
            "StackName": stack.name,
            "StackId": stack.id,
        }
        return values[name]

    def _perform(self, stack: Stack, action: str, resource: Resource, before: dict[str, Any]) -> str:
        """Let the handler of a resource act and return the reason if it fails."""
        if reasons := self.failures.get((resource.name, action)):
            return reasons.pop(0)
        each = handler(resource.type)
        if permission := self.account.missing_permission(resource.type, action.lower(), resource.properties):
            return (
                f'Resource handler returned message: "User is not authorized to perform: {permission}" '
                f"(RequestToken: {self.account.token(32)}, HandlerErrorCode: AccessDenied)"
            )
        try:
            if action == "CREATE":
                each.create(self.account, resource)
            elif action == "UPDATE":
                each.update(self.account, resource, before)
            else:
                each.delete(self.account, resource)
        except AwsError as error:
            service = resource.type.split("::")[1]
            code = {404: "NotFound", 409: "ResourceConflict"}.get(error.status, "InvalidRequest")
            if "Exist" in error.code:
                code = "AlreadyExists"
            return (
                f'Resource handler returned message: "{error.message} (Service: {service}, '
                f'Status Code: {error.status}, Request ID: {self.account.token(32)})" '
                f"(RequestToken: {self.account.token(32)}, HandlerErrorCode: {code})"
            )
        return ""

    def _delete_all(self, stack: Stack, resources: dict[str, Resource]) -> Generator[float, None, list[str]]:
        """Delete resources, those that others need last; return the logical ids of those that are left."""
        failures: list[str] = []
        levels = stack.template.levels if stack.template else []
        for level in reversed(levels):
            names = [name for name in level if name in resources]
            for name in names:
                self._resource_event(stack, resources[name], "DELETE_IN_PROGRESS")
            if names:
                yield self.account.behaviour.step_s
            failures += [name for name in names if not self._delete(stack, resources[name])]
            if failures:
                break
        deleted = [name for name, each in resources.items() if each.status == "DELETE_COMPLETE"]
        return [name for name in resources if name not in deleted]

    def _clean_up(self, stack: Stack, resources: list[Resource]) -> Steps:
        """Delete what is not needed any more; a failure is only an event."""
        for resource in resources:
            self._resource_event(stack, resource, "DELETE_IN_PROGRESS")
            self._delete(stack, resource)
        if resources:
            yield self.account.behaviour.step_s

    def _delete(self, stack: Stack, resource: Resource) -> bool:
        if resource.definition.get("DeletionPolicy") == "Retain":
            self._resource_event(stack, resource, "DELETE_SKIPPED")
            return True
        error = self._perform(stack, "DELETE", resource, {})
        self._resource_event(stack, resource, "DELETE_FAILED" if error else "DELETE_COMPLETE", error)
        return not error

    def _finish(self, stack: Stack, status: str) -> Steps:
        assert stack.template
        outputs = stack.template.body.get("Outputs", {})
        stack.outputs = {
            name: {
                "OutputKey": name,
                "OutputValue": self._output(stack, output["Value"]),
                "Description": output.get("Description", ""),
            }
            for name, output in outputs.items()
        }
        stack.changes = []
        self.set_status(stack, status)
        return
        yield

    def _output(self, stack: Stack, value: Any) -> str:
        text = str(resolve(value, lambda *key: self._look_up(stack, *key)))
        if self.account.api_url:
            text = API_HOST.sub(rf"{self.account.api_url}/\2/\1", text)
        return text

    def _alarm(self, stack: Stack) -> str:
        for arn in stack.triggers:
            alarm = self.account.metrics.find(arn)
            if alarm and alarm.state == "ALARM":
                return f"Rollback trigger {arn} is in ALARM state. Rollback requested by user."
        return ""

    def _resource_event(self, stack: Stack, resource: Resource, status: str, reason: str = "") -> None:
        resource.status, resource.changed_at = status, self.account.clock.now
        self._add_event(stack, resource.name, resource.id, resource.type, status, reason)

    def _add_event(self, stack: Stack, name: str, id: str, kind: str, status: str, reason: str) -> None:
        stack.events.append(
            {
                "StackId": stack.id,
                "StackName": stack.name,
                "EventId": f"{name}-{status}-{len(stack.events)}",
                "LogicalResourceId": name,
                "PhysicalResourceId": id,
                "ResourceType": kind,
                "Timestamp": self.account.clock.now,
                "ResourceStatus": status,
                **({"ResourceStatusReason": reason} if reason else {}),
                **({"ClientRequestToken": stack.token} if stack.token else {}),
            }
        )


def _failed(verb: str, names: list[str]) -> str:
    return f"The following resource(s) failed to {verb}: [{', '.join(names)}]. " if names else ""
