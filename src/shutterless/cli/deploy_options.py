"""The options of `shutterless deploy`; `Options` checks the values of those that describe a deployment."""

from pathlib import Path
from typing import Annotated

import typer

from shutterless.cli.options import share

FromEnv = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="ENV", help="Deploy the zip or image that is live in this environment, unchanged."
    ),
]

Plan = Annotated[
    bool, typer.Option("--plan", help="Show what would change and what it would cost. Changes nothing.")
]

TemplateFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the CloudFormation template to this file.")
]

Canary = Annotated[
    float | None,
    typer.Option(
        parser=share,
        metavar="PERCENT",
        show_default=False,
        help="Give the new version this share of the calls first.  [default: 0%]",
    ),
]

CanaryMinutes = Annotated[
    int | None,
    typer.Option(
        metavar="MINUTES",
        help="Watch the canary for so many minutes, then promote it or roll it back; "
        "0 leaves that to you.  [default: 10]",
    ),
]

CanaryIgnoreAnswers = Annotated[
    bool,
    typer.Option(
        "--canary-ignore-answers",
        help="Judge the canary by its errors only: the new model is meant to answer differently.",
    ),
]

Rebuild = Annotated[
    bool,
    typer.Option(
        "--rebuild", help="Build the zip or image even if nothing that it is made from has changed."
    ),
]

Photo = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Photo for the smoke tests.  [default: a drawn one]",
    ),
]

SmokeTest = Annotated[
    bool,
    typer.Option(
        "--smoke-test/--no-smoke-test",
        help="Send a photo to the new version before it gets any calls, and to the API at the end.",
    ),
]

Policy = Annotated[
    bool,
    typer.Option(
        "--policy", help="Print the IAM policy needed to deploy with these options. Changes nothing."
    ),
]

Front = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What receives the requests: rest (API Gateway), or url (the function's own URL, cheaper, "
        "without keys and limits).  [default: rest]",
    ),
]

Stage = Annotated[str | None, typer.Option(metavar="NAME", help="The API's stage.  [default: prod]")]

Memory = Annotated[
    int | None,
    typer.Option(metavar="MB", help="Memory in MB. CPU and price grow with it.  [default: 1769, one CPU]"),
]

Timeout = Annotated[
    int | None,
    typer.Option(
        metavar="SECONDS",
        help="Seconds until the function gives up; with API Gateway at most 28.  [default: 28]",
    ),
]

Platform = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="linux/amd64, or linux/arm64 (20 % cheaper).  [default: linux/amd64]"),
]

Package = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What the function is deployed as: zip (no Docker), or image; only on the first deploy.  "
        "[default: zip, if it fits]",
    ),
]

BaseImage = Annotated[
    str | None, typer.Option(metavar="NAME", help="The image to build on; makes the package an image.")
]

Auth = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Who may call /predict: api-key, none (anyone), iam.  [default: api-key]"
    ),
]

Page = Annotated[
    str | None, typer.Option(metavar="NAME", help="Whether to show the web page: on, off.  [default: on]")
]

Urls = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Addresses that pictures may be fetched from: public, any, off.  [default: public]",
    ),
]

UrlHosts = Annotated[
    str | None,
    typer.Option(
        metavar="HOSTS", help="The only hosts that pictures may be fetched from, separated by commas."
    ),
]

Records = Annotated[
    str | None,
    typer.Option(
        metavar="on|off",
        help="Add a record of each picture to the log, with its scores and embedding.  [default: off]",
    ),
]

KeepPhotos = Annotated[
    str | None,
    typer.Option(
        metavar="WHICH",
        help="Photos that the records keep, small: off, refused (not accepted), sample:SHARE, or both: "
        "refused,sample:0.01.  [default: off]",
    ),
]

Rate = Annotated[
    int | None,
    typer.Option(metavar="N", help="Requests per second that the API accepts.  [default: 10]"),
]

Burst = Annotated[
    int | None, typer.Option(metavar="N", help="Requests at once that the API accepts.  [default: 20]")
]

Quota = Annotated[
    int | None,
    typer.Option(metavar="N", help="Monthly request quota per key; 0 for unlimited.  [default: 100000]"),
]

ReservedConcurrency = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Limit of calls at once, reserved for this function; free.  [default: 0, none]"
    ),
]

ProvisionedConcurrency = Annotated[
    int | None,
    typer.Option(metavar="N", help="Instances kept warm, each billed all the time.  [default: 0, none]"),
]

Snapstart = Annotated[
    bool | None,
    typer.Option(
        "--snapstart/--no-snapstart",
        help="Start from a snapshot. AWS bills each version's snapshot and each start.",
    ),
]

LogDays = Annotated[
    int | None, typer.Option(metavar="DAYS", help="Days to keep logs, billed by GB.  [default: 30]")
]

AlarmErrors = Annotated[
    int | None,
    typer.Option(metavar="N", help="Failed calls within a minute that set off an alarm.  [default: 1]"),
]

AlarmP95Ms = Annotated[
    int | None,
    typer.Option(
        metavar="MS", help="95th percentile of the duration that sets off an alarm.  [default: 5000]"
    ),
]

AlarmTopic = Annotated[
    str | None, typer.Option(metavar="ARN", help="ARN of the SNS topic to send alarms to.")
]

AlarmEmail = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Mail alarms to this address. Its owner has to confirm it by mail."),
]

Budget = Annotated[
    int | None,
    typer.Option(
        metavar="USD", help="Mail the --alarm-email if a month costs more than this.  [default: 0, none]"
    ),
]

Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        metavar="KEY=VALUE",
        help="Tag everything with this; repeatable. It replaces the deployed tags; '' removes them.",
    ),
]

PermissionsBoundary = Annotated[
    str | None, typer.Option(metavar="ARN", help="ARN of the policy that limits the function's role.")
]

RolePath = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="IAM path of the function's role; only on the first deploy."),
]

LogKmsKey = Annotated[
    str | None, typer.Option(metavar="ARN", help="ARN of the KMS key that encrypts the log.")
]

ImageKmsKey = Annotated[
    str | None,
    typer.Option(
        metavar="ARN", help="ARN of the KMS key that encrypts the images; only on the first deploy."
    ),
]

Subnets = Annotated[
    str | None, typer.Option(metavar="IDS", help="Subnets of the function's VPC, separated by commas.")
]

SecurityGroups = Annotated[
    str | None, typer.Option(metavar="IDS", help="Security groups in the VPC, separated by commas.")
]

Domain = Annotated[
    str | None, typer.Option(metavar="NAME", help="The API's own domain name; needs a --certificate.")
]

Certificate = Annotated[
    str | None, typer.Option(metavar="ARN", help="ARN of the domain's certificate, in the API's region.")
]

HostedZone = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Hosted zone in Route 53 in which to create the domain's record."),
]
