import socket
import ssl
import threading
import time

import pytest
import trustme

from shutterless.runtime.fetch import REDIRECTS, Policy, fetch, is_public
from shutterless.runtime.problem import Problem

ANY = Policy("any")
OUTSIDE = "93.184.215.14"


def code(url: str, policy: Policy, max_bytes: int = 1000) -> str:
    with pytest.raises(Problem) as caught:
        fetch(url, policy, max_bytes=max_bytes)
    assert caught.value.detail
    return caught.value.code


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
    assert len(web.requests) == REDIRECTS + 1


@pytest.mark.parametrize("location", [{}, {"Location": ""}, {"Location": "http://[::1"}])
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
    assert code(f"http://127.0.0.1:{port}/", Policy("any", seconds=0.2)) == "fetch-failed"
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
    assert code(f"http://127.0.0.1:{port}/", Policy("any", seconds=0.3)) == "fetch-failed"
    assert hung_up.wait(60)


def test_redirects_share_the_time(web):
    def slow(handler) -> None:
        time.sleep(0.15)
        handler.send_response(302)
        handler.send_header("Location", "/next")
        handler.end_headers()

    web.answers.update({"/a": slow, "/next": slow})
    assert code(web.url("/a"), Policy("any", seconds=0.2)) == "fetch-failed"
    assert len(web.requests) < REDIRECTS


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


@pytest.mark.parametrize("host", ["a..b", ".example", "a" * 64 + ".example"])
def test_a_name_that_cannot_be_one_fails(host):
    assert code(f"http://{host}/", Policy("public")) == "fetch-failed"


def test_the_next_address_is_tried_if_one_does_not_answer(web, monkeypatch):
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


INSIDE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:169.254.169.254",
    "::ffff:0:10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "100::1",
]
OUTWARD = [
    "8.8.8.8",
    OUTSIDE,
    "172.15.0.1",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "::8.8.8.8",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize(
    ("address", "expected"), [(one, False) for one in INSIDE] + [(one, True) for one in OUTWARD]
)
def test_an_address_is_judged_by_where_it_leads(address, expected):
    assert is_public(address) is expected


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_with_an_inside_address_is_refused_before_any_connection(address, connections):
    assert code("http://photos.example/", public(address)) == "url-refused"
    assert code("https://photos.example/", public(OUTSIDE, address)) == "url-refused"
    assert code("https://photos.example/", public(address, OUTSIDE)) == "url-refused"
    assert connections == []


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0x7f000001",
        "0x7f.1",
        "0x7F.0x0.0x0.0x1",
        "0",
        "10.1",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[fd00:ec2::254]",
    ],
)
def test_every_spelling_of_an_inside_address_is_refused_before_any_connection(host, connections):
    for url in (f"http://{host}/", f"https://{host}:443/a.png"):
        assert code(url, Policy("public")) == "url-refused"
    assert connections == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "photo.jpg",
        "//photos.example/",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://photos.example/",
        "gopher://photos.example/",
        "data:image/png;base64,aGVsbG8=",
        "javascript:alert(1)",
        "http:",
        "http://",
        "http:///a.png",
        "http://:80/",
        "http://[::1",
        "http://[nonsense]/",
        "http://photos.example:http/",
        "http://photos.example:65536/",
        "http://photos.example:-1/",
        "http://photos.example/a b.png",
        "http://photos.example/\r\nX: y",
        "http://photos.example/\n",
        "http://photos.example/\t",
        " http://photos.example/",
        "http://photos.example/\0",
        "http://phötos.example/",
        "http://①②⑦.0.0.1/",
        "http://127。0。0。1/",
        "http://photos.example/帽",
        "http://user:password@photos.example/",
        "http://user@photos.example/",
        "http://@photos.example/",
        "http://photos.example\\@127.0.0.1/",
    ],
)
@pytest.mark.parametrize("urls", ["public", "any"])
def test_a_url_of_another_form_is_refused_before_it_is_looked_up(url, urls, connections):
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError("it was looked up")

    assert code(url, Policy(urls, resolve=resolve)) == "url-refused"
    assert connections == []


@pytest.mark.parametrize("port", [0, 22, 25, 6379, 8080, 9001, 65535])
def test_only_the_webs_own_ports_are_fetched_from(port, connections):
    assert code(f"http://photos.example:{port}/", public(OUTSIDE)) == "url-refused"
    assert connections == []


@pytest.mark.parametrize("port", [80, 443])
def test_the_webs_own_ports_may_be_written_out(port, connections, web):
    web.says("/", b"x")
    assert fetch(f"http://photos.example:{port}/", public(OUTSIDE), max_bytes=10) == b"x"
    assert connections == [(OUTSIDE, port)]


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://[::ffff:10.0.0.1]/",
        "//localhost/",
        "http://photos.example:8080/",
        "http://inside.example/",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_to_the_inside_is_refused_before_it_is_followed(location, web, connections):
    def resolve(host: str, port: int) -> list[str]:
        known = {"photos.example": OUTSIDE, "inside.example": "10.0.0.5"}
        if host in known:
            return [known[host]]
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]

    web.says("/a.png", status=302, Location=location)
    assert code("http://photos.example/a.png", Policy("public", resolve=resolve)) == "url-refused"
    assert connections == [(OUTSIDE, 80)]


def test_only_the_permitted_hosts_are_fetched_from(web, connections):
    policy = public(OUTSIDE, hosts=frozenset({"photos.example"}))
    web.says("/a.png", b"x")
    assert fetch("http://PHOTOS.example/a.png", policy, max_bytes=10) == b"x"
    for host in ("other.example", "photos.example.evil", "a.photos.example", "photos.example."):
        assert code(f"http://{host}/a.png", policy) == "url-refused"
    web.says("/a.png", status=302, Location="http://other.example/")
    assert code("http://photos.example/a.png", policy) == "url-refused"
    assert connections == [(OUTSIDE, 80)] * 2


def test_a_permitted_host_with_an_inside_address_is_still_refused(connections):
    policy = public("10.0.0.1", hosts=frozenset({"photos.example"}))
    assert code("http://photos.example/", policy) == "url-refused"
    assert connections == []


def test_off_fetches_nothing(web):
    url = web.says("/a.png", b"x")
    assert code(url, Policy("off")) == "url-refused"
    assert code(url, Policy("off", frozenset({"127.0.0.1"}))) == "url-refused"
    assert web.requests == []


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


def test_a_certificate_for_another_name_fails(tls_port, trusted):
    assert code(f"https://photos.example:{tls_port}/", LOCAL) == "fetch-failed"


def test_a_certificate_that_nobody_trusts_fails(tls_port):
    assert code(f"https://localhost:{tls_port}/", LOCAL) == "fetch-failed"


def test_a_host_that_speaks_no_tls_fails(web):
    assert code(f"https://127.0.0.1:{web.port}/", ANY) == "fetch-failed"
