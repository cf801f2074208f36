"""Errors as AWS answers them."""


class AwsError(Exception):
    """An answer of AWS that is an error.

    Attributes:
        code: AWS's code.
        message: Its text.
        status: The HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def missing(message: str) -> AwsError:
    """Return the error of Lambda and others for something that does not exist."""
    return AwsError("ResourceNotFoundException", message, 404)
