"""Change sets: what CloudFormation refuses at once, what it finds out later, and their execution."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.aws_as_it_is import schemas
from tests.aws_as_it_is.engine import Engine
from tests.aws_as_it_is.errors import AwsError
from tests.aws_as_it_is.pages import pairs
from tests.aws_as_it_is.resources import handler
from tests.aws_as_it_is.stacks import Stack, remember_previous
from tests.aws_as_it_is.templates import Template, parse_template

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account

NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
EARLY_VALIDATION = (
    "The following hook(s)/validation failed: [AWS::EarlyValidation::{}]. To troubleshoot Early Validation "
    "errors, use the DescribeEvents API for detailed failure information."
)
NEVER_UPDATED = (
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "DELETE_FAILED",
    "UPDATE_ROLLBACK_FAILED",
)


@dataclass
class ChangeSet:
    """A change set."""

    id: str
    name: str
    stack: Stack
    type: str
    template: Template
    text: str
    tags: dict[str, str]
    client_token: str
    triggers: list[str]
    monitoring_s: float
    created: Any
    ready_at: float
    changes: list[dict[str, Any]]
    reason: str = ""
    execution: str = "AVAILABLE"
    failures: tuple[dict[str, Any], ...] = ()


class StackStore:
    """The stacks and change sets of an account, by ARN."""

    def __init__(self, account: "Account") -> None:
        self.account = account
        self.engine = Engine(account)
        self.stacks: dict[str, Stack] = {}
        self.change_sets: dict[str, ChangeSet] = {}
        self.drifts: dict[str, tuple[str, float]] = {}

    def fail(self, name: str, action: str, reason: str, times: int = 1) -> None:
        """Make the next actions (`CREATE`, `UPDATE`, `DELETE`) of a resource fail."""
        self.engine.failures.setdefault((name, action), []).extend([reason] * times)

    def find(self, name: str) -> Stack:
        """Return the stack with this name or ARN; a deleted one has only its ARN."""
        if name in self.stacks:
            return self.stacks[name]
        for stack in self.stacks.values():
            if stack.name == name and stack.status != "DELETE_COMPLETE":
                return stack
        raise AwsError("ValidationError", f"Stack with id {name} does not exist")

    def _begin(self, stack: Stack, token: str) -> None:
        """Keep the description that the next reads may still give."""
        stack.stale = [self.description(stack)] * self.account.behaviour.stale_reads
        stack.stale_until = self.account.clock.time_s + self.account.behaviour.stale_s
        stack.token = token

    def description(self, stack: Stack) -> dict[str, Any]:
        """Return a stack as DescribeStacks does."""
        return {
            "StackName": stack.name,
            "StackId": stack.id,
            "CreationTime": stack.created,
            **({"LastUpdatedTime": stack.updated} if stack.updated else {}),
            **({"DeletionTime": self.account.clock.now} if stack.status == "DELETE_COMPLETE" else {}),
            "StackStatus": stack.status,
            **({"StackStatusReason": stack.reason} if stack.reason else {}),
            "DisableRollback": False,
            "Tags": pairs(stack.tags),
            "Outputs": list(stack.outputs.values()),
            "RollbackConfiguration": {
                "RollbackTriggers": [
                    {"Arn": arn, "Type": "AWS::CloudWatch::Alarm"} for arn in stack.triggers
                ],
                "MonitoringTimeInMinutes": round(stack.monitoring_s / 60),
            },
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }


class ChangeSets(StackStore):
    """CloudFormation's calls on change sets."""

    def create_change_set(
        self,
        StackName: str,
        ChangeSetName: str,
        TemplateBody: str,
        ChangeSetType: str = "UPDATE",
        Tags: list[dict[str, str]] | None = None,
        RollbackConfiguration: dict[str, Any] | None = None,
        ClientToken: str = "",
        **_: Any,
    ) -> dict[str, Any]:
        for each in self.change_sets.values():
            if ClientToken and (each.name, each.client_token) == (ChangeSetName, ClientToken):
                return {"Id": each.id, "StackId": each.stack.id}  # the same request again
        template = parse_template(TemplateBody)
        stack = self._stack_to_change(StackName, ChangeSetType, ChangeSetName)
        number = self.account.token(36)
        kind = self.account.arn("cloudformation", f"changeSet/{ChangeSetName}/{number}")
        triggers = [each["Arn"] for each in (RollbackConfiguration or {}).get("RollbackTriggers", [])]
        tags = {each["Key"]: each["Value"] for each in Tags or []}
        if stack.template is None and not self.account.behaviour.untagged_review:
            stack.tags = tags
        change_set = ChangeSet(
            id=kind,
            name=ChangeSetName,
            stack=stack,
            type=ChangeSetType,
            template=template,
            text=TemplateBody,
            tags=tags,
            client_token=ClientToken,
            triggers=triggers,
            monitoring_s=60.0 * (RollbackConfiguration or {}).get("MonitoringTimeInMinutes", 0),
            created=self.account.clock.now,
            ready_at=self.account.clock.time_s + self.account.behaviour.change_set_s,
            changes=list(_changes(stack, template)),
        )
        self._judge(change_set)
        self.change_sets[change_set.id] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    def _stack_to_change(self, name: str, kind: str, change_set: str) -> Stack:
        try:
            stack = self.find(name)
        except AwsError:
            if kind != "CREATE":
                raise AwsError("ValidationError", f"Stack [{name}] does not exist") from None
            arn = self.account.arn("cloudformation", f"stack/{name}/{self.account.token(36)}")
            stack = Stack(name, arn, self.account.clock.now)
            self.stacks[arn] = stack
            self.engine.set_status(stack, "REVIEW_IN_PROGRESS", "User Initiated")
            return stack
        if kind == "CREATE" and stack.status != "REVIEW_IN_PROGRESS":
            raise AwsError(
                "ValidationError",
                f"Stack [{name}] already exists and cannot be created again with the changeSet "
                f"[{change_set}].",
            )
        if kind == "UPDATE" and (stack.status.endswith("_IN_PROGRESS") or stack.status in NEVER_UPDATED):
            raise AwsError(
                "ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be updated."
            )
        names = [each.name for each in self.change_sets.values() if each.stack is stack]
        if change_set in names:
            raise AwsError("AlreadyExistsException", f"ChangeSet {change_set} already exists")
        return stack

    def _judge(self, change_set: ChangeSet) -> None:
        """Decide whether a change set can be executed."""
        stack, template = change_set.stack, change_set.template
        if self.account.behaviour.early_validation:
            for validation, kind, failures in (
                ("PropertyValidation", "PROPERTY_VALIDATION", list(_property_failures(template))),
                ("ResourceExistenceCheck", "NAME_CONFLICT_VALIDATION", list(self._conflicts(change_set))),
            ):
                if failures and not change_set.reason:
                    change_set.reason = EARLY_VALIDATION.format(validation)
                    change_set.failures = tuple({**each, "ValidationName": kind} for each in failures)
        has_changed = (
            change_set.changes
            or stack.template is None
            or stack.template.body.get("Outputs") != template.body.get("Outputs")
            or stack.tags != change_set.tags
            or (
                not self.account.behaviour.metadata_alone_is_no_change
                and stack.template.body.get("Metadata") != template.body.get("Metadata")
            )
        )
        if not change_set.reason and change_set.type == "UPDATE" and not has_changed:
            change_set.reason = NO_CHANGES
        if change_set.reason:
            change_set.execution = "UNAVAILABLE"

    def _conflicts(self, change_set: ChangeSet) -> Any:
        for name, resource in change_set.template.resources.items():
            if name not in change_set.stack.resources:
                kind, properties = resource["Type"], resource.get("Properties", {})
                literal = {key: value for key, value in properties.items() if isinstance(value, str)}
                if identifier := handler(kind).exists(self.account, literal):
                    reason = f"Resource of type '{kind}' with identifier '{identifier}' already exists."
                    yield _validation(name, kind, reason, f"/Resources/{name}")

    def _find_change_set(self, name: str, stack: str | None = None) -> ChangeSet:
        if name in self.change_sets:
            return self.change_sets[name]
        for change_set in self.change_sets.values():
            if stack and change_set.name == name and stack in (change_set.stack.name, change_set.stack.id):
                return change_set
        raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)

    def describe_change_set(
        self, ChangeSetName: str, StackName: str | None = None, **_: Any
    ) -> dict[str, Any]:
        change_set = self._find_change_set(ChangeSetName, StackName)
        is_ready = self.account.clock.time_s >= change_set.ready_at
        status = ("FAILED" if change_set.reason else "CREATE_COMPLETE") if is_ready else "CREATE_IN_PROGRESS"
        return {
            "ChangeSetName": change_set.name,
            "ChangeSetId": change_set.id,
            "StackId": change_set.stack.id,
            "StackName": change_set.stack.name,
            "CreationTime": change_set.created,
            "Status": status,
            "ExecutionStatus": change_set.execution if is_ready else "UNAVAILABLE",
            **({"StatusReason": change_set.reason} if is_ready and change_set.reason else {}),
            "Tags": pairs(change_set.tags),
            "RollbackConfiguration": {
                "RollbackTriggers": [
                    {"Arn": arn, "Type": "AWS::CloudWatch::Alarm"} for arn in change_set.triggers
                ],
                "MonitoringTimeInMinutes": round(change_set.monitoring_s / 60),
            },
            "Changes": [{"Type": "Resource", "ResourceChange": each} for each in change_set.changes],
        }

    def list_change_sets(self, StackName: str, **_: Any) -> dict[str, Any]:
        stack = self.find(StackName)
        names = ("ChangeSetId", "ChangeSetName", "StackId", "StackName", "Status", "ExecutionStatus",
                 "StatusReason", "CreationTime")  # fmt: skip
        summaries = []
        for change_set in self.change_sets.values():
            if change_set.stack is stack and change_set.execution not in ("OBSOLETE", "EXECUTE_COMPLETE"):
                description = self.describe_change_set(change_set.id)
                summaries.append({name: description[name] for name in names if name in description})
        return {"Summaries": summaries}

    def delete_change_set(self, ChangeSetName: str, StackName: str | None = None) -> dict[str, Any]:
        try:
            change_set = self._find_change_set(ChangeSetName, StackName)
        except AwsError:
            if ChangeSetName.startswith("arn:"):
                return {}  # by its ARN, a deleted one is no error
            raise
        if change_set.execution.startswith("EXECUTE"):
            raise AwsError(
                "InvalidChangeSetStatus",
                f"The changeset {change_set.id} cannot be deleted in status {change_set.execution}",
            )
        del self.change_sets[change_set.id]
        return {}

    def execute_change_set(
        self,
        ChangeSetName: str,
        StackName: str | None = None,
        ClientRequestToken: str = "",
        **_: Any,
    ) -> dict[str, Any]:
        change_set = self._find_change_set(ChangeSetName, StackName)
        stack = change_set.stack
        if (
            change_set.execution.startswith("EXECUTE")
            and ClientRequestToken
            and ClientRequestToken == stack.token
        ):
            return {}  # the same request again
        if change_set.execution != "AVAILABLE" or self.account.clock.time_s < change_set.ready_at:
            status = self.describe_change_set(change_set.id)["Status"]
            raise AwsError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be executed in its current execution status of "
                f"[{change_set.execution}] and status of [{status}]",
            )
        if change_set.type == "UPDATE":
            self._stack_to_change(stack.id, "UPDATE", "")
        self._begin(stack, ClientRequestToken)
        for other in self.change_sets.values():
            if other.stack is stack and other.execution in ("AVAILABLE", "UNAVAILABLE"):
                other.execution = "OBSOLETE"
        change_set.execution = "EXECUTE_COMPLETE"
        remember_previous(stack)
        stack.template, stack.text, stack.tags = change_set.template, change_set.text, dict(change_set.tags)
        stack.triggers, stack.monitoring_s = change_set.triggers, change_set.monitoring_s
        stack.updated = self.account.clock.now
        steps = self.engine.create if change_set.type == "CREATE" else self.engine.update
        self.engine.start(stack, steps(stack))
        return {}


def _changes(stack: Stack, template: Template) -> Any:
    old = stack.template.resources if stack.template else {}
    for name, resource in template.resources.items():
        if old.get(name) != resource:
            yield _change("Modify" if name in old else "Add", name, resource["Type"])
    for name, resource in old.items():
        if name not in template.resources:
            yield _change("Remove", name, resource["Type"])


def _change(action: str, name: str, kind: str) -> dict[str, Any]:
    return {"Action": action, "LogicalResourceId": name, "ResourceType": kind}


def _property_failures(template: Template) -> Any:
    for name, resource in template.resources.items():
        path = f"/Resources/{name}/Properties"
        try:
            for place, reason in schemas.violations(resource["Type"], resource.get("Properties", {})):
                yield _validation(name, resource["Type"], reason, path + place)
        except KeyError as error:
            raise AwsError(
                "ValidationError", f"Template format error: Unrecognized resource types: [{resource['Type']}]"
            ) from error


def _validation(name: str, kind: str, reason: str, path: str) -> dict[str, Any]:
    return {
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": name,
        "ResourceType": kind,
        "ValidationStatus": "FAILED",
        "ValidationFailureMode": "FAIL",
        "ValidationStatusReason": reason,
        "ValidationPath": path,
    }
