"""The bundle: a folder with a model and its description, which are verified and contain no code."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from shutterless.errors import BundleError, InputError
from shutterless.runtime.http_messages import parse_finite_json
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from shutterless.runtime.json_types import Json, JsonObject
    from shutterless.runtime.model.familiarity import Familiarity

FORMATS = (1, 2)  # a bundle with `familiar`, whose model has named outputs, is written in format 2
# A stranger's bundle may have a description of ten thousand labels with long names, nested far deeper than
# ours, and as large a model as a FlatBuffers file can be.
MAX_DESCRIPTION_BYTES, MAX_DEPTH, MAX_MODEL_BYTES = 10_000_000, 16, 2**31
# Names and labels get into every answer; folder names have up to 255 bytes.
MAX_LABELS, MAX_TEXT, MAX_TEMPERATURE = 100_000, 500, 1e6
MODEL, DESCRIPTION = "model.tflite", "bundle.json"
# The hashes of the training run's photos, for `evaluate`; serving does not need them.
TRAINING_PHOTOS = "training_photos.txt"
EMPTY: Mapping[str, Any] = MappingProxyType({})


class Bundle(Record):
    """The content of bundle.json, and the model.

    Attributes:
        name: Name of the model.
        labels: In output order.
        input: How a picture becomes the model's input.
        precision: `float32`, `float16`, `dynamic`, `int8` or `int8-mixed`.
        backbone: Backbone of the network.
        recipe: Recipe of the training.
        dataset_fingerprint: Hash of the training run's data set.
        created: ISO 8601.
        sha256: Of model.tflite.
        temperature: The scores are softmax(logits / temperature).
        threshold: Predictions with a confidence below it are not accepted.
        accuracy: On the same `images` photos, accuracy of the Keras model (`keras`) and of this file
            (`bundle`, `right` photos), their top-1 `agreement`, the file's `calibration_error` with its
            temperature and `uncalibrated_error` without, the `target_precision` of the threshold, the
            `accepted_precision` reached and the accepted fraction, `coverage`.
        made_with: Package → version.
        files: Name → SHA-256 of the bundle's other files.
        familiar: What tells pictures like the training photos from others, see `familiarity`; or empty.
        unknown: Members of bundle.json that only a later version understands.
        folder: The folder that it was read from, empty if there is none.
        model: Content of model.tflite when the bundle was read; a later change of the folder changes
            nothing here.
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
    accuracy: Mapping[str, Json] = EMPTY
    made_with: Mapping[str, Json] = EMPTY
    files: Mapping[str, str] = EMPTY
    familiar: Mapping[str, Json] = EMPTY
    unknown: Mapping[str, Json] = EMPTY
    folder: str = ""
    model: bytes = b""

    @property
    def path(self) -> Path | None:
        """The folder that it was read from."""
        from pathlib import Path  # not for serving: a twentieth of a cold start

        return Path(self.folder) if self.folder else None

    @cached_property
    def version(self) -> str:
        """Version of the model: 12 hex digits of a hash of everything that changes an answer.

        It is always computed; the member `version` of bundle.json is for people and is never read.
        """
        content = {
            "sha256": self.sha256,
            "labels": self.labels,
            "input": self.input.to_dict(),
            "temperature": float(self.temperature),  # JSON may have 1 for 1.0
            "threshold": float(self.threshold),
            **({"familiar": self.familiarity.to_dict()} if self.familiarity else {}),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    @cached_property
    def familiarity(self) -> Familiarity | None:
        """What pictures' distances are compared with; None if the model has no distances."""
        if not self.familiar:
            return None
        from shutterless.runtime.model.familiarity import parse_familiar  # format 1 doesn't need it

        return parse_familiar(self.familiar)

    def with_model(self, model: bytes) -> Bundle:
        """Return the bundle with the content of its model file.

        Raises:
            BundleError: `corrupt-bundle` if it is not the file with this SHA-256.
        """
        digest = hashlib.sha256(model).hexdigest()
        if digest != self.sha256:
            reason = f"{MODEL} has the SHA-256 {digest[:12]}…, not {self.sha256[:12]}…"
            raise _corrupt(self.folder, reason)
        return self.replace(model=model)

    def to_json(self) -> JsonObject:
        """Return the content of bundle.json."""
        members = {
            **self.to_dict(),
            "labels": list(self.labels),
            "input": self.input.to_dict(),
            **{name: dict(getattr(self, name)) for name in ("accuracy", "made_with", "files", "familiar")},
            "version": self.version,
        }
        for name in ("folder", "model", "unknown", *([] if self.familiar else ["familiar"])):
            del members[name]
        return {"format_version": 2 if self.familiar else 1, **self.unknown, **members}

    def to_text(self) -> str:
        """Return the text of bundle.json.

        Raises:
            BundleError: `invalid-figures` if a figure is not finite.
        """
        try:
            return json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        except ValueError as error:
            raise BundleError(
                "invalid-figures",
                "Some of the bundle's figures are not finite numbers",
                "The scores of the model are not finite: train again with a lower learning rate.",
            ) from error

    def __repr__(self) -> str:
        return f"<Bundle {self.name!r}, version {self.version}>"


def read_bundle(path: str | Path) -> Bundle:
    """Read and verify a bundle.

    Args:
        path: The bundle's folder.

    Raises:
        BundleError: `not-a-bundle` if a file is missing, `unsupported-bundle-format`, or `corrupt-bundle` if
            it was changed since it was written.

    Example:
        >>> import shutterless
        >>> bundle = shutterless.read_bundle("bundle")
        >>> bundle.name, bundle.precision
        ('bundle', 'float16')
    """
    folder = os.fspath(path)
    description = parse_description(_read(folder, DESCRIPTION, MAX_DESCRIPTION_BYTES), folder)
    return description.with_model(_read(folder, MODEL, MAX_MODEL_BYTES))


def parse_description(text: bytes, folder: str) -> Bundle:
    """Parse and verify the content of bundle.json.

    Args:
        text: The content.
        folder: The bundle's folder, for messages.

    Returns:
        The bundle, without its model.

    Raises:
        BundleError: `unsupported-bundle-format` or `corrupt-bundle`.
    """
    try:
        document = parse_finite_json(text, MAX_DEPTH)
    except (ValueError, RecursionError) as error:
        raise _corrupt(folder, f"{DESCRIPTION} is not valid JSON: {error}") from error
    return _parse(folder, document).replace(folder=folder)


def _read(folder: str, name: str, max_bytes: int) -> bytes:
    """Return the content of a regular file; anything else, such as a pipe, might block or never end."""
    try:
        with open(os.path.join(folder, name), "rb", opener=_open_without_waiting) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
                raise OSError(errno.EINVAL, f"not a regular file of at most {max_bytes:,} bytes")
            return stream.read(status.st_size)
    except OSError as error:
        raise BundleError(
            "not-a-bundle",
            f"{folder} is not a bundle: {os.path.join(folder, name)}: {error.strerror}",
            "Give the folder that `shutterless convert -o` wrote.",
        ) from error


def _open_without_waiting(file: str, flags: int) -> int:
    return os.open(file, flags | getattr(os, "O_NONBLOCK", 0))  # or else a pipe waits until it is written to


def write_bundle(folder: Path, model: bytes, bundle: Bundle, files: Mapping[str, bytes] = EMPTY) -> Bundle:
    """Write a bundle, completely or not at all; an older bundle in its place is replaced.

    Args:
        folder: Where to write it.
        model: Content of the model file.
        bundle: Its description; hashes and folder are set here.
        files: Name → content of the files that serving does not need, such as `TRAINING_PHOTOS`.

    Returns:
        The bundle as it was written.

    Raises:
        OutputError: If the folder contains anything else or cannot be written.
        BundleError: `invalid-figures` if a figure of the description is not finite.
    """
    from shutterless.files import BUNDLE, atomic_directory, ensure_replaceable  # not in the container

    ensure_replaceable(folder, BUNDLE)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    digest = hashlib.sha256(model).hexdigest()
    bundle = bundle.replace(sha256=digest, files=hashes, folder=str(folder), model=model)
    text = bundle.to_text()
    with atomic_directory(folder, "the bundle") as draft:
        (draft / MODEL).write_bytes(model)
        for name, content in files.items():
            (draft / name).write_bytes(content)
        (draft / DESCRIPTION).write_text(text, "utf-8")
    return bundle


_TEXTS = ("name", "precision", "backbone", "recipe", "dataset_fingerprint", "created", "sha256")
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(_TEXTS, str),
    **dict.fromkeys(("temperature", "threshold"), (int, float)),
    **dict.fromkeys(("input", "accuracy", "made_with"), dict),
    "labels": list,
}


def _parse(folder: str, document: Json) -> Bundle:
    if not isinstance(document, dict):
        raise _corrupt(folder, f"{DESCRIPTION} is not a JSON object")
    version = document.get("format_version")
    if type(version) is not int or version not in FORMATS:
        raise BundleError(
            "unsupported-bundle-format",
            f"{folder} has the bundle format {repr(version)[:MAX_TEXT]}, not 1 or 2",
            "Convert the run again, or install the version of shutterless that made the bundle.",
        )
    if member := next(_invalid_members(document), ""):
        raise _corrupt(folder, f"{DESCRIPTION} has no valid {member!r}")
    members = {member: document[member] for member in _TYPES}
    try:
        members["input"] = InputSpec(**document["input"])
    except InputError as error:
        raise _corrupt(folder, f"{DESCRIPTION} has no valid 'input': {error.message}") from error
    members |= {member: document[member] for member in ("files", "familiar") if member in document}
    members["labels"] = tuple(document["labels"])
    unknown = [name for name in document if name not in (*members, "format_version", "version")]
    bundle = Bundle(**members, unknown={name: document[name] for name in unknown})
    try:
        _ = bundle.familiarity
    except ValueError as error:
        raise _corrupt(folder, f"{DESCRIPTION} has no valid 'familiar': {error}") from error
    return bundle


def _invalid_members(document: dict[str, Any]) -> Iterator[str]:
    """Yield the members of a description that are missing or invalid; only the first is reliable."""
    for member, kind in _TYPES.items():
        if not isinstance(document.get(member), kind) or isinstance(document[member], bool):
            yield member
    yield from (member for member in _TEXTS if not _is_text(document[member]))
    labels, files, spec = document["labels"], document.get("files", {}), document["input"]
    is_long = len(labels) > MAX_LABELS
    if is_long or not all(map(_is_label, labels)) or len({*labels}) < max(2, len(labels)):
        yield "labels"
    if not 0 < document["temperature"] <= MAX_TEMPERATURE:
        yield "temperature"
    if not 0 <= document["threshold"] <= 1:
        yield "threshold"
    if not isinstance(files, dict) or not all(map(_is_text, files.values())):
        yield "files"
    if "familiar" in document and not document["familiar"]:
        yield "familiar"
    has_fields = spec.keys() == set(InputSpec.field_names)
    if not has_fields or not all(type(spec[side]) is int for side in ("height", "width")):
        yield "input"


def _is_text(value: object) -> bool:
    """Tell whether a value is a text that is not too long and can be written as UTF-8."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _is_label(value: object) -> bool:
    return bool(value) and _is_text(value)


def _corrupt(folder: str, reason: str) -> BundleError:
    return BundleError(
        "corrupt-bundle",
        f"The bundle {folder} is corrupt: {reason[:MAX_TEXT]}",
        "It was changed or damaged: convert the run again, or copy the bundle again.",
    )
