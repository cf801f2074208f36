"""The container's entry point: Lambda's runtime client on Lambda, the HTTP server elsewhere."""

import gc
import os
import sys
import warnings

from shutterless.errors import ShutterlessError
from shutterless.runtime.settings import Settings


def main() -> int:
    """Answer requests until the container is stopped; return the exit code."""
    warnings.filterwarnings("ignore", module="PIL")  # about pictures that are odd but readable
    gc.disable()  # what a start allocates stays: searching it for garbage again and again is a tenth of it
    try:
        _serve()
    except ShutterlessError as error:
        for line in (
            f"error: {error.message}",
            error.hint,
        ):  # which may quote the bundle: no control characters
            print(*filter(str.isprintable, line), sep="", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _serve() -> None:
    runtime_api = os.environ.get("AWS_LAMBDA_RUNTIME_API", "")
    if runtime_api:
        from shutterless.runtime.adapters import runtime_client

        runtime_client.run(runtime_api, _enable_garbage_collection)
    else:
        from shutterless.runtime.adapters.http_server import serve  # which Lambda need not load

        settings = Settings.from_env(os.environ)
        serve(settings, host="0.0.0.0", ready=lambda url: _enable_garbage_collection())


def _enable_garbage_collection() -> None:
    """Collect garbage from now on, but not among what is loaded."""
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    sys.exit(main())
