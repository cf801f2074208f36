"""Render self-contained HTML pages: reports and inspections, with one shared style and script."""

import base64
import hashlib
import io
from collections.abc import Mapping
from importlib import resources

import numpy as np
import numpy.typing as npt
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from PIL import Image

from shutterless.utils.escaping import plain

SHARED = "shutterless.utils"  # its templates hold the style and the script


def render_page(package: str, template: str, context: Mapping[str, object]) -> str:
    """Render a page that extends `page.html.j2`.

    Args:
        package: Package whose folder `templates` holds the template.
        template: Name of the template.
        context: Variables of the template. Text in them is escaped and has no control characters, so it
            may be untrusted.

    Returns:
        An HTML document that needs no other file and runs no script but ours.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(SHARED)]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_without_controls,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (resources.files(SHARED) / "templates" / "page.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(template)
    return page.render(context, script=script, script_hash=f"sha256-{digest}")


def _without_controls(value: object) -> object:
    """Replace control characters in what a template inserts, except markup of our own."""
    return plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def data_uri(pixels: npt.NDArray[np.uint8], quality: int) -> str:
    """Return a picture as a JPEG in a data: URI.

    Args:
        pixels: uint8[height, width, 3].
        quality: JPEG quality, 1 to 95.
    """
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
