"""Many clients at once against `shutterless serve`: is every answer right, and does the memory stay flat?

    python benchmarks/load.py BUNDLE PHOTOS [--clients 64] [--seconds 60] [--cores 2]

First every photo is asked about once, one after the other. Then the clients send them in random order, each
over its own connection, and every answer must be the first one. Exit code 1 if one is not, or if any request
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

from preparing import pictures
from sides import percentiles, resident

RAW = {"Content-Type": "application/octet-stream"}


def main() -> int:
    options = parse()
    photos = [file.read_bytes() for file in pictures(options.photos)]
    with serving(options.bundle, options.cores) as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        expected = [ask(connection, photo)[1] for photo in photos]
        print(f"{len(photos)} photos, one after the other: {resident(process.pid):.0f} MB")
        clients = Clients(port, photos, expected)
        clients.run(options.clients, options.seconds, lambda: resident(process.pid))
    return clients.report()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photos", type=Path, help="a folder with .jpg or .png files, at any depth")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cores", type=int, default=2, help="that server and clients share")
    return parser.parse_args()


@contextmanager
def serving(bundle: Path, cores: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start the server on a free port and on so many cores, which the clients share with it."""
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
    """Threads that ask about photos and know the right answers."""

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
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(seconds / 12, left))
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
            started = time.perf_counter()
            try:
                status, scores = ask(connection, self.photos[photo])
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.outcomes[type(error).__name__] += 1
                connection.close()
                continue
            self.milliseconds.append((time.perf_counter() - started) * 1000)
            right = "" if status != 200 or scores == self.expected[photo] else ", wrong"
            self.outcomes[f"{status}{right}"] += 1
            if status == 503:
                time.sleep(0.1)

    def report(self) -> int:
        """Print what came of it; return the exit code."""
        p50, p95 = percentiles(self.milliseconds)
        print(f"{sum(self.outcomes.values())} requests: {dict(self.outcomes)}")
        print(f"{self.outcomes['200'] / self.seconds:.0f} answers a second, of all requests")
        print(f"half within {p50:.0f} ms, 95 % within {p95:.0f} ms")
        later = self.memory[len(self.memory) // 4 :]
        print(f"memory after a quarter of the time: {min(later):.0f} to {max(later):.0f} MB")
        return 0 if self.outcomes.keys() <= {"200", "503"} else 1


if __name__ == "__main__":
    sys.exit(main())
