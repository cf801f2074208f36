"""Load test of `shutterless serve` with many clients: is every answer right, does the memory stay constant?

    python -m benchmarks.load BUNDLE PHOTOS [--clients 64] [--seconds 60] [--cores 2] [--attack NAME ...]

First every photo is sent once, one after the other. Then the clients send them in random order, half of them
over one connection each, the others over a new one for each photo, and every answer must be the same as
before. With attacks (see `benchmarks.attacks`; "all" takes all), a run without and a run with each of them
follow each other. The exit code is 1 if an answer is not the same, or if a request fails with anything but
503. Linux only: memory is read from /proc.
"""

import argparse
import http.client
import json
import math
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.attacks import ATTACKS
from benchmarks.contenders import resident_memory
from benchmarks.materials import find_pictures
from benchmarks.rounds import ROOT

RAW = {"Content-Type": "application/octet-stream"}


def main() -> int:
    options = parse()
    photos = [file.read_bytes() for file in find_pictures(options.photos)]
    with serving(options.bundle, options.cores) as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        expected = [ask(connection, photo)[1] for photo in photos]
        print(f"{len(photos)} photos, one after the other: {resident_memory(process.pid):.0f} MB")

        def run() -> Clients:
            clients = Clients(port, photos, expected)
            clients.run(options.clients, options.seconds, lambda: resident_memory(process.pid))
            return clients

        if not options.attack:
            return run().report()
        return compare(run, port, list(ATTACKS) if options.attack == ["all"] else options.attack)


def compare(run: Callable[[], "Clients"], port: int, attacks: list[str]) -> int:
    """Run the clients without and with each attack, print a row for each; return the exit code."""
    is_right = True
    for name in attacks:
        alone = run()
        with attacking(name, port):
            attacked = run()
        is_right &= attacked.is_right()
        ratio = attacked.percentile(95) / alone.percentile(95)
        print(
            f"{name:24} {attacked.outcomes['200']:6} of {attacked.outcomes.total():6} right; p95 "
            f"{alone.percentile(95):5.0f} → {attacked.percentile(95):5.0f} ms (×{ratio:.2f}), slowest "
            f"{attacked.percentile(100):5.0f} ms; {max(attacked.memory):4.0f} MB; {dict(attacked.outcomes)}",
            flush=True,
        )
    return 0 if is_right else 1


@contextmanager
def attacking(name: str, port: int) -> Iterator[None]:
    """Attack a server from another process."""
    command = [sys.executable, "-m", "benchmarks.attacks", name, str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            yield
        finally:
            process.terminate()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photos", type=Path, help="a folder with .jpg or .png files, at any depth")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cores", type=int, default=2, help="cores that server and clients share")
    parser.add_argument("--attack", nargs="+", choices=["all", *ATTACKS], metavar="NAME", default=[])
    return parser.parse_args()


@contextmanager
def serving(bundle: Path, cores: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start the server on a free port, on some of the cores, which the clients share with it."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    code = "from shutterless.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", str(bundle), "--port", "0", "--urls", "any"]
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
            if seed % 2:
                connection.close()
            if status == 503:
                time.sleep(0.1)

    def percentile(self, percent: int) -> float:
        """Return the milliseconds within which so many percent of all answers came."""
        times = sorted(self.milliseconds)
        return times[(len(times) - 1) * percent // 100] if times else math.inf

    def is_right(self) -> bool:
        return self.outcomes.keys() <= {"200", "503"}

    def report(self) -> int:
        """Print the results; return the exit code."""
        p50, p95 = self.percentile(50), self.percentile(95)
        print(f"{sum(self.outcomes.values())} requests: {dict(self.outcomes)}")
        print(f"{self.outcomes['200'] / self.seconds:.0f} answers per second")
        print(f"answered within {p50:.0f} ms (50 %), {p95:.0f} ms (95 %)")
        memory = self.memory[len(self.memory) // 4 :]
        print(f"memory after a quarter of the time: {min(memory):.0f} to {max(memory):.0f} MB")
        return 0 if self.is_right() else 1


if __name__ == "__main__":
    sys.exit(main())
