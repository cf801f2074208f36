"""A connection to an API that is kept between requests. Standard library only."""

import base64
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Timer
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from shutterless.runtime.http_messages import Response

# More than Lambda can answer; an API that sends more is not one of ours.
MAX_ANSWER = 8_000_000


class ApiConnection:
    """Posts to one URL over a connection that is opened when it is needed, by a proxy where one is set.

    It follows no redirects, because a key is for the host that it was given for. seconds: how long a
    request may take, answer included, however little at a time the other side sends.
    """

    def __init__(self, url: SplitResult, seconds: float) -> None:
        self._url = url
        self._seconds = seconds
        self._target = url._replace(scheme="", netloc="").geturl()
        self._headers: dict[str, str] = {}
        self._connection = self._prepare()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Response:
        """Post and return the answer, whatever its status; raises OSError or HTTPException."""
        is_kept = self._connection.sock is not None
        try:
            return self._post(body, headers)
        except (ConnectionError, http.client.BadStatusLine):
            if not is_kept:
                raise
            return self._post(body, headers)  # the API has closed a connection on which nothing came

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _post(self, body: bytes, headers: Mapping[str, str]) -> Response:
        try:
            if self._connection.sock is None:
                self._connection.connect()
            with self._deadline(self._connection.sock):
                self._connection.request("POST", self._target, body, {**headers, **self._headers})
                with self._connection.getresponse() as answer:
                    return _read(answer)
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def _deadline(self, connected: socket.socket) -> Iterator[None]:
        """Cut a connection off when the time is over; a socket's own limit starts again with each byte."""
        late = False

        def cut() -> None:
            nonlocal late
            late = True
            with suppress(OSError):  # it is closed already
                connected.shutdown(socket.SHUT_RDWR)

        timer = Timer(self._seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            if not late:
                raise
            raise TimeoutError(f"no whole answer within {self._seconds:g} s") from error
        else:
            if late:  # cut off, an answer of no stated length looks whole
                raise TimeoutError(f"no whole answer within {self._seconds:g} s")
        finally:
            timer.cancel()

    def _prepare(self) -> http.client.HTTPConnection:
        host, is_secure = str(self._url.hostname), self._url.scheme == "https"
        port = self._url.port or (443 if is_secure else 80)
        proxy = None if proxy_bypass(host) else getproxies().get(self._url.scheme)
        if not proxy:
            return self._open(host, port, is_secure)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        connection = self._open(str(parts.hostname), parts.port or 80, is_secure)
        credentials = _credentials(parts)
        if is_secure:
            connection.set_tunnel(host, port, credentials)
        else:
            self._target = self._url.geturl()
            self._headers = credentials
        return connection

    def _open(self, host: str, port: int, is_secure: bool) -> http.client.HTTPConnection:
        if is_secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self._seconds, context=context)
        return http.client.HTTPConnection(host, port, timeout=self._seconds)


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _read(answer: http.client.HTTPResponse) -> Response:
    content = answer.read(MAX_ANSWER)
    if answer.length or (answer.length is None and len(content) == MAX_ANSWER):
        # The API hung up in the middle, which read(n) does not tell, or it never ends.
        raise http.client.IncompleteRead(content)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Response(answer.status, headers, content)
