"""Every error that shutterless raises on purpose: one tree, a stable code and a hint on each.

    try:
        shutterless.train("photos", "run")
    except shutterless.DatasetError as error:
        if error.code == "single-label":
            ...

The codes are stable; the sentences are not.
"""


class ShutterlessError(Exception):
    """Something went wrong that the user can understand and fix.

    Attributes:
        code: Which error it is, such as `no-photos`. Programs compare this, never the message.
        message: What is wrong, on one line.
        hint: What to do about it, on one line; may be empty. It is a note of the exception, so that a
            traceback or a notebook shows it below the message.
    """

    exit_code = 1

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)

    def __str__(self) -> str:
        return self.message


class InputError(ShutterlessError):
    """An argument, an option or a setting cannot be used."""


class OutputError(ShutterlessError):
    """An output cannot be written there, or would replace what shutterless did not write."""


class DatasetError(ShutterlessError):
    """Photos are missing, unreadable or changed, or their folders do not say which labels they have."""


class RecipeError(ShutterlessError):
    """A recipe cannot be read, or its backbone cannot be built."""


class RunError(ShutterlessError):
    """A training run cannot be read, resumed or finished."""


class BundleError(ShutterlessError):
    """A bundle is damaged, malicious or of another format, or its model does not do what it says."""


class ConversionError(ShutterlessError):
    """A model cannot be converted, or would lose too much accuracy."""


class PackagingError(ShutterlessError):
    """A container image cannot be built, run or pushed."""


class DeployError(ShutterlessError):
    """AWS refused, or a deployment is not in a state in which this is possible.

    Attributes:
        aws_code: AWS's own code, such as `AccessDeniedException`; empty if AWS gave none.
        request_id: AWS's number of the request, by which its support finds it; empty if AWS gave none.
    """

    def __init__(
        self, code: str, message: str, hint: str = "", *, aws_code: str = "", request_id: str = ""
    ) -> None:
        super().__init__(code, message, hint)
        self.aws_code = aws_code
        self.request_id = request_id


# The codes of an API's problems that only concern the picture: another picture may well be answered.
PICTURE_CODES = frozenset(
    ("too-large", "unsupported-format", "unreadable-image", "unusual-image", "url-refused", "fetch-failed")
)


class CallError(ShutterlessError):
    """An API gave no prediction.

    Attributes:
        status: HTTP status of its answer, None if there was none.
        code: Code of the problem, as docs/http-api.md lists them, or `no-answer`, `unexpected-answer` or
            `function-failed`.
    """

    def __init__(self, code: str, message: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(code, message, hint)
        self.status = status

    @property
    def concerns_picture(self) -> bool:
        """Whether only this picture is at fault; if not, the next one would fare no better."""
        return self.code in PICTURE_CODES or self.status == 413

    def to_json(self) -> dict[str, str | int | None]:
        """Return status, code and detail, as in a problem document, and the hint."""
        return {"status": self.status, "code": self.code, "detail": self.message, "hint": self.hint}


def cannot_write(what: object, error: OSError) -> OutputError:
    """Return the error for a path, or words with one, that cannot be written, as on a full disk."""
    return OutputError(
        "cannot-write",
        f"Cannot write {what}: {error.strerror or error}",
        "Choose a folder with room and write access.",
    )
