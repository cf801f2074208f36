"""`shutterless collect`: the records of an API, from its log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.aws_options import Config, Env, Profile, Region, find_environment, find_place
from shutterless.cli.console import print_json, print_result, warn
from shutterless.cli.options import AsJson
from shutterless.utils.messages import plural

if TYPE_CHECKING:
    from shutterless.live.collect import Collected


def collect(
    source: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FILE|-", help="A deployment, a log file, or - for standard input."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the records and photos.")
    ] = Path("live"),
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With NAME, how far to look back: 2h, 7d.  [default: where the last run ended]",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="With NAME, how far from now to stop.  [default: now]")
    ] = None,
    env: Env = None,
    config: Config = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Collect what an API has seen from its log: records.parquet and photos.

    The API must have been deployed or served with --records on. Each record is taken once, so run it as often
    as you like; an interrupted run is repeated. Damaged lines are counted.

    \b
    Examples:
      shutterless collect clothes -o live
      shutterless collect requests.log -o live
      docker logs clothes 2>&1 | shutterless collect - -o live
      kubectl logs deployment/clothes | shutterless collect -
    """
    from shutterless.live.collect import collect as collect_records

    environment = find_environment(env, config)
    if source is None or environment:
        source, region, profile = find_place(source, region, profile, environment)
    collected = collect_records(source, output, since=since, until=until, profile=profile, region=region)
    if as_json:
        print_json(collected.to_json())
    else:
        _show(collected)


def _show(collected: "Collected") -> None:
    known = f", {collected.known:,} known" if collected.known else ""
    print_result(
        f"{plural(collected.new, 'new record')}{known}, {plural(collected.photos, 'new photo')}, "
        f"{plural(collected.corrections, 'correction')}: {plural(collected.total, 'record')} in "
        f"{collected.folder}"
    )
    if collected.requests and not (collected.new or collected.known):
        warn(
            f"{plural(collected.requests, 'request')} without a record: turn them on with --records on, of "
            "serve or deploy."
        )
    if collected.damaged:
        first = "; ".join(f"{each.place}: {each.reason}" for each in collected.damages[:5])
        warn(f"{plural(collected.damaged, 'damaged line')}: {first}")
