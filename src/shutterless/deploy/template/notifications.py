"""The template's notifications: alarms by e-mail, and a budget."""

from shutterless.deploy.option_values import TAG
from shutterless.deploy.options import Options
from shutterless.deploy.template.function import fingerprint
from shutterless.deploy.template.types import Resource
from shutterless.runtime.json_types import Json, JsonObject

# (what is compared with the budget, from which percentage of it a mail is sent)
BUDGET_WARNINGS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))


def notification_resources(name: str, function: str, options: Options) -> dict[str, Resource]:
    """Return the topic that mails alarms, and the budget, as far as the options want them.

    Args:
        name: The deployment's name, which the resources' tag has.
        function: The function's name.
        options: How it is deployed.
    """
    resources: dict[str, Resource] = {}
    if options.alarm_email:
        subscription: JsonObject = {
            "TopicArn": {"Ref": "AlarmTopic"},
            "Protocol": "email",
            "Endpoint": options.alarm_email,
        }
        resources["AlarmTopic"] = {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": f"{function}-alarms"},
        }
        resources["AlarmEmail"] = {"Type": "AWS::SNS::Subscription", "Properties": subscription}
    if options.budget:
        budget = _budget(name, function, options)
        resources["Budget"] = {"Type": "AWS::Budgets::Budget", "Properties": budget}
    return resources


def alarm_actions(options: Options) -> list[Json]:
    """Return what every alarm notifies: the user's topic, and the stack's own if there is an address."""
    topics: list[Json] = [options.alarm_topic] if options.alarm_topic else []
    return [*topics, {"Ref": "AlarmTopic"}] if options.alarm_email else topics


def _budget(name: str, function: str, options: Options) -> JsonObject:
    subscriber: JsonObject = {"SubscriptionType": "EMAIL", "Address": options.alarm_email}
    warnings: list[Json] = [
        {
            "Notification": {
                "NotificationType": kind,
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": percent,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": [subscriber],
        }
        for kind, percent in BUDGET_WARNINGS
    ]
    budget: JsonObject = {
        # Other warnings replace the budget, and the name of the old one would be taken.
        "BudgetName": f"{function}-{fingerprint(warnings)}",
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": options.budget, "Unit": "USD"},
        "CostFilters": {"TagKeyValue": [f"user:{TAG}${name}"]},
    }
    return {"Budget": budget, "NotificationsWithSubscribers": warnings}
