"""The contenders of `handler.py`, each measured in a process of its own.

Nothing is imported here but what every contender needs, because imports are part of what is measured.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Classifies the photo with this number; returns the answer as JSON.
Call = Callable[[int], str]
# The paths on which a photo reaches a contender: raw, base64 or URL.
Paths = dict[str, Call]


def floor(job: dict[str, Any], photos: list[bytes]) -> Paths:
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

    texts = [base64.b64encode(data).decode() for data in photos]
    return {
        "raw": lambda n: answer(photos[n]),
        "base64": lambda n: answer(base64.b64decode(texts[n])),
        "URL": lambda n: answer(urllib.request.urlopen(job["urls"][n]).read()),
    }


def handler(job: dict[str, Any], photos: list[bytes]) -> Paths:
    """Return all three paths through `lambda_handler`, as HTTP API events and their JSON answers."""
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


def tutorial(job: dict[str, Any], photos: list[bytes]) -> Paths:
    """Return the two paths of the tutorial's function, with its own preprocessing and network.

    LiteRT's interpreter replaces tflite-runtime's, which has no wheel for this Python.
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


def onnxruntime(job: dict[str, Any], photos: list[bytes]) -> Paths:
    """Return the raw path with ONNX Runtime on one thread, and our decoder."""
    import numpy as np
    import onnxruntime

    from shutterless.runtime.image.decoder import InputSpec, decode

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(job["onnx"], options, providers=["CPUExecutionProvider"])
    spec, name = InputSpec(**job["input"]), session.get_inputs()[0].name

    def classify(number: int) -> str:
        pixels = np.asarray(decode(photos[number], spec))
        return _scores(job, session.run(None, {name: pixels[None]})[0][0])

    return {"raw": classify}


def keras(job: dict[str, Any], photos: list[bytes]) -> Paths:
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
    return {
        "raw": lambda n: _scores(job, model.predict_on_batch(np.asarray(decode(photos[n], spec))[None])[0])
    }


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measure one contender: from before its first import to its first answer, then its warm calls.

    Returns:
        Milliseconds and megabytes, and under `answers` its answer for each photo.
    """
    photos = [Path(file).read_bytes() for file in job["files"]]
    contenders = {each.__name__: each for each in (floor, handler, tutorial, onnxruntime, keras)}
    start_time = time.perf_counter()
    paths = contenders[job["contender"]](job, photos)
    first_path = next(iter(paths.values()))
    first_path(0)
    figures = {"import to first answer": (time.perf_counter() - start_time) * 1000}
    for name, call in paths.items():
        times = [_time(call, number % len(photos)) for number in range(job["calls"])]
        figures[f"{name}, p50"], figures[f"{name}, p95"] = percentiles(times)
    figures["resident memory"] = resident_memory()
    return {**figures, "answers": [json.loads(first_path(number)) for number in range(len(photos))]}


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


def _time(call: Call, number: int) -> float:
    start_time = time.perf_counter()
    call(number)
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
