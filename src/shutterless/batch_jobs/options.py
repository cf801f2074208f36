"""The options of a batch job, checked."""

from dataclasses import dataclass
from typing import Literal, get_args

from shutterless.errors import InputError
from shutterless.runtime.json_types import Json
from shutterless.runtime.settings import Urls, check_urls

Engine = Literal["local", "ray"]

MAX_THUMBNAIL = 1024
MAX_TIMEOUT = 3600.0


@dataclass(frozen=True)
class BatchOptions:
    """How a batch job works and what it writes.

    Attributes:
        embedding: Add the column `embedding`.
        top_k: Add the column `top` with so many labels; 0 for no such column.
        thumbnail: Add the column `thumbnail`, JPEGs whose longer side has at most so many pixels; 0 for none.
        column: The column of a table with the photos; "" for the first of path, file_name, uri and url.
        chunk_size: Photos per part; 0 for a hundredth of all photos, 10 to 1,000.
        workers: Number of worker processes; 0 for one per core, on Ray one per CPU of the cluster.
        urls: Which addresses photos may be fetched from: `public`, `any` (also private ones) or `off`.
        per_host: Photos that are fetched from a host at the same time, by all workers together. Each worker
            may fetch at least one.
        timeout: Seconds for the fetch of one photo.

    Raises:
        InputError: A value is not possible (`invalid-option`, `invalid-setting`).
    """

    embedding: bool = False
    top_k: int = 0
    thumbnail: int = 0
    column: str = ""
    chunk_size: int = 0
    workers: int = 0
    urls: Urls = "public"
    per_host: int = 8
    timeout: float = 10.0

    def __post_init__(self) -> None:
        check_urls(self.urls, "urls")
        for name, least, most in (
            ("top_k", 0, 1000),
            ("thumbnail", 0, MAX_THUMBNAIL),
            ("chunk_size", 0, 100_000),
            ("workers", 0, 10_000),
            ("per_host", 1, 10_000),
            ("timeout", 0.1, MAX_TIMEOUT),
        ):
            if not least <= (value := getattr(self, name)) <= most:
                hint = f"Give a number from {least} to {most:,}."
                raise InputError("invalid-option", f"{name} cannot be {value}", hint)

    @property
    def column_options(self) -> dict[str, Json]:
        """The options that change the parts."""
        return {"embedding": self.embedding, "top_k": self.top_k, "thumbnail": self.thumbnail}


def check_engine(engine: str, address: str) -> None:
    """Check the name of an engine, and that only Ray gets an address.

    Raises:
        InputError: `invalid-option` or `conflicting-options`.
    """
    if engine not in get_args(Engine):
        hint = f"Choose one of: {', '.join(get_args(Engine))}."
        raise InputError("invalid-option", f"The engine cannot be {engine!r}", hint)
    if address and engine != "ray":
        raise InputError("conflicting-options", "An address is only for the engine ray", "Add --engine ray.")
