"""What written pages share: templates that escape everything, and pictures carried in the page itself."""

import base64
import io

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image


def templates(package: str) -> Environment:
    """Return the templates of a package: what they are given is hostile text, and is escaped."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def data_uri(pixels: npt.NDArray[np.uint8], quality: int) -> str:
    """Return uint8[height, width, 3] as a JPEG of `quality`, 1 to 95, in a data: address."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
