"""Connect to a Ray cluster, or start Ray in this process."""

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shutterless.errors import InputError
from shutterless.runtime.host_resources import cores

# Ray's shared memory on this machine, such as for parts that have not been written; the rest is written to
# the disk.
OBJECT_STORE_BYTES = 200 << 20
CONNECT_TIMEOUT = 10.0
MAX_FOLDER = 24  # characters; names of sockets have up to 107, of which Ray needs about 80


@contextmanager
def connected(address: str, cpus: int = 0) -> Iterator[None]:
    """Connect to a cluster, or start Ray in this process; stop what was started.

    Args:
        address: Address of a cluster; if empty, that of RAY_ADDRESS, or else Ray runs in this process.
        cpus: CPUs that Ray may use in this process; 0 for all.

    Raises:
        InputError: There is no cluster at the address (`no-cluster`).
    """
    import ray

    if ray.is_initialized() and not address:  # by whoever called us
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS", "")
    is_embedded = address in ("", "local")
    folder = tempfile.mkdtemp(prefix="ray-", dir=_short_folder()) if is_embedded else ""
    options: dict[str, Any] = {
        "include_dashboard": False,
        "num_cpus": cpus or cores(),
        "object_store_memory": OBJECT_STORE_BYTES,
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": folder,
    }
    try:
        _start(address or "local", options if is_embedded else {})
        yield
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _start(address: str, options: Mapping[str, Any]) -> None:
    import ray

    try:
        _knock(address)
        with _without_usage_statistics():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:  # a start that takes too long is a plain Exception
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            "no-cluster",
            f"Cannot use Ray at {address}: {reason}",
            "Try again when this machine is less busy."
            if options
            else "Check the address with `ray status`, and that Ray and Python have the same versions there.",
        ) from error


def _knock(address: str) -> None:
    """Connect to the host and port of an address: where nobody listens, Ray would try for ten minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT).close()


def _short_folder() -> str:
    """Return a folder for temporary files whose name leaves room for Ray's sockets."""
    folder = tempfile.gettempdir()
    return folder if len(folder) <= MAX_FOLDER else "/tmp"


@contextmanager
def _without_usage_statistics() -> Iterator[None]:
    """Keep Ray from sending statistics about its use."""
    name = "RAY_USAGE_STATS_ENABLED"
    value = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
