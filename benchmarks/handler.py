"""The Lambda handler beside its floor, the tutorial's function, and what one would pick instead.

    python benchmarks/handler.py [--run RUN] [--bundle BUNDLE] [--photos DATASET] [--rounds N]

The floor imports LiteRT, NumPy and Pillow, loads the model, decodes and infers, and does nothing else: no
checks, no limits, no verification, no calibration. The tutorial's function has its own network, with random
weights, and its own preprocessing. ONNX Runtime and Keras on TensorFlow serve the same network on the same
pixels. Each side of each round is a process of its own on one core, with the file cache warm.
"""

import http.server
import importlib.metadata
import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from measuring import CannotRunError, Figures, Results, beside, in_new_process, in_turn
from preparing import Prepared
from reporting import main

WARM = {f"{way}, {share}": "ms" for way in ("raw", "base64", "URL") for share in ("p50", "p95")}
INSTALLED = "installed by pip, with the model"
UNITS = {"import to first answer": "ms", **WARM, "resident memory": "MB", INSTALLED: "MB"}
NAMES = {
    "floor": "bare LiteRT",
    "tutorial": "tutorial's function",
    "onnxruntime": "ONNX Runtime",
    "keras": "TensorFlow, Keras",
}
# Beside the floor, which is the only side that does less for the same answer.
GOALS = {"import to first answer": 1.35, "raw, p50": 1.15, "resident memory": 1.2}
LITERT = ("ai-edge-litert", "numpy", "pillow")
ROUNDS, CALLS, QUICK_CALLS = 5, 100, 10

Answers = list[dict[str, float]]


def rows(prepared: Prepared) -> Results:
    """Measure all sides in turn; yield our handler beside each of the others."""
    sides: dict[str, dict[str, Any]] = {"handler": {}, "floor": {}}
    for name, needs in (("tutorial", _tutorial), ("onnxruntime", _onnxruntime), ("keras", _keras)):
        try:
            sides[name] = needs(prepared)
        except CannotRunError as error:
            yield f"{NAMES[name]}: not run: {error}"
    answers: dict[str, Answers] = {}
    with photo_server(prepared.photos) as urls:
        job = {**_described(prepared.bundle), "files": [str(file) for file in prepared.photos], "urls": urls}
        job["calls"] = QUICK_CALLS if prepared.quick else CALLS
        measured = {
            name: partial(_measure, {**job, **more, "side": name}, answers) for name, more in sides.items()
        }
        for measure in measured.values():
            measure(calls=1)  # which brings its files into the cache
        rounds = in_turn(prepared.rounds(ROUNDS), measured)
    for name in list(sides)[1:]:
        yield from beside(rounds, "handler", name, UNITS, GOALS if name == "floor" else None, NAMES[name])
    for name in [name for name in ("onnxruntime", "keras") if name in sides]:
        yield f"{NAMES[name]}: {agreement(answers['handler'], answers[name], job['temperature'])}"


def _tutorial(prepared: Prepared) -> dict[str, Any]:
    folder = prepared.tutorial
    return {"tutorial": str(folder), "installed": _installed(folder / "model.tflite", *LITERT)}


def _onnxruntime(prepared: Prepared) -> dict[str, Any]:
    return {
        "onnx": str(prepared.onnx),
        "installed": _installed(prepared.onnx, "onnxruntime", "numpy", "pillow"),
    }


def _keras(prepared: Prepared) -> dict[str, Any]:
    model = prepared.run / "model.keras"
    tensorflow = importlib.metadata.packages_distributions().get("tensorflow", ["tensorflow"])[0]
    return {"keras": str(model), "installed": _installed(model, tensorflow, "keras", "pillow")}


def _described(bundle: Path) -> dict[str, Any]:
    """Return what the sides must know of the bundle, and what it and its packages weigh."""
    document = json.loads((bundle / "bundle.json").read_text("utf-8"))
    return {
        "bundle": str(bundle),
        "labels": document["labels"],
        "input": document["input"],
        "temperature": document["temperature"],
        "installed": _installed(bundle / "model.tflite", *LITERT),
    }


def _installed(model: Path, *packages: str) -> float:
    """Return the megabytes of a model and of packages with all that they need, bytecode left out."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    todo, size = {canonicalize_name(package) for package in packages}, model.stat().st_size
    done: set[str] = set()
    while todo - done:
        done.add(name := (todo - done).pop())
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise CannotRunError(f"{name} is not installed: .venv/bench has it") from None
        files = (file.locate() for file in distribution.files or () if file.suffix != ".pyc")
        size += sum(file.stat().st_size for file in map(Path, files) if file.is_file())
        needs = map(Requirement, distribution.requires or ())
        todo |= {
            canonicalize_name(need.name)
            for need in needs
            if need.marker is None or need.marker.evaluate({"extra": ""})
        }
    return size / 1e6


@contextmanager
def photo_server(files: list[Path]) -> Iterator[list[str]]:
    """Serve the files on loopback, keep-alive off as a stranger's host might; yield their URLs."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = files[int(self.path[1:])].read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield [f"http://127.0.0.1:{server.server_port}/{number}" for number in range(len(files))]
        server.shutdown()


def _measure(job: dict[str, Any], answers: dict[str, Answers], **changes: int) -> Figures:
    """Run one side in a new process on one core; keep its answers apart from its figures."""
    job = {**job, **changes}
    environment = {"SHUTTERLESS_BUNDLE": job["bundle"], "SHUTTERLESS_URLS": "any"}
    figures = in_new_process("sides", "measure", job, cores=1, environment=environment)
    answers[job["side"]] = [answer.get("scores", answer) for answer in figures.pop("answers")]
    if job["side"] != "floor":  # which has the same packages and model
        figures[INSTALLED] = job["installed"]
    return figures


def agreement(ours: Answers, theirs: Answers, temperature: float) -> str:
    """Say how far two sides agree once the bundle's temperature is applied to theirs, which ours has in."""
    calibrated = [_at_temperature(scores, temperature) for scores in theirs]
    same = sum(max(a, key=a.get) == max(b, key=b.get) for a, b in zip(ours, calibrated, strict=True))
    largest = max(abs(a[label] - b[label]) for a, b in zip(ours, calibrated, strict=True) for label in a)
    return (
        f"the same best label for {same} of {len(ours)} photos, largest difference of a score {largest:.2g}"
    )


def _at_temperature(scores: dict[str, float], temperature: float) -> dict[str, float]:
    """Return softmax(logits / T) from softmax(logits): p^(1/T), scaled to add up to 1 again."""
    powers = {label: score ** (1 / temperature) for label, score in scores.items()}
    return {label: power / sum(powers.values()) for label, power in powers.items()}


if __name__ == "__main__":
    main({"handler": rows}, __doc__)
