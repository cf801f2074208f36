"""The container's entry: `python -m shutterless.runtime` serves the bundle that the environment names."""

import os
import sys

from shutterless.errors import ShutterlessError
from shutterless.runtime.server import serve
from shutterless.runtime.settings import Settings


def main() -> int:
    """Serve until the container is stopped; return the exit code."""
    try:
        serve(Settings.from_env(os.environ), host="0.0.0.0")
    except ShutterlessError as error:
        print(f"error: {error.message}\n{error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
