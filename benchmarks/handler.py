"""The Lambda handler beside its floor: what bare LiteRT and Pillow need for the same answers.

    python benchmarks/handler.py BUNDLE PHOTO … [--rounds 7] [--calls 200] [--json FILE]

The floor imports LiteRT, NumPy and Pillow, loads the model, decodes and infers, and does nothing else:
no checks, no limits, no verification, no calibration. Each round starts a process of either side, in
turn, on one core, with the file cache warm; a ratio is the median of the rounds' ratios.
"""

import argparse
import http.server
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
from pathlib import Path

SIDES = Path(__file__).with_name("handler_sides.py")
WAYS = ("raw", "base64", "url")
GOALS = {"first answer": 1.35, "raw p50": 1.15, "memory": 1.2}


def main() -> None:
    """Measure, print the table, and write the JSON if asked."""
    options = _options()
    files = [file for photo in options.photos for file in _files(photo)][:50]
    server = _photo_server(files)
    urls = [f"http://127.0.0.1:{server.server_port}/{number}" for number in range(len(files))]
    job = {"bundle": str(options.bundle), "files": [str(file) for file in files], "urls": urls}
    rounds = [
        {side: _measure(side, {**job, "calls": options.calls}) for side in ("floor", "handler")}
        for _ in range(options.rounds)
    ]
    server.shutdown()
    table = {
        name: _row([(one["handler"][name], one["floor"][name]) for one in rounds])
        for name in rounds[0]["floor"]
    }
    _print(table, options, len(files))
    if options.json:
        document = {"machine": _machine(), "photos": len(files), "rounds": rounds, "table": table}
        options.json.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photos", type=Path, nargs="+", help="picture files or folders of them")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=200, help="warm calls of each way in each round")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _files(photo: Path) -> list[Path]:
    return sorted(path for path in photo.rglob("*") if path.is_file()) if photo.is_dir() else [photo]


def _photo_server(files: list[Path]) -> http.server.ThreadingHTTPServer:
    """Serve the files at /0, /1, … on loopback, keep-alive off as a stranger's host might."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = files[int(self.path[1:])].read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _measure(side: str, job: dict[str, object]) -> dict[str, float]:
    """Run one side in a new process on one core; return its figures, ms and MB."""
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        [sys.executable, str(SIDES), side],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        env={**os.environ, "SHUTTERLESS_BUNDLE": str(job["bundle"]), "SHUTTERLESS_URLS": "any"},
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _row(pairs: list[tuple[float, float]]) -> dict[str, float]:
    ratios = sorted(ours / floor for ours, floor in pairs)
    return {
        "handler": statistics.median(ours for ours, _ in pairs),
        "floor": statistics.median(floor for _, floor in pairs),
        "ratio": statistics.median(ratios),
        "least": ratios[0],
        "most": ratios[-1],
    }


def _print(table: dict[str, dict[str, float]], options: argparse.Namespace, photos: int) -> None:
    print(f"{_machine()}; {photos} photos, {options.rounds} rounds, {options.calls} calls of each way\n")
    print("| | handler | floor | ratio | from … to | goal |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, row in table.items():
        unit = "MB" if name == "memory" else "ms"
        goal = f"≤ {GOALS[name]}" if name in GOALS else ""
        print(
            f"| {name} | {row['handler']:.1f} {unit} | {row['floor']:.1f} {unit} | {row['ratio']:.2f} "
            f"| {row['least']:.2f} … {row['most']:.2f} | {goal} |"
        )


def _machine() -> str:
    return f"Python {platform.python_version()}, {platform.machine()}, one core"


if __name__ == "__main__":
    main()
