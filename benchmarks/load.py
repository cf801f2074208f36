"""Load test of `shutterless serve` with many clients: is every answer right, does the memory stay constant?

    python -m benchmarks.load BUNDLE PHOTOS [--clients 64] [--seconds 60] [--cores 2]

First every photo is sent once, one after the other. Then the clients send them in random order, each over its
own connection, and every answer must be the same as before. The exit code is 1 if one is not, or if a request
fails with anything but 503. Linux only: memory is read from /proc.
"""

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders import percentiles, resident_memory
from benchmarks.materials import find_pictures

RAW = {"Content-Type": "application/octet-stream"}


def main() -> int:
    options = parse()
    photos = [file.read_bytes() for file in find_pictures(options.photos)]
    with serving(options.bundle, options.cores) as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        expected = [ask(connection, photo)[1] for photo in photos]
        print(f"{len(photos)} photos, one after the other: {resident_memory(process.pid):.0f} MB")
        clients = Clients(port, photos, expected)
        clients.run(options.clients, options.seconds, lambda: resident_memory(process.pid))
    return clients.report()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photos", type=Path, help="a folder with .jpg or .png files, at any depth")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cores", type=int, default=2, help="cores that server and clients share")
    return parser.parse_args()


@contextmanager
def serving(bundle: Path, cores: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start the server on a free port, on some of the cores, which the clients share with it."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    code = "from shutterless.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", str(bundle), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield process, int(process.stdout.readline().rsplit(":", 1)[1])
        finally:
            process.terminate()


def ask(connection: http.client.HTTPConnection, photo: bytes) -> tuple[int, dict[str, float]]:
    """Return the status and the scores."""
    connection.request("POST", "/predict", photo, RAW)
    response = connection.getresponse()
    return response.status, json.loads(response.read()).get("scores", {})


class Clients:
    """Threads that send photos and know the right answers."""

    def __init__(self, port: int, photos: list[bytes], expected: list[dict[str, float]]) -> None:
        self.port, self.photos, self.expected = port, photos, expected
        self.outcomes: Counter[str] = Counter()
        self.milliseconds: list[float] = []
        self.memory: list[float] = []
        self.stop = threading.Event()

    def run(self, clients: int, seconds: float, memory) -> None:
        threads = [threading.Thread(target=self.ask_on, args=[seed]) for seed in range(clients)]
        end = time.monotonic() + seconds
        for thread in threads:
            thread.start()
        while (remaining := end - time.monotonic()) > 0:
            time.sleep(min(seconds / 12, remaining))
            self.memory.append(memory())
            print(f"{seconds - (end - time.monotonic()):5.0f} s  {self.memory[-1]:.0f} MB", flush=True)
        self.stop.set()
        for thread in threads:
            thread.join()
        self.seconds = seconds

    def ask_on(self, seed: int) -> None:
        choose = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.stop.is_set():
            photo = choose.randrange(len(self.photos))
            start_time = time.perf_counter()
            try:
                status, scores = ask(connection, self.photos[photo])
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.outcomes[type(error).__name__] += 1
                connection.close()
                continue
            self.milliseconds.append((time.perf_counter() - start_time) * 1000)
            right = "" if status != 200 or scores == self.expected[photo] else ", wrong"
            self.outcomes[f"{status}{right}"] += 1
            if status == 503:
                time.sleep(0.1)

    def report(self) -> int:
        """Print the results; return the exit code."""
        p50, p95 = percentiles(self.milliseconds)
        print(f"{sum(self.outcomes.values())} requests: {dict(self.outcomes)}")
        print(f"{self.outcomes['200'] / self.seconds:.0f} answers per second")
        print(f"answered within {p50:.0f} ms (50 %), {p95:.0f} ms (95 %)")
        memory = self.memory[len(self.memory) // 4 :]
        print(f"memory after a quarter of the time: {min(memory):.0f} to {max(memory):.0f} MB")
        return 0 if self.outcomes.keys() <= {"200", "503"} else 1


if __name__ == "__main__":
    sys.exit(main())
