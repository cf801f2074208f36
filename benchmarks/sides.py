"""The sides of `handler.py`, each measured in a process of its own.

Nothing is imported here but what every side needs, because imports are part of what is measured.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Answers the photo of this number as JSON.
Way = Callable[[int], str]
Ways = dict[str, Way]


def floor(job: dict[str, Any], photos: list[bytes]) -> Ways:
    """Return the three ways with nothing but the libraries."""
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

    texts = [base64.b64encode(data).decode() for data in photos]
    return {
        "raw": lambda n: answer(photos[n]),
        "base64": lambda n: answer(base64.b64decode(texts[n])),
        "URL": lambda n: answer(urllib.request.urlopen(job["urls"][n]).read()),
    }


def handler(job: dict[str, Any], photos: list[bytes]) -> Ways:
    """Return the three ways through `lambda_handler`, as HTTP API events and their JSON answers."""
    import base64

    from shutterless.runtime.adapters.lambda_function import lambda_handler

    texts = [base64.b64encode(data).decode() for data in photos]
    raw = [_event(text, "image/jpeg", encoded=True) for text in texts]
    coded = [_event(json.dumps({"image": text}), "application/json", encoded=False) for text in texts]
    urls = [_event(json.dumps({"url": url}), "application/json", encoded=False) for url in job["urls"]]

    def answer(event: dict[str, Any]) -> str:
        response = lambda_handler(event)
        if response["statusCode"] != 200:
            sys.exit(str(response["body"]))
        return str(response["body"])

    return {
        "raw": lambda n: answer(raw[n]),
        "base64": lambda n: answer(coded[n]),
        "URL": lambda n: answer(urls[n]),
    }


def tutorial(job: dict[str, Any], photos: list[bytes]) -> Ways:
    """Return the two ways that the tutorial's function knows, with its own preprocessing and network.

    LiteRT's interpreter stands for tflite-runtime's, of which there is no wheel for this Python.
    """
    import base64
    import os

    from ai_edge_litert import interpreter

    sys.modules["tflite_runtime.interpreter"] = interpreter
    sys.path.insert(0, str(Path(__file__).parent / "tutorial"))
    os.chdir(job["tutorial"])
    from lambda_function import lambda_handler

    events = [{"image": base64.b64encode(data).decode()} for data in photos]
    return {
        "base64": lambda n: json.dumps(lambda_handler(events[n], None)),
        "URL": lambda n: json.dumps(lambda_handler({"url": job["urls"][n]}, None)),
    }


def onnxruntime(job: dict[str, Any], photos: list[bytes]) -> Ways:
    """Return the one way with ONNX Runtime on one thread, and our decoder."""
    import onnxruntime

    from shutterless.runtime.image.decoder import InputSpec, decode

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(job["onnx"], options, providers=["CPUExecutionProvider"])
    spec, name = InputSpec(**job["input"]), session.get_inputs()[0].name
    return {
        "raw": lambda n: _scores(job, session.run(None, {name: decode(photos[n], spec)[None]})[0][0]),
    }


def keras(job: dict[str, Any], photos: list[bytes]) -> Ways:
    """Return the one way with Keras on TensorFlow on one thread, and our decoder.

    `predict_on_batch` is the quickest of Keras's own: `predict` and the call take seven times as long.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import keras

    from shutterless.runtime.image.decoder import InputSpec, decode

    model, spec = keras.models.load_model(job["keras"], compile=False), InputSpec(**job["input"])
    return {"raw": lambda n: _scores(job, model.predict_on_batch(decode(photos[n], spec)[None])[0])}


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measure one side: from before its first import to its first answer, then its warm calls.

    Returns milliseconds and megabytes, and under `answers` what it said of each photo.
    """
    photos = [Path(file).read_bytes() for file in job["files"]]
    started = time.perf_counter()
    ways = {side.__name__: side for side in (floor, handler, tutorial, onnxruntime, keras)}[job["side"]](
        job, photos
    )
    first = next(iter(ways.values()))
    first(0)
    figures = {"import to first answer": (time.perf_counter() - started) * 1000}
    for name, way in ways.items():
        taken = [_time(way, number % len(photos)) for number in range(job["calls"])]
        figures[f"{name}, p50"], figures[f"{name}, p95"] = percentiles(taken)
    figures["resident memory"] = resident()
    return {**figures, "answers": [json.loads(first(number)) for number in range(len(photos))]}


def resident(process: int | str = "self") -> float:
    """Return how much memory a process holds, in MB, as Linux tells it."""
    return resident_of(Path(f"/proc/{process}/status").read_text())


def resident_of(status: str) -> float:
    """Return the megabytes of resident memory that a process's /proc/…/status tells."""
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


def percentiles(taken: list[float]) -> tuple[float, float]:
    """Return the p50 and the p95 of some times."""
    ordered = sorted(taken)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100]


def _time(way: Way, number: int) -> float:
    started = time.perf_counter()
    way(number)
    return (time.perf_counter() - started) * 1000


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
