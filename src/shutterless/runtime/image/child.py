"""The process that decodes one unusual picture within limits; `isolation.py` starts it."""

import contextlib
import os
import signal
import sys
from pathlib import Path

from shutterless.runtime import host_resources
from shutterless.runtime.image.decoder import InputSpec, decode
from shutterless.runtime.problems import Problem

# Libraries, stacks and what the memory allocator reserves but does not use.
ADDRESS_SPACE = 512 << 20


def main(height: str, width: str, resize: str, interpolation: str, *limits: str) -> None:
    """Decode the picture on standard input to standard output."""
    memory, cpu_seconds, seconds = map(float, limits)
    limit_process(int(memory), cpu_seconds, seconds)
    write(b"R")
    data = sys.stdin.buffer.read()
    try:
        spec = InputSpec(int(height), int(width), resize, interpolation)  # type: ignore[arg-type]
        write(b"P" + decode(data, spec, int(memory)).tobytes())
    except Problem as problem:
        write(f"E{problem.code}\n{problem.detail}".encode())
    except Exception:
        import traceback

        write(f"Einternal\n{traceback.format_exc()[-2000:]}".encode())


def limit_process(memory: int, cpu_seconds: float, seconds: float) -> None:
    """Limit this process; the system ends it when it exceeds a limit, whatever it is doing.

    Args:
        memory: Bytes that it may allocate, including those that it has.
        cpu_seconds: CPU time that it may take from now on.
        seconds: Time on the clock that it may take from now on, also if the service is gone.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # a service that is stopped finishes its requests
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # the first to end if there is no memory left
    with contextlib.suppress(OSError):
        os.nice(10)  # ordinary photos come first
    used_seconds = int(sum(os.times()[:2]))
    whole_seconds = used_seconds + int(cpu_seconds) + 2
    host_resources.limit_process(
        RLIMIT_CORE=0,
        RLIMIT_FSIZE=0,
        RLIMIT_CPU=whole_seconds,
        RLIMIT_DATA=memory,
        RLIMIT_AS=memory + ADDRESS_SPACE,
    )
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def write(data: bytes) -> None:
    """Write bytes to standard output at once."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
