"""`shutterless deploy`, `promote`, `rollback` and `destroy`: a bundle on AWS."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from shutterless.cli import deploy_options as option
from shutterless.cli.aws_options import (
    Config,
    Env,
    Name,
    Profile,
    Region,
    find_environment,
    find_origins,
    find_place,
)
from shutterless.cli.console import print_result, say, warn
from shutterless.cli.deployment import progress_at_aws, show_comparison, show_deployment
from shutterless.cli.options import AsJson, parse_tags
from shutterless.cli.plan import show_plan
from shutterless.cli.policy import show_policy
from shutterless.errors import DeployError, InputError

if TYPE_CHECKING:
    from shutterless.deploy import Deployment, LiveRelease, OptionChanges
    from shutterless.deploy.option_values import Auth, Front, Package, Page, Platform
    from shutterless.deploy.template.types import Template
    from shutterless.runtime.settings import Records, Urls


def deploy(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="A bundle; not with --from.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The deployment's name.  [default: that of --env]")
    ] = None,
    env: Env = None,
    from_env: option.FromEnv = None,
    config: Config = None,
    region: Region = None,
    profile: Profile = None,
    plan: option.Plan = False,
    policy: option.Policy = False,
    template: option.TemplateFile = None,
    canary: option.Canary = None,
    canary_minutes: option.CanaryMinutes = None,
    canary_ignore_answers: option.CanaryIgnoreAnswers = False,
    rebuild: option.Rebuild = False,
    front: option.Front = None,
    stage: option.Stage = None,
    memory: option.Memory = None,
    timeout: option.Timeout = None,
    platform: option.Platform = None,
    package: option.Package = None,
    base_image: option.BaseImage = None,
    auth: option.Auth = None,
    page: option.Page = None,
    urls: option.Urls = None,
    url_hosts: option.UrlHosts = None,
    records: option.Records = None,
    keep_photos: option.KeepPhotos = None,
    rate: option.Rate = None,
    burst: option.Burst = None,
    quota: option.Quota = None,
    reserved_concurrency: option.ReservedConcurrency = None,
    provisioned_concurrency: option.ProvisionedConcurrency = None,
    snapstart: option.Snapstart = None,
    log_days: option.LogDays = None,
    alarm_errors: option.AlarmErrors = None,
    alarm_p95_ms: option.AlarmP95Ms = None,
    alarm_topic: option.AlarmTopic = None,
    alarm_email: option.AlarmEmail = None,
    budget: option.Budget = None,
    tags: option.Tags = None,
    permissions_boundary: option.PermissionsBoundary = None,
    role_path: option.RolePath = None,
    log_kms_key: option.LogKmsKey = None,
    image_kms_key: option.ImageKmsKey = None,
    subnets: option.Subnets = None,
    security_groups: option.SecurityGroups = None,
    domain: option.Domain = None,
    certificate: option.Certificate = None,
    hosted_zone: option.HostedZone = None,
    photo: option.Photo = None,
    smoke_test: option.SmokeTest = True,
    as_json: AsJson = False,
) -> None:
    """Deploy a bundle to AWS Lambda, behind API Gateway or a function URL.

    Options that you leave out stay as they are deployed. --env takes options from shutterless.toml; those
    on the command line win. Ctrl-C doesn't stop AWS; run the same command to continue.

    \b
    Examples:
      shutterless deploy bundle --name clothes --region eu-central-1 --plan
      shutterless deploy bundle --name clothes --region eu-central-1
      shutterless deploy bundle --name clothes --region eu-central-1 --canary 10%
      shutterless deploy bundle --name clothes --front url --auth iam
      shutterless deploy bundle --env prod
      shutterless deploy --from dev --env prod
      shutterless deploy --policy --name clothes
    """
    if canary == 1:
        raise typer.BadParameter("a canary of 100% is a normal deploy", param_hint="--canary")
    from shutterless.deploy import deployer
    from shutterless.deploy.target import CANARY_MINUTES

    environment = find_environment(env, config)
    options: OptionChanges = {
        "front": cast("Front | None", front),
        "stage": stage,
        "memory": memory,
        "timeout": timeout,
        "platform": cast("Platform | None", platform),
        "package": cast("Package | None", package),
        "base_image": base_image,
        "auth": cast("Auth | None", auth),
        "page": cast("Page | None", page),
        "urls": cast("Urls | None", urls),
        "url_hosts": url_hosts,
        "records": cast("Records | None", records),
        "keep_photos": keep_photos,
        "rate": rate,
        "burst": burst,
        "quota": quota,
        "reserved_concurrency": reserved_concurrency,
        "provisioned_concurrency": provisioned_concurrency,
        "snapstart": snapstart,
        "log_days": log_days,
        "alarm_errors": alarm_errors,
        "alarm_p95_ms": alarm_p95_ms,
        "alarm_topic": alarm_topic,
        "alarm_email": alarm_email,
        "budget": budget,
        "tags": parse_tags(tags),
        "permissions_boundary": permissions_boundary,
        "role_path": role_path,
        "log_kms_key": log_kms_key,
        "image_kms_key": image_kms_key,
        "subnets": subnets,
        "security_groups": security_groups,
        "domain": domain,
        "certificate": certificate,
        "hosted_zone": hosted_zone,
    }
    arguments = {"name": name, "region": region, "profile": profile, "canary": canary}
    origins = find_origins(environment, {**arguments, "canary_minutes": canary_minutes, **options})
    if environment:
        canary = environment.canary if canary is None else canary
        canary_minutes = environment.canary_minutes if canary_minutes is None else canary_minutes
        changes = {key: value for key, value in options.items() if value is not None}
        options = cast("OptionChanges", {**environment.options, **changes})
    if policy:
        show_policy(options, name, region, profile, environment)
        return
    name, region, profile = find_place(name, region, profile, environment)
    canary = canary or 0
    canary_minutes = CANARY_MINUTES if canary_minutes is None else canary_minutes
    contents = _find_contents(bundle, from_env, config)
    if plan:
        deploy_plan = deployer.plan(
            contents,
            name,
            profile=profile,
            region=region,
            canary=canary,
            canary_minutes=canary_minutes,
            rebuild=rebuild,
            **options,
        )
        _write_template(deploy_plan.template, template)
        show_plan(deploy_plan, contents, origins, as_json)
        return
    with progress_at_aws() as progress:
        deployment = deployer.deploy(
            contents,
            name,
            profile=profile,
            region=region,
            canary=canary,
            canary_minutes=canary_minutes,
            canary_ignore_answers=canary_ignore_answers,
            rebuild=rebuild,
            photo=photo,
            smoke_test=smoke_test,
            progress=progress,
            **options,
        )
    for warning in deployment.warnings:
        warn(warning)
    _write_template(deployment.template, template)
    if smoke_test and deployment.changed:
        _smoke_test(deployment, photo, profile, region)
    show_comparison(deployment)
    show_deployment(deployment, as_json)


def _find_contents(bundle: Path | None, from_env: str | None, config: Path | None) -> "Path | LiveRelease":
    """Return what to deploy: a bundle's folder, or the release that is live in an environment."""
    from shutterless.deploy import read_live_release

    if not from_env:
        if bundle is None:
            raise typer.BadParameter("give a bundle, or --from ENV", param_hint="BUNDLE")
        return bundle
    if bundle:
        raise typer.BadParameter("give either a bundle or --from", param_hint="--from")
    name, region, profile = find_place(None, None, None, find_environment(from_env, config))
    return read_live_release(name, region=region, profile=profile)


def promote(
    name: Name = None,
    env: Env = None,
    config: Config = None,
    region: Region = None,
    profile: Profile = None,
    smoke_test: Annotated[
        bool,
        typer.Option("--smoke-test/--no-smoke-test", help="Send a photo to it before it gets all calls."),
    ] = True,
) -> None:
    """Give all calls to a canary's new version.

    Example: shutterless promote clothes
    """
    from shutterless.deploy.releases import traffic

    name, region, profile = find_place(name, region, profile, find_environment(env, config))
    with progress_at_aws(f"shutterless status {name} shows what is live") as progress:
        deployment = traffic.promote(
            name, smoke_test=smoke_test, profile=profile, region=region, progress=progress
        )
    show_comparison(deployment)
    print_result(f"{deployment.model} gets all calls now.")


def rollback(
    name: Name = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="RELEASE",
            help="Return to this release: a version's number, a model, or the start of its code's digest.",
        ),
    ] = None,
    env: Env = None,
    config: Config = None,
    region: Region = None,
    profile: Profile = None,
    smoke_test: Annotated[
        bool,
        typer.Option(
            "--smoke-test/--no-smoke-test", help="Send a photo to that version before it gets any calls."
        ),
    ] = True,
) -> None:
    """Go back: cancel a deploy, end a canary, or return to the previous version.

    It goes back once, however often you run it. Use --to to go further.

    \b
    Examples:
      shutterless rollback clothes
      shutterless rollback clothes --to 3
    """
    from shutterless.deploy.releases import traffic

    name, region, profile = find_place(name, region, profile, find_environment(env, config))
    with progress_at_aws("run the same command to continue") as progress:
        deployment = traffic.rollback(
            name, to=to, smoke_test=smoke_test, profile=profile, region=region, progress=progress
        )
    if deployment.changed:
        print_result(f"{deployment.model} gets all calls now.")
    else:
        print_result(f"Nothing to roll back: {deployment.model} gets all calls already.")
        print_result(f"To go further back: shutterless releases {name}, then rollback {name} --to VERSION")


def destroy(
    name: Name = None,
    env: Env = None,
    config: Config = None,
    region: Region = None,
    profile: Profile = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove everything of a deployment from AWS.

    That is the function with its versions, API and key, alarms, log, and zips or images. They are listed
    first, and you are asked to confirm.

    Example: shutterless destroy clothes
    """
    from shutterless.deploy import removal

    name, region, profile = find_place(name, region, profile, find_environment(env, config))
    resources = removal.list_resources(name, profile=profile, region=region)
    if not resources:
        say(f"There is nothing of {name} in this region.")
        return
    for resource in resources:
        say(f"  {resource}")
    if not yes and not _confirm(f"Remove all of this permanently, with the log and all code of {name}?"):
        say("Nothing was removed.")
        return
    with progress_at_aws() as progress:
        removal.destroy(name, profile=profile, region=region, progress=progress)
    if leftovers := removal.list_resources(name, profile=profile, region=region):
        raise DeployError(
            "resources-left",
            f"AWS still has of {name}: {', '.join(leftovers)}",
            "Run the same command again.",
        )
    print_result(f"{name} is removed; AWS has nothing left of it.")


def _write_template(template: "Template", file: Path | None) -> None:
    from shutterless.deploy.template.template import write_template

    if file:
        write_template(template, file)


def _confirm(question: str) -> bool:
    """Ask a question; raises `ShutterlessError` if there is nobody to answer it."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as error:
        say("")  # below the question
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise InputError(
            "not-confirmed",
            "There was no answer, so nothing was removed",
            "Use --yes to remove it without a question.",
        ) from error


def _smoke_test(
    deployment: "Deployment", photo: Path | None, profile: str | None, region: str | None
) -> None:
    from shutterless.deploy.aws.session import connect
    from shutterless.deploy.smoke import smoke_test

    answer = smoke_test(connect(profile, region), deployment, photo)
    say(f"Tested with {photo or 'a drawn photo'}: {answer['label']}, {answer['confidence']:.0%}.")
