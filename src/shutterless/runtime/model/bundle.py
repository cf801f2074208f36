"""The bundle: all that serving needs, in one folder that is verified and runs none of its author's code."""

import errno
import hashlib
import json
import math
import os
import stat
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from shutterless.errors import BundleError, ShutterlessError
from shutterless.runtime.image.decoder import InputSpec

FORMAT_VERSION = 1
# Of a stranger's bundle: a description of ten thousand labels with long names, nested no deeper than ours
# by far, and what a FlatBuffers file can have.
MAX_DESCRIPTION_BYTES, MAX_DEPTH, MAX_MODEL_BYTES = 10_000_000, 16, 2**31
MAX_TEMPERATURE = 1e6
MODEL, DESCRIPTION = "model.tflite", "bundle.json"
# The hashes of the photos of the training run, for `evaluate`; serving does not need it.
TRAINING_PHOTOS = "training_photos.txt"


@dataclass(frozen=True)
class Bundle:
    """What bundle.json says.

    labels: in output order. temperature: the scores are softmax(logits / temperature). threshold: a
    confidence below it is not accepted. sha256: of model.tflite. files: the SHA-256 of other files of the
    bundle. accuracy: of the Keras network (`keras`) and of this file (`bundle`) on the same `images`
    photos, of which this file has `right` right, their top-1 `agreement`, the
    file's `calibration_error` with its temperature and `uncalibrated_error` without, the
    `target_precision` that the threshold was chosen for, the `accepted_precision` reached and the
    accepted share, `coverage`. created: ISO 8601. path: the folder it was read from. model: what
    model.tflite held when the bundle was read; a later change of the folder changes nothing here.
    """

    name: str
    labels: tuple[str, ...]
    input: InputSpec
    precision: str
    backbone: str
    recipe: str
    dataset_fingerprint: str
    created: str
    sha256: str = ""
    temperature: float = 1.0
    threshold: float = 0.0
    accuracy: dict[str, Any] = field(default_factory=dict)
    made_with: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    path: Path | None = None
    model: bytes = field(default=b"", repr=False, compare=False)

    @property
    def version(self) -> str:
        """The model's version: the first 12 hex digits of its hash."""
        return self.sha256[:12]

    def to_json(self) -> dict[str, Any]:
        """Return the members of bundle.json."""
        members = {**asdict(self), "labels": list(self.labels), "version": self.version}
        del members["path"], members["model"]
        return {"format_version": FORMAT_VERSION, **members}


def read_bundle(path: str | Path) -> Bundle:
    """Read the bundle in the folder `path` and verify it.

    Raises `ShutterlessError` with the reason if it is none, is incomplete, or was changed since it was
    written.
    """
    path = Path(path)
    try:
        document = _parse_json(_read(path / DESCRIPTION, MAX_DESCRIPTION_BYTES))
        model = _read(path / MODEL, MAX_MODEL_BYTES)
    except OSError as error:
        raise BundleError(
            "not-a-bundle",
            f"{path} is not a bundle: {error.filename}: {error.strerror}",
            "Give the folder that `shutterless convert -o` wrote.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"{DESCRIPTION} is not JSON: {error}") from error
    bundle = replace(_parse(path, document), path=path, model=model)
    digest = hashlib.sha256(model).hexdigest()
    if digest != bundle.sha256:
        raise _refused(path, f"{MODEL} has the SHA-256 {digest[:12]}…, not {bundle.sha256[:12]}…")
    return bundle


def _read(file: Path, max_bytes: int) -> bytes:
    """Return what a plain file holds; anything else, such as a pipe, would have us wait or never end."""
    with open(file, "rb", opener=_open_without_waiting) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            raise OSError(errno.EINVAL, f"not a plain file of {max_bytes:,} bytes at most", str(file))
        return stream.read(status.st_size)


def _open_without_waiting(file: str, flags: int) -> int:
    return os.open(file, flags | getattr(os, "O_NONBLOCK", 0))  # or else a pipe waits until it is written to


def _parse_json(data: bytes) -> Any:
    """Return the JSON value, of which `json.dumps` makes valid JSON again; raises `ValueError`."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not a JSON value")

    def finite(text: str) -> float:
        if not math.isfinite(number := float(text)):
            raise ValueError(f"{text} is too large")
        return number

    document = json.loads(data, parse_constant=refuse, parse_float=finite)
    if _is_deeper(document, MAX_DEPTH):
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    return document


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    children = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deeper(child, levels - 1) for child in children)


def write_bundle(folder: Path, model: bytes, bundle: Bundle, training_photos: str = "") -> Bundle:
    """Write `model` and its description as the bundle `folder`, whole or not at all.

    training_photos: the text of the file `TRAINING_PHOTOS`, which is left out if there is none.
    An older bundle in its place is replaced. Raises `ShutterlessError` if the folder holds anything
    else or cannot be written.
    """
    from shutterless.files import BUNDLE, atomic_directory, ensure_replaceable  # not in the container

    ensure_replaceable(folder, BUNDLE)
    record = training_photos.encode()
    files = {TRAINING_PHOTOS: hashlib.sha256(record).hexdigest()} if record else {}
    digest = hashlib.sha256(model).hexdigest()
    written = replace(bundle, sha256=digest, files=files, path=folder, model=model)
    text = _to_text(written)
    with atomic_directory(folder, "the bundle") as draft:
        (draft / MODEL).write_bytes(model)
        if record:
            (draft / TRAINING_PHOTOS).write_bytes(record)
        (draft / DESCRIPTION).write_text(text, "utf-8")
    return written


def _to_text(bundle: Bundle) -> str:
    try:
        return json.dumps(bundle.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as error:
        raise BundleError(
            "invalid-figures",
            "The bundle's figures are not all finite numbers",
            "The network's output is not finite: train again with a lower learning rate.",
        ) from error


_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(
        ("name", "precision", "backbone", "recipe", "dataset_fingerprint", "created", "sha256"), str
    ),
    **dict.fromkeys(("temperature", "threshold"), (int, float)),
    **dict.fromkeys(("input", "accuracy", "made_with"), dict),
    "labels": list,
}


def _parse(path: Path, document: Any) -> Bundle:
    if not isinstance(document, dict):
        raise _refused(path, f"{DESCRIPTION} is no JSON object")
    if document.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            "unsupported-bundle-format",
            f"{path} has the bundle format {document.get('format_version')!r}, not {FORMAT_VERSION}",
            "Convert again, or install the version of shutterless that made it.",
        )
    for member, kind in _TYPES.items():
        if not isinstance(document.get(member), kind) or isinstance(document[member], bool):
            raise _refused(path, f"{DESCRIPTION} has no valid {member!r}")
    labels = document["labels"]
    if not all(isinstance(label, str) and label for label in labels) or len({*labels}) < max(2, len(labels)):
        raise _refused(path, f"{DESCRIPTION} needs two or more different labels")
    if not 0 < document["temperature"] <= MAX_TEMPERATURE or not 0 <= document["threshold"] <= 1:
        raise _refused(path, f"{DESCRIPTION} has a temperature or threshold out of range")
    files = document.get("files", {})
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise _refused(path, f"{DESCRIPTION} has no valid 'files'")
    known = {**{member: document[member] for member in _TYPES}, "files": files}
    return Bundle(**{**known, "labels": tuple(labels), "input": _input(path, document["input"])})


def _input(path: Path, members: dict[str, Any]) -> InputSpec:
    names = {part.name for part in fields(InputSpec)}
    if members.keys() != names or not all(type(members[side]) is int for side in ("height", "width")):
        raise _refused(path, f"{DESCRIPTION} has no valid 'input'")
    return InputSpec(**members)


def _refused(path: Path, reason: str) -> ShutterlessError:
    return BundleError(
        "corrupt-bundle",
        f"The bundle {path} does not verify: {reason}",
        "It was changed or damaged: convert again, or copy it anew.",
    )
