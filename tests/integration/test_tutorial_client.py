"""The tutorial's own client and curl line work against `shutterless serve`."""

import functools
import http.server
import json
import subprocess
import threading
import urllib.request

import pytest

from shutterless.runtime.fetch.policy import OTHER_PORT


@pytest.fixture(scope="module")
def photos_url(colour_photos):
    """Put the test photos on the web, as far as it reaches here."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=colour_photos / "test")
    handler.log_message = lambda *arguments: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def post_json(url, document):
    request = urllib.request.Request(
        url, json.dumps(document).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer), answer.headers


def test_the_client_posts_a_url_and_names_the_best_of_a_plain_map(serve, colour_bundle, photos_url):
    url = serve(colour_bundle, "--urls", "any") + "/2015-03-31/functions/function/invocations"
    for label in ("blue", "green", "red"):
        results, _ = post_json(url, {"url": f"{photos_url}/{label}/00.png"})
        best, best_score = None, 0.0
        for name in results:  # the client's own loop
            if results[name] > best_score:
                best, best_score = name, results[name]
        assert best == label
        assert sorted(results) == ["blue", "green", "red"]


def test_a_failure_is_marked_as_lambda_marks_a_function_error(serve, colour_bundle, photos_url):
    url = serve(colour_bundle) + "/2015-03-31/functions/function/invocations"
    answer, headers = post_json(url, {"url": f"{photos_url}/red/00.png"})
    assert headers["X-Amz-Function-Error"] == "Unhandled"
    assert answer == {"errorMessage": OTHER_PORT, "errorType": "Problem"}


@pytest.mark.parametrize("header", [(), ("-H", "Content-Type: application/json")], ids=["plain", "JSON"])
def test_the_curl_line_gets_an_answer(serve, colour_bundle, photos_url, header):
    url = serve(colour_bundle, "--urls", "any") + "/predict"
    document = json.dumps({"url": f"{photos_url}/red/00.png"})
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "-d", document, *header, url], capture_output=True, check=True
    )
    assert json.loads(done.stdout)["label"] == "red"
