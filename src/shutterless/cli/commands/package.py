"""`shutterless package`: from a bundle to a folder that plain `docker build` takes."""

from pathlib import Path
from typing import Annotated

import typer

from shutterless.cli.console import progress_bar, say, show, table

Platform = Annotated[str, typer.Option(metavar="NAME", help="linux/amd64 or linux/arm64.")]
BaseImage = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="An image with Python 3.13 and glibc, for example public.ecr.aws/lambda/python:3.13."
        "  [default: python:3.13-slim-trixie]",
    ),
]


def package(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle, as convert writes it.")],
    context: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The context to write.")],
    platform: Platform = "linux/amd64",
    base_image: BaseImage = None,
) -> None:
    """Write what a container image is built from into a folder.

    It is there to be looked at, or built elsewhere; shutterless image build does it all in one.

    \b
    Example:
      shutterless package bundle -o context
      docker build -t clothes context
    """
    from shutterless import packaging

    with progress_bar() as progress:
        made = packaging.package(bundle, context, platform=platform, base_image=base_image, progress=progress)
    figures = table("layer", "megabytes")
    for name, size in made.layers.items():
        figures.add_row(name, f"{size / 1e6:.2f}")
    show(figures)
    if not made.compiled:
        say("No Python 3.13 is here to compile the modules: each start takes about 0.2 s longer.")
    say(f"Next: docker build -t {made.tag} {context}")
