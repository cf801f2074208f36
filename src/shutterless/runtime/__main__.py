"""The container's entry: Lambda's runtime client where there is a Lambda, the HTTP server elsewhere."""

import gc
import os
import sys
import warnings

from shutterless.errors import ShutterlessError
from shutterless.runtime.settings import Settings


def main() -> int:
    """Answer until the container is stopped; return the exit code."""
    warnings.filterwarnings("ignore", module="PIL")  # of a picture that is odd but read
    gc.disable()  # what a start makes is no garbage: to look through it again and again is a tenth of it
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
        from shutterless.runtime.adapters import runtime_client

        runtime_client.run(api, _begin)
    else:
        from shutterless.runtime.adapters.http_server import serve  # which Lambda need not load

        serve(Settings.from_env(os.environ), host="0.0.0.0", ready=lambda url: _begin())


def _begin() -> None:
    """Look for garbage from now on, but not among what is loaded."""
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    sys.exit(main())
