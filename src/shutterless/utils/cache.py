"""The folder for files that can be made again, such as fetched wheels."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """Return where files that can be made again are kept: below `XDG_CACHE_HOME`, or `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home else Path.home() / ".cache") / "shutterless" / name
