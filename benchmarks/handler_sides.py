"""The two sides of `handler.py`, each run in a process of its own: `floor` and `handler`.

Reads the job as JSON from standard input and prints the figures as JSON, times in ms, memory in MB.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Ways = dict[str, Callable[[int], Any]]


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
    labels = json.loads((Path(job["bundle"]) / "bundle.json").read_text())["labels"]

    def answer(data: bytes) -> str:
        picture = (
            Image.open(io.BytesIO(data)).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        )
        interpreter.set_tensor(source["index"], np.asarray(picture)[np.newaxis])
        interpreter.invoke()
        scores = interpreter.get_tensor(target["index"])[0]
        return json.dumps(dict(zip(labels, map(float, scores), strict=True)))

    texts = [base64.b64encode(data).decode() for data in photos]
    return {
        "raw": lambda n: answer(photos[n]),
        "base64": lambda n: answer(base64.b64decode(texts[n])),
        "url": lambda n: answer(urllib.request.urlopen(job["urls"][n]).read()),
    }


def handler(job: dict[str, Any], photos: list[bytes]) -> Ways:
    """Return the three ways through `lambda_handler`, as HTTP API events and their JSON answers."""
    import base64

    from shutterless.runtime.lambda_function import lambda_handler

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
        "url": lambda n: answer(urls[n]),
    }


def _event(body: str, kind: str, *, encoded: bool) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": "/predict",
        "headers": {"content-type": kind},
        "requestContext": {"stage": "$default", "http": {"method": "POST", "path": "/predict"}},
        "body": body,
        "isBase64Encoded": encoded,
    }


def main() -> None:
    """Measure one side: from before its first import to its first answer, then its warm calls."""
    job = json.load(sys.stdin)
    photos = [Path(file).read_bytes() for file in job["files"]]
    started = time.perf_counter()
    ways = {"floor": floor, "handler": handler}[sys.argv[1]](job, photos)
    ways["raw"](0)
    figures = {"first answer": (time.perf_counter() - started) * 1000}
    for name, way in ways.items():
        taken = sorted(_time(way, number % len(photos)) for number in range(job["calls"]))
        figures[f"{name} p50"] = taken[len(taken) // 2]
        figures[f"{name} p95"] = taken[int(len(taken) * 0.95)]
    print(json.dumps({**figures, "memory": _resident()}))


def _time(way: Callable[[int], Any], number: int) -> float:
    started = time.perf_counter()
    way(number)
    return (time.perf_counter() - started) * 1000


def _resident() -> float:
    """Return the resident memory of this process in MB, as Linux tells it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


if __name__ == "__main__":
    main()
