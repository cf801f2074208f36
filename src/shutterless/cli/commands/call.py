"""`shutterless call`: classify pictures with an API."""

from typing import Annotated

import typer

from shutterless.cli.answers import Output, Top, read_pictures, show_answers
from shutterless.cli.aws_options import Config, Env, Profile, Region, find_environment, find_place
from shutterless.cli.console import progress_bar, say
from shutterless.cli.options import AsJson, refuse_both


def call(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="URL PICTURES",
            help="An API (its root, its stage, or …/predict), not with --env; then files, folders or URLs; "
            "- reads a list from standard input.",
        ),
    ],
    output: Output = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="SHUTTERLESS_API_KEY", metavar="KEY", help="The API's key.", show_default=False),
    ] = None,
    top: Top = 3,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="How long to wait for an answer.")
    ] = 60,
    env: Env = None,
    config: Config = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Classify pictures with an API, local or deployed.

    Files and folders, at any depth, are uploaded; URLs are fetched by the API. Four pictures are sent at a
    time. Set SHUTTERLESS_API_KEY to keep the key out of the shell's history. With -o, the same command
    continues where it stopped. With --env, the address and the key are looked up at AWS.

    \b
    Examples:
      shutterless call http://127.0.0.1:8080 photo.jpg
      shutterless call https://ID.execute-api.REGION.amazonaws.com/prod photos/
      shutterless call http://127.0.0.1:8080 photos/ -o answers.jsonl
      shutterless call --env prod photo.jpg
    """
    from shutterless.client import call_many

    refuse_both(output, "--output", as_json, "--json")
    if environment := find_environment(env, config):
        from shutterless.deploy.endpoint import read_endpoint

        name, region, profile = find_place(None, region, profile, environment)
        endpoint = read_endpoint(name, profile=profile, region=region)
        url, pictures, api_key = endpoint.url, targets, api_key or endpoint.key
    else:
        url, *pictures = targets
        if not pictures:
            raise typer.BadParameter("give a URL and at least one picture", param_hint="PICTURES")
    with progress_bar() as progress:
        answers = call_many(
            url, read_pictures(pictures), api_key, timeout, output=output, progress=progress, on_note=say
        )
        all_readable = show_answers(answers, output=output, top=top, as_json=as_json)
    if not all_readable:
        raise typer.Exit(1)
