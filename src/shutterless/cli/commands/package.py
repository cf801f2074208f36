"""`shutterless package`: write the build context of a container image."""

from pathlib import Path
from typing import Annotated

import typer

from shutterless.cli.console import make_table, progress_bar, say, show

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
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle folder.")],
    context: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Build context to write.")],
    platform: Platform = "linux/amd64",
    base_image: BaseImage = None,
) -> None:
    """Write the build context of a container image to a folder.

    To inspect it or to build it elsewhere; `shutterless image build` does everything in one step.

    \b
    Examples:
      shutterless package bundle -o context
      docker build -t clothes context
    """
    from shutterless import packaging

    with progress_bar() as progress:
        build_context = packaging.package(
            bundle, context, platform=platform, base_image=base_image, progress=progress
        )
    figures = make_table("layer", "megabytes")
    for name, size in build_context.layers.items():
        figures.add_row(name, f"{size / 1e6:.2f}")
    show(figures)
    if not build_context.compiled:
        say("Modules not compiled, as there is no Python 3.13: each start takes about 0.2 s longer.")
    say(f"Next: docker build -t {build_context.tag} {context}")
