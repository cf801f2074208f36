import gzip
import http.client
import socket
import ssl
import threading
import time

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from shutterless.runtime.fetch import fetcher
from shutterless.runtime.fetch.fetcher import MAX_REDIRECTS, REASONS, fetch
from shutterless.runtime.fetch.policy import (
    CREDENTIALS,
    MAX_URL_LENGTH,
    NOT_PRINTABLE,
    NOT_PUBLIC,
    NOT_VALID,
    OTHER_HOST,
    OTHER_PORT,
    OTHER_SCHEME,
    TOO_LONG,
    Policy,
    resolve_host,
)
from shutterless.runtime.problems import Problem

ANY = Policy("any")
OUTSIDE = "93.184.215.14"


def problem(url: str, policy: Policy, max_bytes: int = 1000) -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        fetch(url, policy, max_bytes=max_bytes)
    return caught.value.code, caught.value.detail


def code(url: str, policy: Policy, max_bytes: int = 1000) -> str:
    return problem(url, policy, max_bytes)[0]


def public(*addresses: str, **options) -> Policy:
    """Fetch from public addresses; every name has these."""
    return Policy("public", resolve=lambda host, port: list(addresses), **options)


@pytest.fixture
def connections(monkeypatch, web) -> list[tuple[str, int]]:
    """Lead every connection to the local web server, and note where it was meant to go."""
    connect, made = socket.create_connection, []

    def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
        made.append(address)
        return connect((web.address, web.port), timeout)

    monkeypatch.setattr(socket, "create_connection", create_connection)
    return made


@pytest.fixture
def silence(monkeypatch) -> None:
    """Fail a test in which a socket connects or sends anything."""

    def sent(*_: object) -> None:
        raise AssertionError("a packet was sent")

    for method in ("connect", "connect_ex", "send", "sendall", "sendto", "sendmsg"):
        monkeypatch.setattr(socket.socket, method, sent)


def serve_once(answer) -> int:
    """Hand the first connection to `answer` in a thread of its own; return the port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listening:
            stream = listening.accept()[0]
        with stream:
            answer(stream)

    threading.Thread(target=run, daemon=True).start()
    return listening.getsockname()[1]


def test_the_bytes_of_a_url_are_fetched(web):
    assert fetch(web.says("/a.png", b"a picture"), ANY, max_bytes=1000) == b"a picture"


def test_the_whole_path_and_the_host_are_sent_and_little_else(web):
    fetch(web.says("/a%20b.png?size=1&x=%C3%A9", b"x"), ANY, max_bytes=10)
    path, headers = web.requests[0]
    assert path == "/a%20b.png?size=1&x=%C3%A9"
    assert headers == {
        "Host": f"127.0.0.1:{web.port}",
        "Accept-Encoding": "identity",
        "User-Agent": "shutterless",
        "Accept": "image/*",
    }


def test_a_fragment_is_kept_to_ourselves(web):
    assert fetch(web.says("/a.png", b"x") + "#part", ANY, max_bytes=10) == b"x"


def test_a_url_without_a_path_asks_for_the_root(web):
    web.says("/", b"root")
    assert fetch(f"HTTP://127.0.0.1:{web.port}", ANY, max_bytes=10) == b"root"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(web, status):
    web.says("/b.png", b"there")
    assert fetch(web.says("/a", status=status, Location="b.png"), ANY, max_bytes=10) == b"there"


def chain(web, redirects: int) -> str:
    """Return a URL that leads to a picture after so many redirects."""
    web.says(f"/{redirects}", b"the end")
    for number in range(redirects):
        web.says(f"/{number}", status=302, Location=web.url(f"/{number + 1}"))
    return web.url("/0")


def test_five_redirects_are_followed_and_six_are_not(web):
    assert fetch(chain(web, 5), ANY, max_bytes=10) == b"the end"
    web.requests.clear()
    assert code(chain(web, 6), ANY) == "fetch-failed"
    assert len(web.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize("location", [{}, {"Location": ""}])
def test_a_redirect_to_nowhere_fails(web, location):
    assert code(web.says("/a", status=302, **location), ANY) == "fetch-failed"


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://x/", "http://u:p@127.0.0.1/", "//exämple/"]
)
def test_a_redirect_is_judged_like_any_url(web, location):
    assert code(web.says("/a", status=302, Location=location), ANY) == "url-refused"


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 404, 410, 429, 500, 503])
def test_any_other_status_fails(web, status):
    assert code(web.says("/a", status=status), ANY) == "fetch-failed"


def test_the_ceiling_of_bytes_itself_is_permitted(web):
    assert fetch(web.says("/a", bytes(1000)), ANY, max_bytes=1000) == bytes(1000)
    assert code(web.says("/b", bytes(1001)), ANY, max_bytes=1000) == "too-large"


def test_a_picture_without_a_length_is_read_to_its_end_or_the_ceiling():
    def answer(stream: socket.socket) -> None:
        stream.recv(1000)
        stream.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + bytes(500))

    assert fetch(f"http://127.0.0.1:{serve_once(answer)}/", ANY, max_bytes=500) == bytes(500)
    assert code(f"http://127.0.0.1:{serve_once(answer)}/", ANY, max_bytes=499) == "too-large"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


def test_a_picture_in_chunks_is_put_together():
    port = serve_once(lambda stream: stream.recv(1000) and stream.sendall(CHUNKED + b"1\r\n!\r\n0\r\n\r\n"))
    assert fetch(f"http://127.0.0.1:{port}/", ANY, max_bytes=10) == b"hello!"


def test_chunks_without_end_are_cut_off_at_the_ceiling():
    def answer(stream: socket.socket) -> None:
        stream.recv(1000)
        stream.sendall(CHUNKED)
        try:
            while True:
                stream.sendall(b"400\r\n" + bytes(1024) + b"\r\n")
        except OSError:
            hung_up.set()

    hung_up = threading.Event()
    assert code(f"http://127.0.0.1:{serve_once(answer)}/", ANY, max_bytes=5000) == "too-large"
    assert hung_up.wait(60)


def test_a_picture_in_small_chunks_is_put_together():
    data = bytes(range(250)) * 8000
    chunks = b"".join(b"64\r\n" + data[at : at + 100] + b"\r\n" for at in range(0, len(data), 100))

    def answer(stream: socket.socket) -> None:
        stream.recv(1000)
        stream.sendall(CHUNKED.partition(b"5\r\n")[0] + chunks + b"0\r\n\r\n")

    assert fetch(f"http://127.0.0.1:{serve_once(answer)}/", ANY, max_bytes=len(data)) == data


@pytest.mark.parametrize(
    ("head", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (CHUNKED, b"2\r\nxy\r\n"),
        (CHUNKED + b"0\r\n", b"A: b\r\n"),
        (CHUNKED, b"1;" + b"x" * 1000 + b"\r\nx\r\n"),
    ],
)
def test_what_a_host_sends_around_a_picture_is_counted(head, again):
    sent, hung_up = 0, threading.Event()

    def answer(stream: socket.socket) -> None:
        nonlocal sent
        stream.recv(1000)
        stream.sendall(head)
        try:
            while True:
                stream.sendall(again * 1000)
                sent += len(again) * 1000
        except OSError:
            hung_up.set()

    url = f"http://127.0.0.1:{serve_once(answer)}/"
    assert code(url, Policy("any", timeout=600), max_bytes=20_000_000) == "fetch-failed"
    assert hung_up.wait(60)
    assert sent < 10_000_000  # what the sockets' own buffers took is among it


def test_an_answer_that_is_compressed_unasked_is_not_unpacked(web):
    packed = gzip.compress(bytes(1_000_000))
    url = web.says("/a.png", packed, Content_Encoding="gzip", Content_Type="image/png")
    assert fetch(url, ANY, max_bytes=2000) == packed


def test_what_a_host_says_is_in_no_problem(web):
    def answer(stream: socket.socket) -> None:
        stream.recv(1000)
        stream.sendall(b"a secret of the inside\r\n")

    reason = REASONS[http.client.HTTPException]
    assert problem(f"http://127.0.0.1:{serve_once(answer)}/", ANY) == ("fetch-failed", reason)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    url = web.says("/a", status=302, Location=f"http://127.0.0.1:{port}/?secret=1")
    assert problem(url, ANY) == ("fetch-failed", f"after a redirect: {REASONS[OSError]}")
    url = web.says("/a", status=302, Location="http://secret\\/")
    assert problem(url, ANY) == ("url-refused", f"after a redirect: {NOT_VALID}")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"not HTTP\r\n\r\n",
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        CHUNKED,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 70_000,
    ],
)
def test_a_host_that_breaks_off_or_speaks_no_http_fails(said):
    port = serve_once(lambda stream: stream.recv(1000) and stream.sendall(said))
    assert code(f"http://127.0.0.1:{port}/", ANY) == "fetch-failed"


def test_a_host_that_says_nothing_fails():
    done = threading.Event()
    port = serve_once(lambda stream: done.wait(60))
    assert code(f"http://127.0.0.1:{port}/", Policy("any", timeout=0.2)) == "fetch-failed"
    done.set()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "]
)
def test_a_host_that_drips_does_not_hold_us(head):
    hung_up = threading.Event()

    def drip(stream: socket.socket) -> None:
        stream.sendall(head)
        try:
            for _ in range(900):  # each byte long before a time-out that starts anew would end it
                stream.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            hung_up.set()

    port = serve_once(drip)
    assert code(f"http://127.0.0.1:{port}/", Policy("any", timeout=0.3)) == "fetch-failed"
    assert hung_up.wait(60)


def test_redirects_share_the_time(web):
    def slow(handler) -> None:
        time.sleep(0.15)
        handler.send_response(302)
        handler.send_header("Location", "/next")
        handler.end_headers()

    web.answers.update({"/a": slow, "/next": slow})
    assert code(web.url("/a"), Policy("any", timeout=0.2)) == "fetch-failed"
    assert len(web.requests) < MAX_REDIRECTS


def test_nobody_at_the_port_fails():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert code(f"http://127.0.0.1:{port}/", ANY) == "fetch-failed"


def test_a_name_that_does_not_exist_fails():
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert code("http://nowhere.example/", Policy("public", resolve=unknown)) == "fetch-failed"


def test_a_name_without_an_address_fails():
    assert code("http://nowhere.example/", public()) == "fetch-failed"


@pytest.fixture
def done():
    """What a resolver hangs on; at the end of the test it goes on."""
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name == "dns-lookup":
            thread.join(60)


def test_a_resolver_that_hangs_does_not_hold_us(done):
    policy = Policy("public", timeout=0.1, resolve=lambda host, port: [OUTSIDE] if done.wait(60) else [])
    assert code("http://photos.example/", policy) == "fetch-failed"


def test_no_more_look_ups_hang_than_are_permitted(monkeypatch, done):
    monkeypatch.setattr(fetcher, "_lookup_slots", threading.BoundedSemaphore(2))
    hanging = []

    def resolve(host: str, port: int) -> list[str]:
        hanging.append(host)
        done.wait(60)
        return [OUTSIDE]

    policy = Policy("public", timeout=0.3, resolve=resolve)
    for name in ("a", "b", "c", "d"):
        assert code(f"http://{name}.example/", policy) == "fetch-failed"
    assert hanging == ["a.example", "b.example"]


@pytest.mark.parametrize("host", ["a..b", ".example", "a" * 64 + ".example"])
def test_a_name_that_cannot_be_one_fails(host):
    assert code(f"http://{host}/", Policy("public")) == "fetch-failed"


def test_addresses_that_do_not_answer_share_the_time_with_one_that_does(web, monkeypatch):
    connect, tried, now = socket.create_connection, [], 0.0

    def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
        nonlocal now
        tried.append((address[0], timeout))
        if address[0] == OUTSIDE:
            return connect((web.address, web.port), 60)
        now += timeout  # it hangs
        raise TimeoutError

    class Clock:
        monotonic = staticmethod(lambda: now)

    monkeypatch.setattr(socket, "create_connection", create_connection)
    monkeypatch.setattr(fetcher, "time", Clock)
    web.says("/a.png", b"x")
    policy = public("2606:4700::1", "2606:4700::2", OUTSIDE, timeout=90)
    assert fetch("http://photos.example/a.png", policy, max_bytes=10) == b"x"
    assert tried == [("2606:4700::1", 30), ("2606:4700::2", 30), (OUTSIDE, 30)]


def test_the_next_address_is_tried_if_one_is_unreachable(web, monkeypatch):
    connect, tried = socket.create_connection, []

    def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address[0])
        if address[0] == "2606:4700::1":
            raise OSError("Network is unreachable")
        return connect((web.address, web.port), timeout)

    monkeypatch.setattr(socket, "create_connection", create_connection)
    web.says("/a.png", b"x")
    policy = public("2606:4700::1", OUTSIDE)
    assert fetch("http://photos.example/a.png", policy, max_bytes=10) == b"x"
    assert tried == ["2606:4700::1", OUTSIDE]


@pytest.mark.parametrize("literal", ["[2606:4700::abcd]", "[2606:4700::1]"])
def test_an_ipv6_address_is_a_host_like_any(web, connections, literal):
    web.says("/a.png", b"x")
    assert fetch(f"http://{literal}/a.png", Policy("public"), max_bytes=10) == b"x"
    assert connections == [(literal.strip("[]"), 80)]
    assert web.requests[0][1]["Host"] == literal


def test_the_connection_goes_to_the_address_that_was_judged(web, connections):
    looked_up = []

    def rebind(host: str, port: int) -> list[str]:
        looked_up.append((host, port))
        return [OUTSIDE] if len(looked_up) == 1 else ["127.0.0.1"]

    web.says("/a.png", b"x")
    assert fetch("http://Photos.example/a.png", Policy("public", resolve=rebind), max_bytes=10) == b"x"
    assert looked_up == [("photos.example", 80)]
    assert connections == [(OUTSIDE, 80)]
    assert web.requests[0][1]["Host"] == "Photos.example"


@pytest.mark.parametrize("address", ["10.0.0.5", "169.254.169.254", "::ffff:127.0.0.1"])
def test_a_name_with_a_private_address_is_refused_before_any_connection(address, connections):
    assert code("http://photos.example/", public(address)) == "url-refused"
    assert code("https://photos.example/", public(OUTSIDE, address)) == "url-refused"
    assert code("https://photos.example/", public(address, OUTSIDE)) == "url-refused"
    assert connections == []


# What a stranger writes to get at the inside, or to have one parser judge and another one connect.
HOSTILE = {
    # Names and numbers that the system's resolver reads: judged once it has.
    "http://localhost/": NOT_PUBLIC,
    "http://LocalHost:80/": NOT_PUBLIC,
    "https://localhost/": NOT_PUBLIC,
    "http://127.0.0.1/": NOT_PUBLIC,
    "http://127.0.0.1:443/": NOT_PUBLIC,
    "http://127.8.8.8/": NOT_PUBLIC,
    "http://127.1/": NOT_PUBLIC,
    "http://127.0.1/": NOT_PUBLIC,
    "http://0/": NOT_PUBLIC,
    "http://0.0.0.0/": NOT_PUBLIC,
    "http://10.1/": NOT_PUBLIC,
    "http://2130706433/": NOT_PUBLIC,
    "http://017700000001/": NOT_PUBLIC,
    "http://0177.0.0.1/": NOT_PUBLIC,
    "http://0000177.0.0.0001/": NOT_PUBLIC,
    "http://0x7f000001/": NOT_PUBLIC,
    "http://0x7f.1/": NOT_PUBLIC,
    "http://0X7F.0x0.0x0.0X1/": NOT_PUBLIC,
    "http://0x7f.0.00.1/": NOT_PUBLIC,
    "http://172.16.0.1/": NOT_PUBLIC,
    "http://192.168.1.1/": NOT_PUBLIC,
    "http://192.168.257/": NOT_PUBLIC,
    "http://255.255.255.255/": NOT_PUBLIC,
    # The clouds' own services.
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/": NOT_PUBLIC,
    "http://169.254.43518/": NOT_PUBLIC,
    "http://2852039166/": NOT_PUBLIC,
    "http://0xa9fea9fe/": NOT_PUBLIC,
    "http://0251.0376.0251.0376/": NOT_PUBLIC,
    "http://0xa9.254.0251.254/": NOT_PUBLIC,
    "http://169.254.170.2/v2/credentials/": NOT_PUBLIC,
    "http://100.100.100.200/": NOT_PUBLIC,
    "http://168.63.129.16/": NOT_PUBLIC,
    "http://192.0.0.192/": NOT_PUBLIC,
    "http://[fd00:ec2::254]/latest/meta-data/": NOT_PUBLIC,
    "http://[fd20:ce::254]/": NOT_PUBLIC,
    "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next": OTHER_PORT,
    # IPv6, plain and with an IPv4 address inside.
    "http://[::1]/": NOT_PUBLIC,
    "http://[::1]:443/": NOT_PUBLIC,
    "http://[0:0:0:0:0:0:0:1]/": NOT_PUBLIC,
    "http://[0000::0001]/": NOT_PUBLIC,
    "http://[::]/": NOT_PUBLIC,
    "http://[::127.0.0.1]/": NOT_PUBLIC,
    "http://[::7f00:1]/": NOT_PUBLIC,
    "http://[::ffff:127.0.0.1]/": NOT_PUBLIC,
    "http://[::FFFF:7F00:1]/": NOT_PUBLIC,
    "http://[::ffff:a9fe:a9fe]/": NOT_PUBLIC,
    "http://[0:0:0:0:0:ffff:10.0.0.1]/": NOT_PUBLIC,
    "http://[::ffff:0:192.168.0.1]/": NOT_PUBLIC,
    "http://[64:ff9b::10.0.0.1]/": NOT_PUBLIC,
    "http://[64:ff9b::a9fe:a9fe]/": NOT_PUBLIC,
    "http://[64:ff9b:1::a9fe:a9fe]/": NOT_PUBLIC,
    "http://[2002:7f00:1::]/": NOT_PUBLIC,
    "http://[2002:a9fe:a9fe::1]/": NOT_PUBLIC,
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/": NOT_PUBLIC,
    "http://[2606:4700::5efe:10.0.0.1]/": NOT_PUBLIC,
    "http://[fe80::1]/": NOT_PUBLIC,
    "http://[fec0::1]/": NOT_PUBLIC,
    "http://[fc00::1]/": NOT_PUBLIC,
    "http://[ff02::1]/": NOT_PUBLIC,
    # Hosts that parsers read differently.
    "http://[fe80::1%eth0]/": NOT_VALID,
    "http://[fe80::1%25eth0]/": NOT_VALID,
    "http://[::1%25lo]/": NOT_VALID,
    "http://[v1.127.0.0.1]/": NOT_VALID,
    "http://[::1]evil.example/": NOT_VALID,
    "http://[::1/": NOT_VALID,
    "http://[127.0.0.1]/": NOT_VALID,
    "http://[nonsense]/": NOT_VALID,
    "http://127.0.0.1%2f/": NOT_VALID,
    "http://%31%32%37.0.0.1/": NOT_VALID,
    "http://photos.example%00.inside/": NOT_VALID,
    "http://photos.example%40127.0.0.1/": NOT_VALID,
    "http://photos.example\\.inside/": NOT_VALID,
    "http://photos.example\\@127.0.0.1/": CREDENTIALS,
    "http://:80/": NOT_VALID,
    "http://photos.example;127.0.0.1/": NOT_VALID,
    "http://photos.example,127.0.0.1/": NOT_VALID,
    "http://{127.0.0.1}/": NOT_VALID,
    "http://*/": NOT_VALID,
    "http://photos.example:80:80/": NOT_VALID,
    "http://photos.example:http/": NOT_VALID,
    "http://photos.example:65536/": NOT_VALID,
    "http://photos.example:-1/": NOT_VALID,
    "http://photos.example:0x50/": NOT_VALID,
    "http://photos.example:000080/": NOT_VALID,
    "http://photos.example:22/": OTHER_PORT,
    "http://photos.example:8080/": OTHER_PORT,
    "http://photos.example:0/": OTHER_PORT,
    # Users and passwords.
    "http://user@photos.example/": CREDENTIALS,
    "http://user:password@photos.example/": CREDENTIALS,
    "http://@127.0.0.1/": CREDENTIALS,
    "http://photos.example@127.0.0.1/": CREDENTIALS,
    "http://photos.example:80@127.0.0.1:80/": CREDENTIALS,
    "http://127.0.0.1:80\\@photos.example/": CREDENTIALS,
    "http://a@b@127.0.0.1/": CREDENTIALS,
    # Letters and digits that look like others.
    "http://phötos.example/": NOT_PRINTABLE,
    "http://①②⑦.⓪.⓪.①/": NOT_PRINTABLE,
    "http://１２７.0.0.1/": NOT_PRINTABLE,
    "http://127。0。0。1/": NOT_PRINTABLE,
    "http://lоcalhost/": NOT_PRINTABLE,
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/": NOT_PRINTABLE,
    "http://photos.example:８０/": NOT_PRINTABLE,
    "http://photos.example／@127.0.0.1/": NOT_PRINTABLE,
    "http://photos.example/帽": NOT_PRINTABLE,
    "http://photos.example/a b.png": NOT_PRINTABLE,
    # Other schemes.
    "file:///etc/passwd": OTHER_SCHEME,
    "FILE:///proc/self/environ": OTHER_SCHEME,
    "file://localhost/etc/passwd": OTHER_SCHEME,
    "ftp://photos.example/": OTHER_SCHEME,
    "gopher://127.0.0.1:6379/_FLUSHALL": OTHER_SCHEME,
    "dict://127.0.0.1:11211/stats": OTHER_SCHEME,
    "ldap://127.0.0.1/": OTHER_SCHEME,
    "jar:http://127.0.0.1!/": OTHER_SCHEME,
    "url:http://127.0.0.1/": OTHER_SCHEME,
    "data:image/png;base64,aGVsbG8=": OTHER_SCHEME,
    "javascript:alert(1)": OTHER_SCHEME,
    "s3://bucket/key": OTHER_SCHEME,
}
# What no redirect can hold: there, a path alone stays with its host, and a line ends the header.
HOSTILE_AS_SENT = {
    "": OTHER_SCHEME,
    "photo.jpg": OTHER_SCHEME,
    "//photos.example/": OTHER_SCHEME,
    "/etc/passwd": OTHER_SCHEME,
    "127.0.0.1": OTHER_SCHEME,
    "localhost:80": OTHER_SCHEME,
    "http:\\\\127.0.0.1/": NOT_VALID,
    "http:127.0.0.1/": NOT_VALID,
    "http:/127.0.0.1/": NOT_VALID,
    "http:///127.0.0.1/": NOT_VALID,
    "http://": NOT_VALID,
    " http://photos.example/": NOT_PRINTABLE,
    "http://photos.example/ ": NOT_PRINTABLE,
    "http://photos.example/\n": NOT_PRINTABLE,
    "http://photos.example/\t": NOT_PRINTABLE,
    "ht\ntp://127.0.0.1/": NOT_PRINTABLE,
    "http://127.0.0\t.1/": NOT_PRINTABLE,
    "http://photos.example/\r\nHost: inside": NOT_PRINTABLE,
    "http://photos.example\r\n.inside/": NOT_PRINTABLE,
    "http://photos.example/\0": NOT_PRINTABLE,
    "\0http://photos.example/": NOT_PRINTABLE,
    "http://photos.example/\x7f": NOT_PRINTABLE,
    "http://photos.example/\ud800": NOT_PRINTABLE,
    "http://photos.example/" + "a" * MAX_URL_LENGTH: TOO_LONG,
}


def test_the_table_of_hostile_urls_is_long():
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize(("url", "reason"), [*HOSTILE.items(), *HOSTILE_AS_SENT.items()])
def test_a_hostile_url_is_refused_for_its_reason_before_any_packet_is_sent(url, reason, silence):
    assert problem(url, Policy("public")) == ("url-refused", reason)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (url, why)
        for url, why in {**HOSTILE, **HOSTILE_AS_SENT}.items()
        if why not in (NOT_PUBLIC, OTHER_PORT)
    ],
)
@pytest.mark.parametrize("urls", ["public", "any"])
def test_a_url_of_another_form_is_not_even_looked_up(url, reason, urls, silence):
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError("it was looked up")

    assert problem(url, Policy(urls, resolve=resolve)) == ("url-refused", reason)


@pytest.mark.parametrize(("url", "reason"), HOSTILE.items())
def test_a_redirect_to_a_hostile_url_is_refused_before_it_is_followed(url, reason, web, connections):
    def resolve(host: str, port: int) -> list[str]:
        return [OUTSIDE] if host == "photos.example" else resolve_host(host, port)

    web.says("/a.png", status=302, Location=url.encode().decode("latin-1"))
    refusal = ("url-refused", f"after a redirect: {reason}")
    assert problem("http://photos.example/a.png", Policy("public", resolve=resolve)) == refusal
    assert connections == [(OUTSIDE, 80)]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://photos.example?@127.0.0.1/", "photos.example"),
        ("http://photos.example#@127.0.0.1/", "photos.example"),
        ("http://photos.example/@127.0.0.1/", "photos.example"),
        ("http://photos.example:80/\\@127.0.0.1/", "photos.example"),
        ("http://photos.example./", "photos.example."),
        ("HTTP://PHOTOS.EXAMPLE:/", "photos.example"),
        ("http://xn--phtos-jua.example/", "xn--phtos-jua.example"),
        ("http://photo_s.example/", "photo_s.example"),
    ],
)
def test_the_host_that_is_judged_is_the_host_that_is_asked(url, host, web, connections):
    looked_up = []

    def resolve(name: str, port: int) -> list[str]:
        looked_up.append(name)
        return [OUTSIDE]

    web.answers = AnyPath(lambda handler: handler.send_error(404))
    assert code(url, Policy("public", resolve=resolve)) == "fetch-failed"
    assert looked_up == [host]
    assert connections == [(OUTSIDE, 80)]
    assert web.requests[0][1]["Host"].rstrip(":").removesuffix(":80").lower() == host


class AnyPath(dict):
    """Answers every path in one way."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer

    def __missing__(self, path: str):
        return self.answer


@pytest.mark.parametrize("port", [0, 22, 25, 6379, 8080, 9001, 65535])
def test_only_the_webs_own_ports_are_fetched_from(port, connections):
    assert code(f"http://photos.example:{port}/", public(OUTSIDE)) == "url-refused"
    assert connections == []


@pytest.mark.parametrize("port", [80, 443])
def test_the_webs_own_ports_may_be_written_out(port, connections, web):
    web.says("/", b"x")
    assert fetch(f"http://photos.example:{port}/", public(OUTSIDE), max_bytes=10) == b"x"
    assert connections == [(OUTSIDE, port)]


def test_a_redirect_to_a_name_with_an_inside_address_is_refused(web, connections):
    known = {"photos.example": [OUTSIDE], "inside.example": [OUTSIDE, "10.0.0.5"]}
    policy = Policy("public", resolve=lambda host, port: known[host])
    web.says("/a.png", status=302, Location="http://inside.example/")
    assert code("http://photos.example/a.png", policy) == "url-refused"
    assert connections == [(OUTSIDE, 80)]


def test_a_name_that_is_rebound_between_redirects_is_judged_again(web, connections):
    answers = iter(([OUTSIDE], ["127.0.0.1"]))
    web.says("/a.png", status=302, Location="/b.png")
    policy = Policy("public", resolve=lambda host, port: next(answers))
    assert problem("http://photos.example/a.png", policy)[1] == f"after a redirect: {NOT_PUBLIC}"
    assert connections == [(OUTSIDE, 80)]


def test_only_the_permitted_hosts_are_fetched_from(web, connections):
    policy = public(OUTSIDE, hosts=frozenset({"photos.example"}))
    web.says("/a.png", b"x")
    assert fetch("http://PHOTOS.example/a.png", policy, max_bytes=10) == b"x"
    for host in ("other.example", "photos.example.evil", "a.photos.example", "photos.example."):
        assert code(f"http://{host}/a.png", policy) == "url-refused"
    web.says("/a.png", status=302, Location="http://other.example/")
    refusal = ("url-refused", f"after a redirect: {OTHER_HOST}")
    assert problem("http://photos.example/a.png", policy) == refusal
    assert connections == [(OUTSIDE, 80)] * 2


def test_a_permitted_host_may_redirect_to_another_permitted_host(web, connections):
    policy = public(OUTSIDE, hosts=frozenset({"photos.example", "cdn.example"}))
    web.says("/a.png", status=302, Location="http://cdn.example/b.png")
    web.says("/b.png", b"x")
    assert fetch("http://photos.example/a.png", policy, max_bytes=10) == b"x"


def test_a_permitted_host_with_an_inside_address_is_still_refused(connections):
    policy = public("10.0.0.1", hosts=frozenset({"photos.example"}))
    assert code("http://photos.example/", policy) == "url-refused"
    assert connections == []


PARTS = st.sampled_from(
    [
        "http:",
        "https:",
        "//",
        "/",
        "\\",
        "@",
        ":",
        "80",
        "#",
        "?",
        "[",
        "]",
        "%",
        "::1",
        ".",
        "a",
        "Ä",
        "\t",
        "127.1",
    ]
)


@pytest.mark.slow
@settings(derandomize=True, database=None, deadline=None, max_examples=500)
@given(st.one_of(st.text(max_size=40), st.lists(PARTS, max_size=12).map("".join)))
def test_whatever_is_written_is_refused_or_asked_of_the_host_that_is_written(url):
    tried = []

    def resolve(host: str, port: int) -> list[str]:
        tried.append((host, port))
        return [OUTSIDE]

    def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_connection", create_connection)
        refused = code(url, Policy("public", resolve=resolve)) == "url-refused"
    if refused:
        assert tried == []
    else:
        (host, port), address = tried
        assert address == (OUTSIDE, port)
        assert url.lower().split("//", 1)[1].lstrip("[").startswith(host)
        assert port in (80, 443)


def test_off_fetches_nothing(web):
    url = web.says("/a.png", b"x")
    assert code(url, Policy("off")) == "url-refused"
    assert code(url, Policy("off", frozenset({"127.0.0.1"}))) == "url-refused"
    assert web.requests == []


@pytest.fixture(autouse=True)
def fresh_authorities():
    """Read anew for each test whom this machine trusts."""
    fetcher.tls_context.cache_clear()
    yield
    fetcher.tls_context.cache_clear()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority, monkeypatch, tmp_path) -> None:
    """Let this machine trust the authority, and it alone."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@pytest.fixture
def tls_port(authority) -> int:
    """Answer one request over TLS, with a certificate for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def answer(stream: socket.socket) -> None:
        try:
            with context.wrap_socket(stream, server_side=True) as secure:
                secure.recv(1000)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe")
        except OSError:
            pass  # a client that does not trust us hangs up

    return serve_once(answer)


LOCAL = Policy("any", resolve=lambda host, port: ["127.0.0.1"])


def test_a_trusted_certificate_for_the_hosts_name_is_taken(tls_port, trusted):
    assert fetch(f"https://localhost:{tls_port}/", LOCAL, max_bytes=10) == b"safe"


def test_a_redirect_to_tls_is_followed(tls_port, trusted, web):
    url = web.says("/a.png", status=301, Location=f"https://localhost:{tls_port}/b.png")
    assert fetch(url, LOCAL, max_bytes=10) == b"safe"


def test_a_dot_at_the_end_of_a_name_is_not_in_its_certificate(tls_port, trusted):
    assert fetch(f"https://localhost.:{tls_port}/", LOCAL, max_bytes=10) == b"safe"


DISTRUST = ("fetch-failed", REASONS[ssl.SSLCertVerificationError])


def test_a_certificate_for_another_name_fails(tls_port, trusted):
    assert problem(f"https://photos.example:{tls_port}/", LOCAL) == DISTRUST


def test_a_certificate_that_nobody_trusts_fails(tls_port):
    assert problem(f"https://localhost:{tls_port}/", LOCAL) == DISTRUST


def test_a_host_that_speaks_no_tls_fails(web):
    assert code(f"https://127.0.0.1:{web.port}/", ANY) == "fetch-failed"
