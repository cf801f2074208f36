"""The contenders of `handler.py`, each measured in a process of its own.

Nothing is imported here but what every contender needs, because imports are part of what is measured.
"""

import binascii
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Classifies the photo in an input, which another function makes; returns the answer as JSON.
Answer = Callable[[Any], str]
# By the path on which a photo reaches a contender: raw, base64 or URL. The first one is measured first.
Answers = dict[str, Answer]
PATHS = {"tutorial": ("base64", "URL"), "onnxruntime": ("raw",), "keras": ("raw",)}
ALL_PATHS = ("raw", "base64", "URL")


def make_input(job: dict[str, Any], path: str, number: int) -> Any:
    """Return what brings a contender a photo: an event for functions, the photo itself for others."""
    data, url = Path(job["files"][number]).read_bytes(), job["urls"][number]
    text = binascii.b2a_base64(data, newline=False).decode()
    members = {"url": url} if path == "URL" else {"image": text}
    if job["contender"] == "tutorial":
        return members
    if job["contender"] != "handler":
        return {"raw": data, "base64": text, "URL": url}[path]
    if path == "raw":
        return _event(text, "image/jpeg", encoded=True)
    return _event(json.dumps(members), "application/json", encoded=False)


def floor(job: dict[str, Any]) -> Answers:
    """Return all three paths, with nothing but the libraries."""
    import base64
    import io
    import urllib.request

    import numpy as np
    from ai_edge_litert.interpreter import Interpreter
    from PIL import Image

    interpreter = Interpreter(str(Path(job["bundle"]) / "model.tflite"), num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    height, width = source["shape"][1:3]

    def answer(data: bytes) -> str:
        picture = (
            Image.open(io.BytesIO(data)).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        )
        interpreter.set_tensor(source["index"], np.asarray(picture)[np.newaxis])
        interpreter.invoke()
        return _scores(job, interpreter.get_tensor(target["index"])[0])

    return {
        "raw": answer,
        "base64": lambda text: answer(base64.b64decode(text)),
        "URL": lambda url: answer(urllib.request.urlopen(url).read()),
    }


def handler(job: dict[str, Any]) -> Answers:
    """Return all three paths through `lambda_handler`, from HTTP API events to their JSON answers."""
    from shutterless.runtime.adapters.lambda_function import lambda_handler

    def answer(event: dict[str, Any]) -> str:
        response = lambda_handler(event)
        if response["statusCode"] != 200:
            sys.exit(str(response["body"]))
        return str(response["body"])

    return dict.fromkeys(ALL_PATHS, answer)


def tutorial(job: dict[str, Any]) -> Answers:
    """Return the two paths of the tutorial's function, with its own preprocessing and network.

    LiteRT's interpreter replaces tflite-runtime's, which has no wheel for this Python.
    """
    import os

    from ai_edge_litert import interpreter

    sys.modules["tflite_runtime.interpreter"] = interpreter
    sys.path.insert(0, str(Path(__file__).parent / "tutorial"))
    os.chdir(job["tutorial"])
    from lambda_function import lambda_handler

    return dict.fromkeys(PATHS["tutorial"], lambda event: json.dumps(lambda_handler(event, None)))


def onnxruntime(job: dict[str, Any]) -> Answers:
    """Return the raw path with ONNX Runtime on one thread, and our decoder."""
    import numpy as np
    import onnxruntime

    from shutterless.runtime.image.decoder import InputSpec, decode

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(job["onnx"], options, providers=["CPUExecutionProvider"])
    spec, name = InputSpec(**job["input"]), session.get_inputs()[0].name

    def classify(data: bytes) -> str:
        pixels = np.asarray(decode(data, spec))
        return _scores(job, session.run(None, {name: pixels[None]})[0][0])

    return {"raw": classify}


def keras(job: dict[str, Any]) -> Answers:
    """Return the raw path with Keras on TensorFlow on one thread, and our decoder.

    `predict_on_batch` is the fastest of Keras's methods: `predict` and a call take seven times as long.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import keras
    import numpy as np

    from shutterless.runtime.image.decoder import InputSpec, decode

    model, spec = keras.models.load_model(job["keras"], compile=False), InputSpec(**job["input"])
    return {"raw": lambda data: _scores(job, model.predict_on_batch(np.asarray(decode(data, spec))[None])[0])}


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measure one contender: from before its first import to its first answer, then its warm calls.

    An input is made before each call and held no longer than it. The memory is that after the calls on the
    first path: what the other paths import, such as TLS, does not count for some only.

    Returns:
        Milliseconds and megabytes, and under `answers` its answer for each photo.
    """
    contenders = {each.__name__: each for each in (floor, handler, tutorial, onnxruntime, keras)}
    contender, photos = job["contender"], len(job["files"])
    paths = job.get("paths") or PATHS.get(contender, ALL_PATHS)
    event = make_input(job, paths[0], 0)
    start_time = time.perf_counter()
    answers = contenders[contender](job)
    answers[paths[0]](event)
    figures = {"import to first answer": (time.perf_counter() - start_time) * 1000}
    for path in paths:
        times = [
            _time(answers[path], make_input(job, path, number % photos)) for number in range(job["calls"])
        ]
        figures[f"{path}, p50"], figures[f"{path}, p95"] = percentiles(times)
        figures.setdefault("resident memory", resident_memory())
    results = [answers[paths[0]](make_input(job, paths[0], number)) for number in range(photos)]
    return {**figures, "answers": [json.loads(result) for result in results]}


def resident_memory(process: int | str = "self") -> float:
    """Return the resident memory of a process in megabytes (Linux)."""
    return parse_resident_memory(Path(f"/proc/{process}/status").read_text())


def parse_resident_memory(status: str) -> float:
    """Return the megabytes of resident memory in the text of /proc/…/status."""
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


def percentiles(times: list[float]) -> tuple[float, float]:
    """Return the p50 and the p95 of some times."""
    ascending = sorted(times)
    return ascending[len(ascending) // 2], ascending[len(ascending) * 95 // 100]


def _time(answer: Answer, content: Any) -> float:
    start_time = time.perf_counter()
    answer(content)
    return (time.perf_counter() - start_time) * 1000


def _scores(job: dict[str, Any], scores: Any) -> str:
    return json.dumps(dict(zip(job["labels"], map(float, scores), strict=True)))


def _event(body: str, kind: str, *, encoded: bool) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": "/predict",
        "headers": {"content-type": kind},
        "requestContext": {"stage": "$default", "http": {"method": "POST", "path": "/predict"}},
        "body": body,
        "isBase64Encoded": encoded,
    }
