"""`shutterless image`: build a container image, and run it as Lambda would."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.commands.package import BaseImage, Platform
from shutterless.cli.commands.serve import KeepPhotos, Records, Urls, say_ready
from shutterless.cli.console import INTERRUPTED, make_table, print_result, progress_bar, say, show

if TYPE_CHECKING:
    from shutterless.packaging import Image

TERMINATED = 143  # exit code of a process ended by SIGTERM: 128 + 15

app = typer.Typer(no_args_is_help=True, help="Build the container image; run it as Lambda would.")


@app.command("build")
def build(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle folder.")],
    tag: Annotated[
        str, typer.Option("-t", "--tag", metavar="NAME", help="The image's name, with or without a :version.")
    ],
    platform: Platform = "linux/amd64",
    base_image: BaseImage = None,
) -> None:
    """Build a container image of a bundle and check it.

    The image must start as in Lambda and answer like the bundle. Requires Docker.

    \b
    Examples:
      shutterless image build bundle -t clothes
      shutterless image build bundle -t clothes:2 --platform linux/arm64
    """
    from shutterless import packaging

    with progress_bar() as progress:
        image = packaging.build_image(
            bundle, tag, platform=platform, base_image=base_image, progress=progress
        )
    _show(image)
    say(f"Next: shutterless image run {tag}")


@app.command("run")
def run(
    tag: Annotated[str, typer.Argument(metavar="IMAGE", help="Name of an image.")],
    port: Annotated[
        int,
        typer.Option(
            "-p", "--port", metavar="N", min=0, max=65535, help="Port on 127.0.0.1; 0 for any free one."
        ),
    ] = 8080,
    memory: Annotated[
        int, typer.Option(metavar="MB", help="128 to 10240; as in Lambda, more memory means more CPU.")
    ] = 1024,
    urls: Urls = "public",
    records: Records = "off",
    keep_photos: KeepPhotos = "off",
) -> None:
    """Run an image as Lambda would, until Ctrl-C.

    With Lambda's memory, CPU share, read-only file system and /tmp. Requires Docker.

    Example: shutterless image run clothes -p 8080 --memory 512
    """
    from shutterless import packaging

    signal.signal(
        signal.SIGTERM, lambda number, frame: sys.exit(TERMINATED)
    )  # so that the container ends too
    try:
        packaging.run_image(
            tag,
            port=port,
            memory=memory,
            urls=urls,
            records=records,
            keep_photos=keep_photos,
            ready=say_ready,
        )
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _show(image: "Image") -> None:
    figures = make_table("layer", "digest", "megabytes", text=2)
    for layer in image.layers:
        figures.add_row(layer.name, layer.digest[:19], f"{layer.bytes / 1e6:.2f}")
    figures.add_row("total", "", f"{sum(layer.bytes for layer in image.layers) / 1e6:.2f}")
    show(figures)
    print_result(f"{image.tag}: {image.platform}, {image.id[:19]}, manifest {image.media_type}")
    if image.check:
        print_result(f"It answers like the bundle: scores differ by at most {image.check.difference:.6f}.")
    else:
        print_result(f"Not checked: this machine cannot run programs for {image.platform}.")
    if not image.compiled:
        print_result("Modules not compiled, as there is no Python 3.13: each start takes about 0.2 s longer.")
