"""A keep-alive connection to an API, with a deadline. Standard library only."""

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

# More than Lambda can answer, so an API that sends more is not ours.
MAX_ANSWER_BYTES = 8_000_000


class ApiConnection:
    """A connection that posts to one URL, through the proxy of the environment if there is one.

    It is opened with the first request. It follows no redirects, because the API key is only for this
    host.

    Args:
        url: The URL to post to.
        seconds: Time limit of a request including its answer, however slowly the other side sends.
    """

    def __init__(self, url: SplitResult, seconds: float) -> None:
        self._url = url
        self._seconds = seconds
        self._target = url._replace(scheme="", netloc="").geturl()
        self._headers: dict[str, str] = {}
        self._connection = self._prepare()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Response:
        """Post a body and return the answer, whatever its status.

        Raises:
            OSError: The API cannot be reached, or does not answer in time.
            http.client.HTTPException: The answer is not HTTP.
        """
        is_open = self._connection.sock is not None
        try:
            return self._post(body, headers)
        except (ConnectionError, http.client.BadStatusLine):
            if not is_open:
                raise
            return self._post(body, headers)  # the API had closed the idle connection

    def close(self) -> None:
        """Close the connection."""
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
    def _deadline(self, connection: socket.socket) -> Iterator[None]:
        """Shut a connection down after the time limit; a socket's own timeout restarts with each byte."""
        is_late = False

        def cut() -> None:
            nonlocal is_late
            is_late = True
            with suppress(OSError):  # already closed
                connection.shutdown(socket.SHUT_RDWR)

        timer = Timer(self._seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            if not is_late:
                raise
            raise TimeoutError(f"no complete answer within {self._seconds:g} s") from error
        else:
            if is_late:  # an answer without a length looks complete when it is cut off
                raise TimeoutError(f"no complete answer within {self._seconds:g} s")
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
    content = answer.read(MAX_ANSWER_BYTES)
    if answer.length or (answer.length is None and len(content) == MAX_ANSWER_BYTES):
        # The API closed the connection early, which read(n) does not report, or the answer never ends.
        raise http.client.IncompleteRead(content)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Response(answer.status, headers, content)
