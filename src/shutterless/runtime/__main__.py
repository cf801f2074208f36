"""The container's entry: Lambda's runtime client where there is a Lambda, the HTTP server elsewhere."""

import os
import sys

from shutterless.errors import ShutterlessError
from shutterless.runtime.settings import Settings


def main() -> int:
    """Answer until the container is stopped; return the exit code."""
    try:
        _answer()
    except ShutterlessError as error:
        print(f"error: {error.message}\n{error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _answer() -> None:
    api = os.environ.get("AWS_LAMBDA_RUNTIME_API", "")
    if api:
        from shutterless.runtime import lambda_client

        lambda_client.run(api)
    else:
        from shutterless.runtime.server import serve  # which Lambda need not load

        serve(Settings.from_env(os.environ), host="0.0.0.0")


if __name__ == "__main__":
    sys.exit(main())
