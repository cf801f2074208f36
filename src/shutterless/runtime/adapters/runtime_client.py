"""Lambda's runtime interface client, and the handler that it calls."""

import os
import signal
import sys
from collections.abc import Callable

from shutterless.runtime.adapters.lambda_function import load_service

HANDLER = "shutterless.runtime.adapters.lambda_function.lambda_handler"


def run(runtime_api: str, ready: Callable[[], None] = lambda: None) -> None:
    """Answer the events of Lambda's runtime API until the environment ends.

    The model is loaded before the first event is requested, so that Lambda counts the time as
    initialization and SnapStart's snapshot contains it; a failure is reported as one of initialization.
    Nothing has to be renewed after a restore: no connection is kept, and request ids come from the kernel.

    Args:
        runtime_api: Host and port of the runtime API.
        ready: Called once the model is loaded.
    """
    from awslambdaric import bootstrap  # type: ignore[import-untyped]
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # type: ignore[import-untyped]

    # The first process of a container is not ended by a signal that it does not handle, and Python
    # handles none while the main thread waits inside the client's C code.
    client = LambdaRuntimeClient(runtime_api, use_thread_for_polling_next=True)
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    try:
        load_service()
    except Exception:
        client.post_init_error(bootstrap.build_fault_result(sys.exc_info(), None))
        raise
    ready()
    bootstrap.run(HANDLER, client)
