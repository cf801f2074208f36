"""What every endpoint does, be it local, a container or on AWS.

pytest tests/endpoint                                       a local server
pytest tests/endpoint --url http://127.0.0.1:8080           a container that runs already
pytest tests/endpoint --url https://….amazonaws.com/prod --api-key KEY
"""

import base64
import json
from dataclasses import replace

import pytest

INVOCATIONS = "/2015-03-31/functions/function/invocations"
FORM = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n%b\r\n--b--\r\n'


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def problem(answer) -> tuple[int, str]:
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert document.keys() == {"type", "title", "status", "detail", "code"}
    assert document["status"] == answer.status
    return answer.status, document["code"]


def scores(answer) -> dict[str, float]:
    assert answer.status == 200, answer.body
    return answer.json()["scores"]


def test_it_is_healthy_and_tells_its_version(endpoint):
    health, model = endpoint.ask("GET", "/health"), endpoint.ask("GET", "/model").json()
    assert (health.status, health.json()) == (200, {"status": "ok", "version": model["version"]})


def test_an_answer_has_the_members_of_the_contract(endpoint, picture):
    answer, model = endpoint.post({"image": base64_of(picture)}).json(), endpoint.ask("GET", "/model").json()
    familiar = ["familiar", "novelty"] if "familiar" in model else []
    assert list(answer) == [
        "label",
        "confidence",
        "accepted",
        "scores",
        *familiar,
        "model",
        "timing_ms",
    ]
    assert list(answer["scores"]) == model["labels"]
    assert answer["confidence"] == answer["scores"][answer["label"]] == max(answer["scores"].values())
    assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-4)
    is_sure = answer["confidence"] >= model["threshold"]
    assert answer["accepted"] is (is_sure and answer.get("familiar", True))
    assert answer["model"] == {"name": model["name"], "version": model["version"]}


def test_a_picture_gets_the_same_answer_however_it_comes(endpoint, picture):
    expected = scores(endpoint.post({"image": base64_of(picture)}))
    raw = endpoint.ask("POST", "/predict", picture, Content_Type="image/png")
    form = endpoint.ask("POST", "/predict", FORM % picture, Content_Type="multipart/form-data; boundary=b")
    several = endpoint.post({"images": [{"image": base64_of(picture)}, {"image": "!"}]}).json()["predictions"]
    assert scores(raw) == scores(form) == several[0]["scores"] == expected
    assert several[1]["code"] == "invalid-request"


def test_the_page_is_there(endpoint):
    page = endpoint.ask("GET", "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.body.startswith(b"<!doctype html>")


def test_the_api_is_described(endpoint):
    document = endpoint.ask("GET", "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["paths"].keys() == {"/predict", "/", "/model", "/health", "/openapi.json"}


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"{", "application/json", (400, "invalid-request")),
        (b"{}", "application/json", (400, "invalid-request")),
        (b'{"image": "!"}', "application/json", (400, "invalid-request")),
        (b"hello", "image/png", (415, "unsupported-format")),
        (b'{"url": "file:///etc/passwd"}', "application/json", (422, "url-refused")),
        (b'{"url": "http://169.254.169.254/latest/meta-data/"}', "application/json", (422, "url-refused")),
        (b'{"url": "http://localhost:9001/"}', "application/json", (422, "url-refused")),
        (FORM, "multipart/form-data; boundary=other", (400, "invalid-request")),
    ],
)
def test_what_is_wrong_is_a_problem(endpoint, body, kind, expected):
    assert problem(endpoint.ask("POST", "/predict", body, Content_Type=kind)) == expected


def test_a_picture_that_is_cut_short_is_a_problem(endpoint, picture):
    half = picture[: len(picture) // 2]
    answer = endpoint.ask("POST", "/predict", half, Content_Type="image/png")
    assert problem(answer) == (422, "unreadable-image")


def test_an_unknown_path_and_a_wrong_method_are_problems(endpoint):
    assert problem(endpoint.ask("GET", "/nowhere")) == (404, "not-found")
    wrong = endpoint.ask("GET", "/predict")
    if problem(wrong) != (404, "not-found"):  # API Gateway has no route for it
        assert problem(wrong) == (405, "method-not-allowed")
        assert "POST" in wrong.headers["allow"]


def test_more_than_lambda_takes_is_refused(endpoint):
    body = json.dumps({"image": "A" * (7 * 1024 * 1024)}).encode()
    assert endpoint.ask("POST", "/predict", body, Content_Type="application/json").status == 413


@pytest.mark.parametrize("path", ["/health", "/model"])
def test_head_is_get_without_the_body(endpoint, path):
    got, head = endpoint.ask("GET", path), endpoint.ask("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    # API Gateway reckons the length itself, from the body that is not there.
    assert head.headers["content-length"] in (str(len(got.body)), "0")


def test_a_page_elsewhere_may_ask(endpoint, picture):
    preflight = endpoint.ask("OPTIONS", "/predict", Origin="https://example.com")
    assert preflight.status in (200, 204)
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "x-api-key" in preflight.headers["access-control-allow-headers"].lower()
    for answer in (preflight, endpoint.post({"image": base64_of(picture)}), endpoint.post({})):
        assert answer.headers["access-control-allow-origin"] == "*"


def test_it_wants_the_key_that_was_given_and_says_so_to_pages_too(endpoint, picture):
    answer = replace(endpoint, key=None).post({"image": base64_of(picture)})
    assert answer.headers["access-control-allow-origin"] == "*"
    if endpoint.key:
        assert problem(answer) == (403, "forbidden")
    else:
        assert scores(answer)


def test_every_answer_has_a_number(endpoint):
    answers = [endpoint.ask("GET", "/health"), endpoint.ask("GET", "/health"), endpoint.post({})]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


def test_the_tutorials_event_gets_the_plain_scores(endpoint, picture):
    answer = endpoint.post({"image": base64_of(picture)}, INVOCATIONS)
    if answer.status in (403, 404):
        pytest.skip("this endpoint takes no plain events")
    assert answer.json() == scores(endpoint.post({"image": base64_of(picture)}))
    failed = endpoint.post({"url": "file:///etc/passwd"}, INVOCATIONS)
    assert failed.json()["errorMessage"]
