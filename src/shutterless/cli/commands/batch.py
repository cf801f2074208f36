"""`shutterless batch`: classify any number of photos into Parquet files."""

import math
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shutterless.cli.console import print_json, print_result, progress_bar, say
from shutterless.cli.options import AsJson
from shutterless.utils.messages import plural

if TYPE_CHECKING:
    from shutterless.batch_jobs.job import BatchResult
    from shutterless.batch_jobs.plan import BatchPlan


def batch(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle.")],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Folders, photos, URLs, s3://bucket/prefix, a list of them (.txt, one per line), or a table "
            "(.csv, .jsonl, .parquet).",
        ),
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="A folder, or s3://bucket/prefix.")
    ],
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(metavar="ENGINE", help="local (the cores of this machine) or ray."),
    ] = "local",
    address: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="A Ray cluster. Default: RAY_ADDRESS, or else Ray in this process."
        ),
    ] = "",
    column: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The column of a table with the paths or URLs. Default: path, file_name, uri or url.",
        ),
    ] = "",
    embedding: Annotated[bool, typer.Option("--embedding", help="Add the column embedding.")] = False,
    top_k: Annotated[int, typer.Option(metavar="N", help="Add the column top with the N best labels.")] = 0,
    thumbnail: Annotated[
        int, typer.Option(metavar="PIXELS", help="Add the column thumbnail, JPEGs of at most so many pixels.")
    ] = 0,
    workers: Annotated[
        int, typer.Option(metavar="N", help="Worker processes. Default: one per core, or per CPU of Ray.")
    ] = 0,
    chunk_size: Annotated[
        int, typer.Option(metavar="N", help="Photos per part. Default: a hundredth of all, 10 to 1,000.")
    ] = 0,
    urls: Annotated[
        Literal["public", "any", "off"],
        typer.Option(metavar="WHICH", help="Addresses to fetch photos from: public, any, or off."),
    ] = "public",
    per_host: Annotated[
        int, typer.Option(metavar="N", help="Photos that are fetched from one host at the same time.")
    ] = 8,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Time for fetching one photo.")] = 10.0,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only list the photos, and estimate time and memory.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Classify any number of photos into Parquet files.

    Each part is written complete or not at all. Press Ctrl-C to stop; the same command continues. A photo
    that cannot be read is a row with an error code.

    \b
    Examples:
      shutterless batch bundle photos/ -o answers
      shutterless batch bundle products.parquet --column image_url -o answers
      shutterless batch bundle s3://shop/photos -o s3://shop/answers --plan
      shutterless batch bundle photos.txt -o answers --engine ray
    """
    if plan:
        from shutterless.batch_jobs.plan import plan_batch

        _show_plan(
            plan_batch(
                bundle,
                inputs,
                embedding=embedding,
                top_k=top_k,
                thumbnail=thumbnail,
                column=column,
                chunk_size=chunk_size,
                workers=workers,
                urls=urls,
                per_host=per_host,
                timeout=timeout,
                on_note=say,
            ),
            as_json,
        )
        return
    from shutterless.batch_jobs.job import batch as run_batch

    with progress_bar("photos") as progress:
        result = run_batch(
            bundle,
            inputs,
            output,
            engine=engine,
            address=address,
            embedding=embedding,
            top_k=top_k,
            thumbnail=thumbnail,
            column=column,
            chunk_size=chunk_size,
            workers=workers,
            urls=urls,
            per_host=per_host,
            timeout=timeout,
            progress=progress,
            on_note=say,
        )
    _show_result(result, as_json)


def _show_result(result: "BatchResult", as_json: bool) -> None:
    if as_json:
        print_json({**asdict(result), "errors": dict(result.errors)})
        return
    print_result(
        f"{plural(result.photos, 'photo')} in {plural(result.chunks, 'part')} of {result.output}, "
        f"model {result.model}"
    )
    if result.photos_per_second:
        duration = timedelta(seconds=round(result.seconds))
        print_result(f"{result.photos_per_second:.3g} photos/s, {duration} in all")
    for code, count in result.errors.items():
        print_result(f"{code}: {plural(count, 'photo')}")


def _show_plan(plan: "BatchPlan", as_json: bool) -> None:
    if as_json:
        print_json(asdict(plan))
        return
    print_result(
        f"{plural(plan.photos, 'photo')} in {plural(plan.chunks, 'chunk')} of up to {plan.chunk_size:,}"
    )
    if plan.bytes is None or plan.seconds is None:
        print_result(f"None of {plan.sample} photos could be read, so size and time are unknown.")
    else:
        speed = plan.photos / plan.seconds
        duration = timedelta(seconds=math.ceil(plan.seconds))
        print_result(f"About {plan.bytes / 1e9:.3g} GB of photos")
        workers = plural(plan.workers, "worker")
        print_result(f"About {duration} with {workers} on this machine ({speed:.3g} photos/s)")
        if plan.sample_errors:
            print_result(f"{plan.sample_errors} of {plan.sample} photos could not be classified.")
    print_result(f"About {plan.memory / 1e6:,.0f} MB of memory")
