"""The page's requests and answers, without a browser."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from shutterless.review.app import ReviewApp
from shutterless.review.labels_file import read_labels
from shutterless.review.review import open_review
from shutterless.runtime.http_messages import Request, Response
from tests.unit.review.conftest import jpeg


@pytest.fixture
def app(live: Path) -> ReviewApp:
    return ReviewApp(open_review(live), "Ada")


def get(app: ReviewApp, path: str, cookie: str | None = None) -> Response:
    return app.respond(Request("GET", path, {"cookie": log_in(app) if cookie is None else cookie}))


def post(app: ReviewApp, document: object, path: str = "/answers") -> Response:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return app.respond(Request("POST", path, {"cookie": log_in(app)}, {}, body))


def log_in(app: ReviewApp) -> str:
    response = app.respond(Request("GET", "/", {}, {"key": app.key}))
    assert (response.status, response.headers["Location"]) == (303, "/")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    return cookie.partition(";")[0]


def content(response: Response) -> Mapping[str, object]:
    return dict(json.loads(response.body))


def test_the_page_and_its_files_are_there_and_load_nothing_from_elsewhere(app: ReviewApp) -> None:
    for path, kind in {"/": "text/html", "/review.css": "text/css", "/review.js": "text/javascript"}.items():
        response = get(app, path)
        assert response.status == 200
        assert response.headers["Content-Type"].startswith(kind)
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert b"http://" not in response.body
        assert b"https://" not in response.body


@pytest.mark.parametrize("path", ["/", "/photos", "/photo/id-1", "/review.js"])
@pytest.mark.parametrize("cookie", ["", "review=x", "a" * 5000, "=;=\0"])
def test_without_the_key_there_is_nothing(app: ReviewApp, path: str, cookie: str) -> None:
    response = get(app, path, cookie)
    assert (response.status, content(response)["code"]) == (404, "not-found")


def test_a_wrong_key_opens_nothing(app: ReviewApp) -> None:
    assert app.respond(Request("GET", "/", {}, {"key": "wörng"})).status == 404
    assert app.respond(Request("POST", "/answers", {}, {}, b'{"id": "id-1", "choice": "skip"}')).status == 404


def test_photos_are_described_in_their_order_and_shown_as_small_jpegs(app: ReviewApp, live: Path) -> None:
    document = content(get(app, "/photos"))
    items = document["items"]
    assert isinstance(items, list)
    assert len(items) == 20
    assert document["labels"] == ["hat", "shirt", "shoes"]
    assert document["answers"] == {}
    response = get(app, f"/photo/{items[0]['id']}")
    assert response.headers["Content-Type"] == "image/jpeg"
    assert Image.open(io.BytesIO(response.body)).size == (40, 30)


def test_an_answer_is_kept_and_all_answers_come_back(app: ReviewApp, live: Path) -> None:
    assert post(app, {"id": "id-1", "choice": "label", "label": "hat"}).status == 200
    document = content(post(app, {"id": "id-2", "choice": "none"}))
    assert document["answers"] == {
        "id-1": {"choice": "label", "label": "hat"},
        "id-2": {"choice": "none", "label": ""},
    }
    assert read_labels(live / "labels.csv")["id-1"].reviewer == "Ada"
    assert content(post(app, {"id": "id-1", "choice": None}))["answers"] == {
        "id-2": {"choice": "none", "label": ""}
    }


def test_an_answer_that_somebody_else_gave_meanwhile_stays(app: ReviewApp) -> None:
    none = {"choice": None, "label": ""}
    assert post(app, {"id": "id-1", "choice": "none", "earlier": none}).status == 200
    assert post(app, {"id": "id-1", "choice": "skip", "earlier": none}).status == 409
    answers = content(get(app, "/photos"))["answers"]
    assert answers == {"id-1": {"choice": "none", "label": ""}}
    assert post(app, {"id": "id-1", "choice": "skip", "earlier": {"choice": "none"}}).status == 200


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[]",
        {"id": "id-1", "choice": "maybe"},
        {"id": "nobody", "choice": "skip"},
        {"id": "id-1", "choice": "label", "label": "a/b"},
        {"id": ["id-1"], "choice": "skip"},
        b'{"id": "id-1", "choice": "skip", "x": "' + b"x" * 20_000 + b'"}',
    ],
)
def test_what_is_no_answer_changes_nothing(app: ReviewApp, live: Path, document: object) -> None:
    response = post(app, document)
    assert (response.status, content(response)["code"]) == (400, "invalid-request")
    assert not (live / "labels.csv").exists()


def test_other_paths_and_methods_are_refused(app: ReviewApp) -> None:
    assert get(app, "/nothing").status == 404
    assert get(app, "/photo/../records.parquet").status == 404
    assert get(app, "/answers").status == 405
    assert post(app, {}, "/photos").status == 405


def test_photos_that_are_gone_or_damaged_have_a_reason(make_live: Callable[..., Path]) -> None:
    live = make_live(3)
    review = open_review(live)
    first, second, third = review.queue.items
    assert first.file
    assert second.file
    first.file.unlink()
    second.file.write_bytes(jpeg(1)[:200])
    app = ReviewApp(review)
    assert content(get(app, f"/photo/{first.id}"))["code"] == "not-found"
    assert content(get(app, f"/photo/{second.id}"))["code"] == "unreadable-image"
    assert get(app, f"/photo/{third.id}").status == 200


def test_labels_with_markup_are_only_text(make_live: Callable[..., Path]) -> None:
    live = make_live(4, label=["<script>alert(1)</script>"] * 4)
    app = ReviewApp(open_review(live))
    response = get(app, "/photos")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    items = content(response)["items"]
    assert isinstance(items, list)
    assert items[0]["label"] == "<script>alert(1)</script>"
