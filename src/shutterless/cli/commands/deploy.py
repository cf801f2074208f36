"""`shutterless deploy`, `promote`, `rollback` and `destroy`: a bundle to AWS, and the way back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.aws_options import Profile, Region
from shutterless.cli.console import print_json, progress_bar, result, say
from shutterless.cli.options import share
from shutterless.cli.plan import show_plan
from shutterless.errors import DeployError, InputError
from shutterless.utils.progress import Progress

if TYPE_CHECKING:
    from shutterless.deploy.deployer import Deployment

Name = Annotated[str, typer.Argument(metavar="NAME", help="The deployment's name.")]


def deploy(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What the deployment is called.")],
    region: Region = None,
    profile: Profile = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would change and cost; change nothing.")
    ] = False,
    template: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the CloudFormation template to this file.")
    ] = None,
    canary: Annotated[
        float,
        typer.Option(
            parser=share,
            metavar="PERCENT",
            show_default=False,
            help="Give the new version this share of the calls first.  [default: 0%]",
        ),
    ] = 0,
    canary_minutes: Annotated[
        int,
        typer.Option(
            metavar="MINUTES",
            help="Minutes in which an alarm turns a canary back; 0 leaves it until promote.",
        ),
    ] = 10,
    stage: Annotated[
        str | None, typer.Option(metavar="NAME", help="The API's stage.  [default: prod]")
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(
            metavar="MB", help="MB; billed by GB-seconds, and CPU grows with it.  [default: 1769, one CPU]"
        ),
    ] = None,
    timeout: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="Seconds; the API waits no longer than 29.  [default: 28]"),
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="linux/amd64, or linux/arm64, a fifth cheaper.  [default: linux/amd64]"
        ),
    ] = None,
    base_image: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the image is built on.")
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Who may call /predict: api-key, none (anyone), iam.  [default: api-key]"
        ),
    ] = None,
    urls: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Fetch pictures from public addresses, any, or off.  [default: public]"
        ),
    ] = None,
    url_hosts: Annotated[
        str | None,
        typer.Option(metavar="HOSTS", help="The only hosts to fetch pictures from, separated by commas."),
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(metavar="N", help="Requests per second that the API lets through.  [default: 10]"),
    ] = None,
    burst: Annotated[int | None, typer.Option(metavar="N", help="Requests at once.  [default: 20]")] = None,
    quota: Annotated[
        int | None,
        typer.Option(metavar="N", help="Monthly request quota per key; 0 for unlimited.  [default: 100000]"),
    ] = None,
    reserved_concurrency: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="The most calls at once, kept free for them; costs nothing.  [default: 0, none]"
        ),
    ] = None,
    provisioned_concurrency: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Instances kept warm; each is billed all the time.  [default: 0, none]"
        ),
    ] = None,
    snapstart: Annotated[
        bool | None,
        typer.Option(
            "--snapstart/--no-snapstart",
            help="Start from a snapshot; each kept version's is billed, and each start.",
        ),
    ] = None,
    log_days: Annotated[
        int | None, typer.Option(metavar="DAYS", help="Days that logs are kept, billed by GB.  [default: 30]")
    ] = None,
    alarm_errors: Annotated[
        int | None, typer.Option(metavar="N", help="Alarm at so many failed calls in a minute.  [default: 1]")
    ] = None,
    alarm_p95_ms: Annotated[
        int | None,
        typer.Option(metavar="MS", help="Alarm when 5 % of the calls take longer.  [default: 5000]"),
    ] = None,
    alarm_topic: Annotated[
        str | None, typer.Option(metavar="ARN", help="ARN of the SNS topic that alarms are sent to.")
    ] = None,
    photo: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="The photo to try the API with.  [default: a drawn one]",
        ),
    ] = None,
    smoke_test: Annotated[
        bool, typer.Option("--smoke-test/--no-smoke-test", help="Try the API after the deploy.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Deploy a bundle to AWS Lambda and API Gateway.

    An option left out stays as it is deployed. Ctrl-C stops nothing at AWS; the same command goes on.

    \b
    Examples:
      shutterless deploy bundle --name clothes --region eu-central-1 --plan
      shutterless deploy bundle --name clothes --region eu-central-1
      shutterless deploy bundle --name clothes --region eu-central-1 --canary 10%
    """
    given = locals()
    if canary == 1:
        raise typer.BadParameter("a canary of 100% is a plain deploy", param_hint="--canary")
    from shutterless.deploy import deployer
    from shutterless.deploy.options import Options
    from shutterless.deploy.template.template import write_template

    chosen = {field.name: given[field.name] for field in fields(Options)}
    asked = {**chosen, "profile": profile, "region": region, "canary": canary}
    if plan:
        planned = deployer.plan(bundle, name, **asked)
        if template:
            write_template(planned.template, template)
        show_plan(planned, bundle, as_json)
        return
    with _at_aws() as progress:
        done = deployer.deploy(bundle, name, canary_minutes=canary_minutes, progress=progress, **asked)
    if template:
        write_template(done.template, template)
    if smoke_test and done.changed:
        _try(done, photo, profile, region)
    _show_deployment(done, as_json)


def promote(name: Name, region: Region = None, profile: Profile = None) -> None:
    """Give a canary's new version all calls.

    Example: shutterless promote clothes
    """
    from shutterless.deploy import deployer

    with _at_aws(f"shutterless status {name} shows what is live") as progress:
        done = deployer.promote(name, profile=profile, region=region, progress=progress)
    result(f"{done.model} gets all calls now.")


def rollback(name: Name, region: Region = None, profile: Profile = None) -> None:
    """Go back: end a canary, or make the version before live again.

    Example: shutterless rollback clothes
    """
    from shutterless.deploy import deployer

    with _at_aws(f"shutterless status {name} shows what is live") as progress:
        done = deployer.rollback(name, profile=profile, region=region, progress=progress)
    result(f"{done.model} gets all calls now.")


def destroy(
    name: Name,
    region: Region = None,
    profile: Profile = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove all of a deployment from AWS.

    Function and versions, API and key, alarms, log and images; it shows them and asks first.

    Example: shutterless destroy clothes
    """
    from shutterless.deploy import deployer

    where = {"profile": profile, "region": region}
    there = deployer.inventory(name, **where)
    if not there:
        say(f"There is nothing of {name} in this region.")
        return
    for line in there:
        say(f"  {line}")
    if not yes and not _agrees(f"Remove all of this for good, the log and every image of {name}?"):
        say("Nothing was removed.")
        return
    with _at_aws() as progress:
        deployer.destroy(name, progress=progress, **where)
    if left := deployer.inventory(name, **where):
        raise DeployError(
            "resources-left", f"Left of {name} in AWS: {', '.join(left)}", "Run the same command again."
        )
    result(f"Left of {name} in AWS: nothing.")


def _agrees(question: str) -> bool:
    """Ask; raises `ShutterlessError` if nobody can answer."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as stopped:
        say("")  # below the question
        if isinstance(stopped.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from stopped
        raise InputError(
            "not-confirmed",
            "Nobody answered, so nothing was removed",
            "Give --yes to have it removed unasked.",
        ) from stopped


@contextmanager
def _at_aws(next_step: str = "the same command goes on from there") -> Iterator[Progress]:
    """Show progress, and at Ctrl-C say that it does not stop AWS, and what to do next."""
    try:
        with progress_bar() as progress:
            yield progress
    except KeyboardInterrupt:
        say(f"AWS finishes what it has begun; {next_step}.")
        raise


def _try(deployed: "Deployment", photo: Path | None, profile: str | None, region: str | None) -> None:
    from shutterless.deploy.aws.session import connect
    from shutterless.deploy.smoke import smoke_test

    answer = smoke_test(connect(profile, region), deployed, photo)
    say(f"Tried with {photo or 'a drawn photo'}: {answer['label']}, {answer['confidence']:.0%}.")


def _show_deployment(deployed: "Deployment", as_json: bool) -> None:
    if as_json:
        print_json({key: value for key, value in asdict(deployed).items() if key != "template"})
        return
    if not deployed.changed:
        result(f"Nothing has changed: {deployed.model} is deployed already.")
    elif deployed.canary:
        result(
            f"{deployed.canary_model} gets {deployed.canary:.0%} of the calls, {deployed.model} the others."
        )
        result(f"Next: shutterless promote {deployed.name}, or back: shutterless rollback {deployed.name}")
    else:
        result(f"Deployed: {deployed.model}")
    result(f"Page: {deployed.url}/")
    result(f"API:  {deployed.url}/predict")
    if deployed.key_id:
        result(f"Key:  shutterless status {deployed.name} --show-key")
    picture = "-H 'Content-Type: image/jpeg' --data-binary @photo.jpg"
    result(f"  curl{_proof(deployed)} {picture} {deployed.url}/predict")


def _proof(deployed: "Deployment") -> str:
    """Return the options of curl that show who is calling."""
    if deployed.auth == "iam":
        region = deployed.url.split(".")[2]
        keys = "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"
        return f' --aws-sigv4 aws:amz:{region}:execute-api --user "{keys}"'
    return ' -H "x-api-key: $KEY"' if deployed.key_id else ""
