"""The socket that the HTTP server accepts connections from."""

import contextlib
import socket
import struct
import sys

from shutterless.errors import InputError

# Each connection costs an open file, of which a process often has 1,024.
MAX_CONNECTIONS = 512
# Of Linux's linux/filter.h and asm-generic/socket.h.
BPF_RETURN, SO_ATTACH_FILTER = 0x06, 26


def listen(host: str, port: int) -> socket.socket:
    """Open a port.

    Raises:
        InputError: `cannot-listen` if it is taken, or `host` is not an address of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise InputError(
            "cannot-listen",
            f"Cannot listen on {host}, port {port}: {error.strerror or error}",
            "Choose another port with --port (0 takes a free one), or stop what is using this one.",
        ) from error


def hide(listener: socket.socket) -> None:
    """Let the system take no more connections, so that none is lost between the last accept and the close.

    On Linux, a filter that lets no packet through hides a socket: clients try again, and are refused then.
    """
    if sys.platform == "linux":
        import ctypes  # a server that runs does not need it

        program = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, 0))
        pointer = struct.pack("HP", 1, ctypes.addressof(program))  # the number of its instructions, and where
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)
