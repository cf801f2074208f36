"""The cache folder, for files that can be made or downloaded again."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """Return the folder of the cache `name`, below `XDG_CACHE_HOME` or `~/.cache`.

    Raises:
        RuntimeError: There is no home folder.
    """
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home else Path.home() / ".cache") / "shutterless" / name
