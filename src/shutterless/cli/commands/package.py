"""`shutterless package`: write a zip for Lambda, or the build context of a container image."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import make_table, progress_bar, say, show
from shutterless.cli.options import refuse_both

if TYPE_CHECKING:
    from shutterless.packaging import Context, ZipPackage


class Format(StrEnum):
    """What `package` writes."""

    CONTEXT = "context"
    ZIP = "zip"


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
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="PATH", help="Build context or zip file to write.")
    ],
    format: Annotated[
        Format,
        typer.Option(
            metavar="NAME",
            help="context: a folder to build a container image from. zip: a file for Lambda's Python 3.13.",
        ),
    ] = Format.CONTEXT,
    platform: Platform = "linux/amd64",
    base_image: BaseImage = None,
    bytecode: Annotated[
        bool,
        typer.Option(
            "--bytecode/--no-bytecode",
            help="Add bytecode to the zip if there is a Python 3.13: cold starts are faster. Without"
            " bytecode, every machine makes the same zip.",
        ),
    ] = True,
) -> None:
    """Write a zip for Lambda, or the build context of a container image.

    To inspect it or to use it elsewhere; `shutterless image build` and `shutterless deploy` do everything in
    one step. A zip needs no Docker.

    \b
    Examples:
      shutterless package bundle -o context
      docker build -t clothes context
      shutterless package bundle -o function.zip --format zip
    """
    from shutterless import packaging

    with progress_bar() as progress:
        if format == Format.ZIP:
            refuse_both(True, "--format zip", base_image, "--base-image")
            _show_zip(
                packaging.build_zip(bundle, output, platform=platform, bytecode=bytecode, progress=progress)
            )
        else:
            refuse_both(True, "--format context", not bytecode, "--no-bytecode")
            _show_context(
                packaging.package(bundle, output, platform=platform, base_image=base_image, progress=progress)
            )


def _show_context(context: "Context") -> None:
    figures = make_table("layer", "megabytes")
    for name, size in context.layers.items():
        figures.add_row(name, f"{size / 1e6:.2f}")
    show(figures)
    if not context.compiled:
        say("Modules not compiled, as there is no Python 3.13: each start takes about 0.2 s longer.")
    say(f"Next: docker build -t {context.tag} {context.path}")


def _show_zip(package: "ZipPackage") -> None:
    figures = make_table("zip", "megabytes")
    figures.add_row("file", f"{package.bytes / 1e6:.2f}")
    figures.add_row("unpacked", f"{package.unzipped_bytes / 1e6:.2f}")
    show(figures)
    if not package.compiled:
        say("No bytecode, so each cold start takes about 0.1 s longer. Install Python 3.13 to add it.")
    say(f"SHA-256: {package.sha256}")
