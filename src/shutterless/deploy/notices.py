"""What the owner of a deployment has to do, or should know, about options that have just been set."""

from shutterless.deploy.options import Options


def describe_duties(before: Options | None, after: Options) -> tuple[str, ...]:
    """Return what options that differ from the deployed ones ask of the owner, one line each.

    Args:
        before: The options that are deployed, None if nothing is.
        after: The options to deploy with.
    """
    before, lines = before or Options(), []
    if after.alarm_email and after.alarm_email != before.alarm_email:
        lines.append(
            f"AWS sends a mail to {after.alarm_email}: no alarm is mailed until the link in it is clicked."
        )
    if after.budget and not before.budget:
        lines.append(
            "The budget counts nothing until the tag shutterless is activated as a cost allocation tag."
        )
    if after.subnets and not before.subnets:
        lines.append("A function in a VPC takes AWS 20 minutes and more to delete.")
        if after.urls != "off":
            lines.append("It needs a NAT gateway to fetch photos from URLs; without one, use --urls off.")
    if after.log_kms_key and after.log_kms_key != before.log_kms_key:
        lines.append("The policy of the log's key must allow CloudWatch Logs to use it: see docs/aws.md.")
    if after.domain != before.domain and after.domain and not after.hosted_zone:
        lines.append(
            f"{after.domain} needs a DNS record: a CNAME to the DomainTarget, which deploy then shows."
        )
    return tuple(lines)
