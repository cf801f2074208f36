"""Read the JSON documents of other tools, which may hold anything."""

from pathlib import Path

from shutterless.errors import DatasetError
from shutterless.text_files import MAX_TABLE_BYTES, parse_json, read_text


def read_document(file: Path, tool: str) -> object:
    """Return a JSON document.

    Raises:
        DatasetError: It cannot be read (`unreadable-export`).
    """
    try:
        return parse_json(read_text(file, MAX_TABLE_BYTES).removeprefix("\ufeff"))
    except (OSError, ValueError) as error:  # ValueError: no UTF-8 or no JSON
        raise unreadable_export(file, tool, str(error)) from error


def objects(value: object) -> list[dict[str, object]]:
    """Return the objects in a list of a document; empty if it is something else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def unreadable_export(file: Path, tool: str, reason: str) -> DatasetError:
    """Return the error for a file that is not what a tool exports."""
    return DatasetError(
        "unreadable-export",
        f"{file} is not an export of {tool}: {reason}",
        "Export it again; if it has another format, say which with --format.",
    )
