"""The endpoint under test: that of `--url`, or else `shutterless serve` on this machine."""

import http.client
import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

SECONDS = 60  # a function that starts cold takes some of them


@dataclass(frozen=True)
class Answer:
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and with which key."""

    url: str
    key: str | None = None

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Ask once; an underscore in a header's name stands for a dash."""
        parts = urlsplit(self.url + path)
        connects = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        connection = connects[parts.scheme](parts.netloc, timeout=SECONDS)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        key = {"X-Api-Key": self.key} if self.key else {}
        try:
            connection.request(method, parts.path, body, {**key, **named})
            with connection.getresponse() as response:
                names = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def post(self, document: object, path: str = "/predict") -> Answer:
        """Post JSON."""
        return self.ask("POST", path, json.dumps(document).encode(), Content_Type="application/json")


@pytest.fixture(scope="session")
def endpoint(request) -> Iterator[Endpoint]:
    given = request.config.getoption("url")
    if given:
        yield Endpoint(given.rstrip("/"), request.config.getoption("api_key"))
        return
    bundle = request.getfixturevalue("colour_bundle")
    shutterless = str(Path(sys.executable).with_name("shutterless"))
    command = [shutterless, "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield Endpoint(server.stdout.readline().strip())
        server.terminate()


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A picture file that any model has an opinion of."""
    file = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(file, "png")
    return file.getvalue()
