"""Why accepted findings cannot be applied, or a fix cannot be undone: one problem for each photo."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from shutterless.errors import DatasetError
from shutterless.runtime.json_types import JsonObject


@dataclass(frozen=True)
class FixProblem:
    """One photo that a fix, or its undo, would not treat as expected.

    Attributes:
        code: Which problem it is, such as `not-a-photo`.
        path: The photo's path in the data set, as the findings or the journal have it.
        reason: What is wrong, in words.
        row: The row of the findings file, counted as spreadsheets do; None for an undo.
    """

    code: str
    path: str
    reason: str
    row: int | None = None

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{f'row {self.row}, ' if self.row else ''}{self.path or '(no path)'}: {self.reason}"

    def to_json(self) -> JsonObject:
        """Return the problem as a JSON object."""
        return asdict(self)


class FixRefusedError(DatasetError):
    """A fix, or its undo, was refused as a whole; nothing was changed.

    Attributes:
        problems: All of them, in the order of the rows.
    """

    def __init__(self, code: str, message: str, hint: str, problems: Sequence[FixProblem]) -> None:
        super().__init__(code, message, hint)
        self.problems = tuple(problems)
