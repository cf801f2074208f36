"""The one base of every error that shutterless raises on purpose."""


class ShutterlessError(Exception):
    """Something went wrong that the user can understand and mend.

    message: one line that says what is wrong, without a full stop's worth of jargon.
    hint: one line that says what to do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


def cannot_write(what: object, error: OSError) -> ShutterlessError:
    """Return the error for a path, or words with one, that cannot be written, as on a full disk."""
    return ShutterlessError(
        f"Cannot write {what}: {error.strerror or error}", "Choose a folder with room and write access."
    )
