"""Give damaged models and bundles to `predict` and `serve`, and count what happens.

    python scripts/try_models.py BUNDLE PHOTO [--models 900] [--bundles 300]

Each command runs in a process of its own. What may happen: it answers the photo, or it refuses the bundle
with an error of ours. What may not happen: a signal, a traceback, no end, or an answer without finite scores.
Those are printed with their seed, and the exit code is 1. Linux only.
"""

import argparse
import json
import math
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from damage_models import write_damaged_bundle, write_damaged_model
from shutterless import inference, serving  # noqa: F401, imported so that the copies of this process need not
from shutterless.cli.app import app
from shutterless.errors import ShutterlessError

TIMEOUT = 200.0  # seconds of one command; the check of a model has 180
MEMORY = 8 << 30  # bytes of address space
REFUSED = 3  # exit code
ANSWERED = "answered"

Command = Callable[[Path, Path], str]


def predict(bundle: Path, photo: Path) -> str:
    """Run `predict` on a photo and return what happened."""
    with _running("predict", bundle, photo, "--json") as (process, output, errors):
        ended = _wait(process, time.monotonic() + TIMEOUT)
        if ended == ANSWERED:
            scores = json.loads(output.read_text("utf-8"))["predictions"][0]["scores"]
            ended = ANSWERED if all(map(math.isfinite, scores.values())) else "not finite"
        return _outcome(ended, errors)


def serve(bundle: Path, photo: Path) -> str:
    """Run `serve`, send it a photo, stop it, and return what happened."""
    deadline = time.monotonic() + TIMEOUT
    with _running("serve", bundle, "--port", "0") as (process, output, errors):
        while not (url := output.read_text("utf-8").strip()) and not _has_ended(process):
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        status = _post(f"{url}/predict", photo) if url else 200
        if url:
            os.kill(process, signal.SIGTERM)
        ended = _wait(process, deadline)
        return _outcome(ended if status == 200 else f"status {status}", errors)


def _post(url: str, photo: Path) -> int:
    request = urllib.request.Request(url, photo.read_bytes(), {"Content-Type": "image/jpeg"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            document = json.load(answer)
            return answer.status if all(map(math.isfinite, document["scores"].values())) else 0
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@contextmanager
def _running(*arguments: object) -> Iterator[tuple[int, Path, Path]]:
    """Run a command in a copy of this process; give its id, and the files of its two outputs."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        output.touch()
        process = os.fork()
        if not process:
            _run([*map(str, arguments)], output, errors)
        yield process, output, errors


def _run(arguments: list[str], output: Path, errors: Path) -> None:
    """Run a command and exit; the code of an error of ours is the last line of its errors."""
    for descriptor, file in ((1, output), (2, errors)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        code = app(["--debug", *arguments], standalone_mode=False) or 0
    except ShutterlessError as error:
        print(error.code, file=sys.stderr)
        code = REFUSED
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _has_ended(process: int) -> bool:
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _wait(process: int, deadline: float) -> str:
    """Wait for a process and return how it ended."""
    descriptor = os.pidfd_open(process)
    is_over, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
    os.close(descriptor)
    if not is_over:
        os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    if not is_over:
        return "no end"
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    code = os.WEXITSTATUS(status)
    return {0: ANSWERED, REFUSED: "refused"}.get(code, f"exit code {code}")


def _outcome(ended: str, errors: Path) -> str:
    text = errors.read_text("utf-8", "replace") if errors.exists() else ""
    if "Traceback" in text:
        return f"traceback: {text.strip().splitlines()[-1][:200]}"
    return f"refused: {text.strip().splitlines()[-1]}" if ended == "refused" else ended


def is_allowed(outcome: str) -> bool:
    """Tell whether an outcome is one of the two that are wanted."""
    return outcome == ANSWERED or outcome.startswith("refused: ")


def try_seeds(
    write: Callable[[Path, Path, int], None], bundle: Path, photo: Path, seeds: range
) -> Iterator[tuple[int, str, str]]:
    """Yield the seed, the command and the outcome for each damaged bundle and each of both commands."""
    commands: dict[str, Command] = {"predict": predict, "serve": serve}
    for seed in seeds:
        for name, command in commands.items():
            with tempfile.TemporaryDirectory() as folder:
                damaged = Path(folder, "bundle")
                write(bundle, damaged, seed)
                yield seed, name, command(damaged, photo)
                shutil.rmtree(damaged, ignore_errors=True)


def main() -> int:
    """Print the outcomes by command, and those that may not happen with their seeds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--models", type=int, default=900)
    parser.add_argument("--bundles", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    is_good = True
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        for kind, write, count in (
            ("models", write_damaged_model, options.models),
            ("bundles", write_damaged_bundle, options.bundles),
        ):
            counts: dict[str, Counter[str]] = {"predict": Counter(), "serve": Counter()}
            seeds = range(options.first, options.first + count)
            for seed, command, outcome in try_seeds(write, options.bundle, options.photo, seeds):
                counts[command][outcome] += 1
                if not is_allowed(outcome):
                    is_good = False
                    print(f"{kind}, seed {seed}, {command}: {outcome}", file=sys.stderr, flush=True)
            print(json.dumps({kind: counts}, indent=2), flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
