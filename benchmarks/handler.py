"""The Lambda handler compared with bare LiteRT, the tutorial's function, ONNX Runtime and TensorFlow.

    python -m benchmarks.handler [--run RUN] [--bundle BUNDLE] [--photos DATASET] [--rounds N]

Bare LiteRT is the floor: it imports LiteRT, NumPy and Pillow, loads the model, decodes and infers, without
any checks, limits, verification or calibration. The tutorial's function has its own network, with random
weights, and its own preprocessing. ONNX Runtime and Keras on TensorFlow serve the same network on the same
pixels. Two of our own bundles, in float32 and int8, show what the precision is worth. In each round, each
contender is a process of its own on one core, with a warm file cache.
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

from benchmarks.materials import Materials
from benchmarks.report import main
from benchmarks.rounds import CannotRunError, Figures, Results, compare, interleave, run_in_process

WARM = {f"{path}, {percentile}": "ms" for path in ("raw", "base64", "URL") for percentile in ("p50", "p95")}
INSTALLED = "installed by pip, with the model"
UNITS = {"import to first answer": "ms", **WARM, "resident memory": "MB", INSTALLED: "MB"}
NAMES = {
    "floor": "bare LiteRT",
    "tutorial": "tutorial's function",
    "onnxruntime": "ONNX Runtime",
    "keras": "TensorFlow, Keras",
}
GOALS = {
    "floor": {"import to first answer": 0.6, "raw, p50": 1.03, "resident memory": 0.7},
    "onnxruntime": {"import to first answer": 0.5},
}
PRECISIONS = ("int8", "float32")
PRECISION_UNITS = {"import to first answer": "ms", "raw, p50": "ms", "resident memory": "MB"}
PRECISION_GOALS = {"raw, p50": 0.5}
LITERT = ("ai-edge-litert", "numpy", "pillow")
ROUNDS, CALLS, QUICK_CALLS = 5, 100, 10

Answers = list[dict[str, float]]


def rows(materials: Materials) -> Results:
    """Measure all contenders interleaved; yield our handler compared with each of the others."""
    jobs: dict[str, dict[str, Any]] = {"handler": {}, "floor": {}}
    for name, make_job in (("tutorial", _tutorial), ("onnxruntime", _onnxruntime), ("keras", _keras)):
        try:
            jobs[name] = make_job(materials)
        except CannotRunError as error:
            yield f"{NAMES[name]}: not run: {error}"
    try:
        jobs |= {precision: _precision(materials.bundle_in(precision)) for precision in PRECISIONS}
    except CannotRunError as error:
        yield f"int8 and float32: not run: {error}"
    answers: dict[str, Answers] = {}
    with photo_server(materials.photos) as urls:
        files = [str(file) for file in materials.photos]
        job = {**_describe_bundle(materials.bundle), "files": files, "urls": urls}
        job["calls"] = QUICK_CALLS if materials.quick else CALLS
        contenders = {
            name: partial(_measure, {**job, "contender": name, **more}, answers)
            for name, more in jobs.items()
        }
        for measure in contenders.values():
            measure(calls=1)  # which brings its files into the cache
        rounds = interleave(materials.rounds(ROUNDS), contenders)
    for name in [name for name in NAMES if name in jobs]:
        yield from compare(rounds, "handler", name, UNITS, GOALS.get(name), NAMES[name])
    if "int8" in jobs:
        yield from compare(rounds, *PRECISIONS, PRECISION_UNITS, PRECISION_GOALS, "float32", prefix="int8")
    for name in [name for name in ("onnxruntime", "keras") if name in jobs]:
        yield f"{NAMES[name]}: {describe_agreement(answers['handler'], answers[name], job['temperature'])}"


def _tutorial(materials: Materials) -> dict[str, Any]:
    folder = materials.tutorial
    return {"tutorial": str(folder), "installed": _installed_size(folder / "model.tflite", *LITERT)}


def _onnxruntime(materials: Materials) -> dict[str, Any]:
    return {
        "onnx": str(materials.onnx),
        "installed": _installed_size(materials.onnx, "onnxruntime", "numpy", "pillow"),
    }


def _keras(materials: Materials) -> dict[str, Any]:
    model = materials.run / "model.keras"
    tensorflow = importlib.metadata.packages_distributions().get("tensorflow", ["tensorflow"])[0]
    return {"keras": str(model), "installed": _installed_size(model, tensorflow, "keras", "pillow")}


def _precision(bundle: Path) -> dict[str, Any]:
    return {**_describe_bundle(bundle), "contender": "handler", "paths": ["raw"]}


def _describe_bundle(bundle: Path) -> dict[str, Any]:
    """Return what the contenders must know about the bundle, and the size of it and its packages."""
    document = json.loads((bundle / "bundle.json").read_text("utf-8"))
    return {
        "bundle": str(bundle),
        "labels": document["labels"],
        "input": document["input"],
        "temperature": document["temperature"],
        "installed": _installed_size(bundle / "model.tflite", *LITERT),
    }


def _installed_size(model: Path, *packages: str) -> float:
    """Return the megabytes of a model and of packages with all that they require, without bytecode."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    names, size = {canonicalize_name(package) for package in packages}, model.stat().st_size
    visits: set[str] = set()
    while names - visits:
        visits.add(name := (names - visits).pop())
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise CannotRunError(f"{name} is not installed; make bench installs it") from None
        files = (file.locate() for file in distribution.files or () if file.suffix != ".pyc")
        size += sum(file.stat().st_size for file in map(Path, files) if file.is_file())
        requirements = map(Requirement, distribution.requires or ())
        names |= {
            canonicalize_name(requirement.name)
            for requirement in requirements
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        }
    return size / 1e6


@contextmanager
def photo_server(files: list[Path]) -> Iterator[list[str]]:
    """Serve the files on localhost, without keep-alive, as any host might; yield their URLs."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = files[int(self.path[1:])].read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield [f"http://127.0.0.1:{server.server_port}/{number}" for number in range(len(files))]
        server.shutdown()


def _measure(job: dict[str, Any], answers: dict[str, Answers], **changes: int) -> Figures:
    """Measure one contender in a new process on one core; keep its answers apart from its figures."""
    job = {**job, **changes}
    environment = {
        "SHUTTERLESS_BUNDLE": job["bundle"],
        "SHUTTERLESS_URLS": "any",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",  # as Lambda sets it where a request waits
    }
    figures = run_in_process("benchmarks.contenders", "measure", job, cores=1, environment=environment)
    answers[job["contender"]] = [answer.get("scores", answer) for answer in figures.pop("answers")]
    if job["contender"] != "floor":  # which has the same packages and model
        figures[INSTALLED] = job["installed"]
    return figures


def describe_agreement(ours: Answers, theirs: Answers, temperature: float) -> str:
    """Describe how far two contenders agree, with the bundle's temperature applied to theirs as to ours."""
    calibrated = [_at_temperature(scores, temperature) for scores in theirs]
    same = sum(max(a, key=a.get) == max(b, key=b.get) for a, b in zip(ours, calibrated, strict=True))
    largest = max(abs(a[label] - b[label]) for a, b in zip(ours, calibrated, strict=True) for label in a)
    return f"the same label for {same} of {len(ours)} photos, scores differ by at most {largest:.2g}"


def _at_temperature(scores: dict[str, float], temperature: float) -> dict[str, float]:
    """Return softmax(logits / T) from softmax(logits): p^(1/T), scaled to add up to 1 again."""
    powers = {label: score ** (1 / temperature) for label, score in scores.items()}
    return {label: power / sum(powers.values()) for label, power in powers.items()}


if __name__ == "__main__":
    main({"handler": rows}, __doc__)
