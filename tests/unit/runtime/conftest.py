"""A loaded model, pictures of its labels, and a web server on this machine that answers as told."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

COLOURS = ("blue", "green", "red")

Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(scope="session")
def classifier(colour_bundle) -> Classifier:
    return Classifier(read_bundle(colour_bundle))


@pytest.fixture(scope="session")
def service(classifier, colour_bundle) -> Service:
    return Service(classifier, Settings(colour_bundle, urls="any"))


@pytest.fixture(scope="session")
def pictures(colour_photos) -> dict[str, bytes]:
    """A PNG file of each label."""
    return {label: (colour_photos / "test" / label / "00.png").read_bytes() for label in COLOURS}


@dataclass
class Web:
    """A web server: `answers` maps a path to what is done about it, `requests` is what came in."""

    address: str
    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://{self.address}:{self.port}{path}"

    def says(self, path: str, body: bytes = b"", status: int = 200, **headers: Any) -> str:
        """Answer `path` with this from now on; return its URL."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"Content_Length": len(body), **headers}.items():
                handler.send_header(name.replace("_", "-"), str(value))
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[path] = answer
        return self.url(path)


@pytest.fixture
def web() -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.requests.append((self.path, dict(self.headers)))
            here.answers[self.path](self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Web("127.0.0.1", server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield here
        server.shutdown()
        thread.join()
