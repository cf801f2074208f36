"""Lambda's runtime interface client, and the function that it drives."""

import os
import signal
import sys
from collections.abc import Callable

from shutterless.runtime.adapters.lambda_function import service

HANDLER = "shutterless.runtime.adapters.lambda_function.lambda_handler"


def run(api: str, ready: Callable[[], None] = lambda: None) -> None:
    """Answer the events of the runtime API at the address `api`, until the environment ends.

    The model is loaded before the first event is asked for, so that the time counts as initialisation
    and SnapStart's snapshot holds it; a failure is reported as one of initialisation. Nothing has to be
    made fresh after a restore: no connection is kept, and request ids come from the kernel. ready: called
    once the model is loaded.
    """
    from awslambdaric import bootstrap  # type: ignore[import-untyped]
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # type: ignore[import-untyped]

    # The first process of a container is not ended by a signal that it does not handle, and Python
    # handles none while the main thread waits inside the client's C code.
    client = LambdaRuntimeClient(api, use_thread_for_polling_next=True)
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    try:
        service()
    except Exception:
        client.post_init_error(bootstrap.build_fault_result(sys.exc_info(), None))
        raise
    ready()
    bootstrap.run(HANDLER, client)
