import base64
import io
import json
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from shutterless.errors import BundleError
from shutterless.runtime import service as service_module
from shutterless.runtime.http_messages import Request, Response
from shutterless.runtime.image import isolation
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.decoder import decode
from shutterless.runtime.image.ordinary import decode_ordinary
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.problems import KINDS
from shutterless.runtime.responses import PAGE, URL_FORM
from shutterless.runtime.service import DECODE_MEMORY, MAX_IMAGES, Service
from shutterless.runtime.settings import Settings

LABELS = ["blue", "green", "red"]


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def post(body: object, kind: str | None = "application/json") -> Request:
    headers = {} if kind is None else {"content-type": kind}
    return Request(
        "POST", "/predict", headers, {}, body if isinstance(body, bytes) else json.dumps(body).encode()
    )


def answer(response: Response) -> dict:
    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
    return json.loads(response.body)


def problem(response: Response) -> str:
    """Return the problem's code, after a look at everything that contract 4 says of it."""
    document = json.loads(response.body)
    status, title = KINDS[document["code"]]
    detail = document["detail"]
    assert document == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": document["code"],
    }
    assert detail
    assert response.status == status
    assert response.headers["Content-Type"] == "application/problem+json"
    return document["code"]


def form(data: bytes, name: str = "image") -> bytes:
    head = f'--bound\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n'
    return head.encode() + b"Content-Type: image/png\r\n\r\n" + data + b"\r\n--bound--\r\n"


@pytest.fixture
def budgets(monkeypatch):
    """Set what each request may take: seconds, CPU seconds, and bytes that hosts may send."""

    def set_budget(seconds=25.0, cpu_seconds=2.5, received_bytes=1 << 20):
        monkeypatch.setattr(Budget.__init__, "__defaults__", (seconds, cpu_seconds, received_bytes))

    return set_budget


def test_the_pictures_of_one_request_share_one_budget_of_cpu_time(service, pictures, monkeypatch):
    remaining = iter([2.5, 1.0, 0.0])

    def decode(data, spec, budget, use_photo):
        budget.cpu_seconds = next(remaining)
        return decode_ordinary(data, spec, budget)

    monkeypatch.setattr(service_module, "decode_ordinary", decode)
    one = {"image": base64_of(pictures["red"])}
    predictions = answer(service.respond(post({"images": [one, one, one]})))["predictions"]
    assert [prediction.get("code") for prediction in predictions] == [None, None, "too-large"]


def test_all_urls_of_a_request_share_the_bytes_that_hosts_may_send(service, pictures, web, budgets):
    size = len(pictures["red"])
    urls = [{"url": web.says("/red.png", pictures["red"])}] * 3
    budgets(received_bytes=2 * size + 1000)  # with the heads
    predictions = answer(service.respond(post({"images": urls})))["predictions"]
    assert [prediction.get("code") for prediction in predictions] == [None, None, "too-large"]


def test_an_unusual_picture_is_decoded_in_a_child_and_classified(service, classifier, pictures):
    file = io.BytesIO()
    Image.open(io.BytesIO(pictures["red"])).save(file, "TIFF")
    unusual = service.classify(file.getvalue())
    assert unusual["scores"] == service.classify(pictures["red"])["scores"]


def test_who_waits_for_a_turn_until_the_deadline_is_told_that_the_service_is_busy(service, pictures, budgets):
    budgets(seconds=0.05)
    slots = service._decode_slots
    taken = 0
    while slots.acquire(blocking=False):
        taken += 1
    try:
        response = service.respond(post(pictures["red"], "image/png"))
    finally:
        slots.release(taken)
    assert (problem(response), response.headers["Retry-After"]) == ("busy", "1")
    budgets()
    assert answer(service.respond(post(pictures["red"], "image/png")))["label"] == "red"


@pytest.mark.parametrize(
    ("cores", "memory", "children", "all_pictures"),
    [(4, 64 << 30, 2, 6), (1, 2 * DECODE_MEMORY, 1, 2), (2, DECODE_MEMORY, 1, 1)],
)
def test_unusual_pictures_leave_room_for_photos(
    classifier, colour_bundle, pictures, monkeypatch, cores, memory, children, all_pictures
):
    monkeypatch.setattr(service_module, "cores", lambda: cores)
    monkeypatch.setattr(service_module, "memory", lambda: memory)
    unusual, inside, peaks, lock = b"GIF", Counter(), Counter(), threading.Lock()

    def count(name):
        with lock:
            inside[name] += 1
            peaks[name] = max(peaks[name], inside[name])
            peaks["all"] = max(peaks["all"], inside.total())
        time.sleep(0.02)  # so that one that waited for no turn would be in here too
        with lock:
            inside[name] -= 1
        return decode(pictures["red"], classifier.input)

    monkeypatch.setattr(
        service_module, "decode_ordinary", lambda data, *_: None if data == unusual else count("photo")
    )
    monkeypatch.setattr(isolation, "decode_isolated", lambda *_: count("child"))
    crowded = Service(classifier, Settings(colour_bundle))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(crowded.classify, [unusual, pictures["red"]] * 16))
    assert (peaks["child"], peaks["all"]) == (children, all_pictures)


def test_a_fault_while_decoding_is_a_500_whose_cause_the_log_has(service, pictures, monkeypatch):
    monkeypatch.setattr(service_module, "decode_ordinary", lambda *_: 1 // 0)
    response = service.respond(post({"image": base64_of(pictures["red"])}))
    assert problem(response) == "internal"
    assert isinstance(response.cause, ZeroDivisionError)


def test_the_codes_of_problems_and_their_statuses_are_the_contract():
    assert {code: status for code, (status, title) in KINDS.items()} == {
        "invalid-request": 400,
        "not-found": 404,
        "method-not-allowed": 405,
        "too-large": 413,
        "unsupported-format": 415,
        "unreadable-image": 422,
        "unusual-image": 422,
        "url-refused": 422,
        "fetch-failed": 424,
        "internal": 500,
        "busy": 503,
    }


def test_an_answer_has_the_members_of_the_contract(service, classifier, pictures):
    document = answer(service.respond(post({"image": base64_of(pictures["red"])})))
    timing = document.pop("timing_ms")
    prediction = classifier.classify(decode(pictures["red"], classifier.input))
    assert (prediction.label, prediction.accepted) == ("red", True)
    model = {"name": "colours", "version": classifier.bundle.version}
    assert document == {**prediction.to_json(), "model": model}
    assert list(document)[:4] == ["label", "confidence", "accepted", "scores"]
    assert list(document["scores"]) == LABELS
    assert list(timing) == ["fetch", "decode", "infer"]
    assert timing["fetch"] == 0
    assert min(timing.values()) >= 0


def test_a_confidence_below_the_threshold_is_not_accepted(colour_bundle, pictures):
    sure = Classifier(read_bundle(colour_bundle).replace(threshold=1.0))
    document = Service(sure, Settings(colour_bundle)).predict({"image": base64_of(pictures["red"])})
    assert (document["label"], document["accepted"]) == ("red", document["confidence"] == 1)


@pytest.fixture(scope="session")
def familiar_service(familiar_bundle) -> Service:
    return Service(Classifier(read_bundle(familiar_bundle)), Settings(familiar_bundle))


def test_an_answer_says_whether_the_picture_is_familiar(familiar_service, pictures):
    images = [{"image": base64_of(data)} for data in (pictures["red"], encoded("PNG", "yellow"))]
    known, strange = answer(familiar_service.respond(post({"images": images})))["predictions"]
    assert (known["label"], known["familiar"], known["accepted"]) == ("red", True, True)
    assert (strange["familiar"], strange["accepted"], strange["novelty"]) == (False, False, 1 - 1 / 19)
    assert answer(familiar_service.respond(post(images[1]))).keys() == strange.keys()
    members = ["label", "confidence", "accepted", "scores", "familiar", "novelty", "model", "timing_ms"]
    assert list(strange) == members


def test_a_model_of_format_1_answers_as_before(plain_bundle, pictures):
    service = Service(Classifier(read_bundle(plain_bundle)), Settings(plain_bundle))
    document = answer(service.respond(post({"image": base64_of(pictures["red"])})))
    assert list(document) == ["label", "confidence", "accepted", "scores", "model", "timing_ms"]
    assert "familiar" not in json.loads(service.respond(Request("GET", "/model")).body)


def test_the_model_tells_its_false_alarm_rate_and_what_was_measured(familiar_service):
    document = json.loads(familiar_service.respond(Request("GET", "/model")).body)
    assert document["familiar"] == {"photos": 18, "false_alarm_rate": 0.06, "measured": {"auroc": 0.9}}


def test_a_url_is_fetched(service, pictures, web):
    document = answer(service.respond(post({"url": web.says("/a.png", pictures["green"])})))
    assert document["label"] == "green"
    assert document["timing_ms"]["fetch"] > 0


def test_several_urls_share_one_time_and_a_picture_needs_none(service, pictures, web, budgets):
    budgets(seconds=0.0)
    images = [{"url": web.says("/a.png", pictures["green"])}, {"image": base64_of(pictures["red"])}]
    late, sent = answer(service.respond(post({"images": images})))["predictions"]
    assert (late["code"], sent["label"]) == ("fetch-failed", "red")
    assert web.requests == []


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_a_picture_comes_in_base64_also_as_a_data_uri(service, pictures, prefix):
    payload = {"image": prefix + base64_of(pictures["blue"])}
    assert answer(service.respond(post(payload)))["label"] == "blue"


@pytest.mark.parametrize("kind", ["image/png", "IMAGE/JPEG; x=y", "image/*", "application/octet-stream"])
def test_a_raw_picture_is_told_by_its_content_and_not_by_its_type(service, pictures, kind):
    assert answer(service.respond(post(pictures["green"], kind)))["label"] == "green"


@pytest.mark.parametrize(
    "kind", [None, "application/x-www-form-urlencoded", "binary/octet-stream", "text/plain", "image/png, x/y"]
)
def test_a_picture_is_told_by_its_first_bytes_whatever_its_type_says(service, pictures, kind):
    assert answer(service.respond(post(pictures["green"], kind)))["label"] == "green"


def encoded(kind: str, colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_format_is_told_by_its_first_bytes(service, kind):
    assert answer(service.respond(post(encoded(kind), None)))["label"] in LABELS


def test_a_picture_of_another_format_is_named_so_without_a_type(service):
    jpeg_2000 = b"\0\0\0\x18ftypjp2 " + bytes(100)
    assert problem(service.respond(post(jpeg_2000, None))) == "unsupported-format"


def test_a_form_has_the_picture_in_its_field_image(service, pictures):
    kind = "multipart/form-data; boundary=bound"
    assert answer(service.respond(post(form(pictures["red"]), kind)))["label"] == "red"


@pytest.mark.parametrize(
    "kind", [None, "", "application/json; charset=utf-8", "application/x-www-form-urlencoded"]
)
def test_json_is_understood_whatever_a_client_calls_it(service, pictures, kind):
    assert answer(service.respond(post({"image": base64_of(pictures["red"])}, kind)))["label"] == "red"


def test_several_pictures_get_an_answer_or_a_problem_each_in_their_order(service, pictures, web):
    images = [
        {"image": base64_of(pictures["red"])},
        {"image": base64_of(b"hello")},
        {"url": web.says("/a.png", pictures["blue"])},
        {"url": web.says("/gone", status=404)},
        {"colour": "red"},
        "red",
        {"image": base64_of(pictures["green"])},
    ]
    predictions = answer(service.respond(post({"images": images})))["predictions"]
    assert [one.get("label") or one["code"] for one in predictions] == [
        "red",
        "unsupported-format",
        "blue",
        "fetch-failed",
        "invalid-request",
        "invalid-request",
        "green",
    ]
    assert list(predictions[0])[:4] == ["label", "confidence", "accepted", "scores"]
    assert list(predictions[1]) == ["type", "title", "status", "detail", "code"]


def test_pictures_in_a_list_that_are_no_objects_are_told_what_to_send(service):
    (item,) = answer(service.respond(post({"images": ["aGVsbG8="]})))["predictions"]
    assert item["code"] == "invalid-request"
    assert '{"image": ' in item["detail"]


def test_16_pictures_at_once_are_the_most(service, pictures):
    one = {"image": base64_of(pictures["red"])}
    assert len(answer(service.respond(post({"images": [one] * 16})))["predictions"]) == MAX_IMAGES == 16
    assert problem(service.respond(post({"images": [one] * 17}))) == "invalid-request"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        None,
        "url",
        5,
        {"url": None},
        {"url": 5},
        {"image": ["x"]},
        {"url": "https://example.com/a.jpg", "image": "aGVsbG8="},
        {"url": "https://example.com/a.jpg", "images": [{"image": "aGVsbG8="}]},
        {"image": "aGVsbG8=", "images": [{"image": "aGVsbG8="}]},
        {"images": []},
        {"images": {}},
        {"images": None},
        {"images": "x"},
        {"image": "aGVs!bG8="},
        {"image": "é"},
        {"image": "aGVsbG8hI"},
    ],
)
def test_a_payload_that_is_not_understood_is_invalid(service, payload):
    assert problem(service.respond(post(payload))) == "invalid-request"


@pytest.mark.parametrize("body", [b"", b"{", b'{"url"', b"\xff\xfe", b"[" * 100_000, b"NaN"])
def test_a_body_that_is_not_json_is_invalid(service, body):
    assert problem(service.respond(post(body))) == "invalid-request"


def test_json_of_hundreds_of_thousands_of_values_is_not_parsed(service, monkeypatch):
    assert problem(service.respond(post(b"[" + b"[]," * 100_000 + b"[]]"))) == "invalid-request"
    monkeypatch.setattr(json, "loads", lambda body: pytest.fail("it was parsed"))
    response = service.respond(post(b"[" + b"[]," * 200_001 + b"[]]"))
    monkeypatch.undo()
    assert problem(response) == "invalid-request"


def test_a_form_without_a_picture_is_invalid(service):
    assert (
        problem(service.respond(post(b"--bound\r\n", "multipart/form-data; boundary=bound")))
        == "invalid-request"
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "unreadable-image"), (b"hello", "unsupported-format"), (b"%PDF-", "unsupported-format")],
)
def test_what_is_no_picture_is_a_problem_however_it_comes(service, data, code):
    requests = [
        post(data, "image/png"),
        post({"image": base64_of(data)}),
        post(form(data), "multipart/form-data; boundary=bound"),
    ]
    assert [problem(service.respond(request)) for request in requests] == [code] * 3


def test_too_large_a_picture_is_a_problem(service, pictures, monkeypatch):
    monkeypatch.setattr("shutterless.runtime.image.limits.MAX_BYTES", 100)
    assert problem(service.respond(post(pictures["red"], "image/png"))) == "too-large"


def test_the_settings_say_which_urls_are_fetched(classifier, colour_bundle, web, pictures):
    url = web.says("/a.png", pictures["red"])

    def code(**options) -> str:
        return problem(Service(classifier, Settings(colour_bundle, **options)).respond(post({"url": url})))

    assert code() == code(urls="off") == "url-refused"
    assert code(urls="any", url_hosts=frozenset({"photos.example.com"})) == "url-refused"
    assert web.requests == []


def test_the_page_is_one_file_without_an_outside_address(service):
    response = service.respond(Request("GET", "/"))
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert response.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.body == Path(PAGE).read_bytes()
    assert not re.search(rb"""(src|href)\s*=\s*["']?(https?:)?//|@import|url\((https?:)?//""", response.body)


def test_where_no_url_is_fetched_the_page_has_no_field_for_one(classifier, colour_bundle):
    shut = Service(classifier, Settings(colour_bundle, urls="off"))
    page, page_without = Path(PAGE).read_bytes(), shut.respond(Request("GET", "/")).body
    assert page.count(URL_FORM) == 1
    assert page_without == page.replace(URL_FORM, URL_FORM + b" hidden")


def test_health_tells_the_version(service, classifier):
    assert answer(service.respond(Request("GET", "/health"))) == {
        "status": "ok",
        "version": classifier.bundle.version,
    }


def test_model_tells_what_it_is_and_how_good_it_was_measured(service, classifier):
    bundle = classifier.bundle
    document = answer(service.respond(Request("GET", "/model")))
    assert document.pop("familiar").keys() == {"photos", "false_alarm_rate", "measured"}
    assert document == {
        "name": "colours",
        "version": bundle.version,
        "labels": LABELS,
        "input": {"height": 32, "width": 32, "resize": "pad", "interpolation": "bilinear"},
        "precision": "float32",
        "threshold": bundle.threshold,
        "accuracy": bundle.accuracy,
        "backbone": "tiny",
        "created": bundle.created,
    }


def test_a_slash_at_the_end_of_a_path_changes_nothing(service):
    assert service.respond(Request("GET", "/health/")) == service.respond(Request("GET", "/health"))


@pytest.mark.parametrize("path", ["/nowhere", "/predict/x", "/Health", "/../etc/passwd", "/\ud800"])
def test_an_unknown_path_is_not_found(service, path):
    assert problem(service.respond(Request("GET", path))) == "not-found"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/predict"),
        ("HEAD", "/predict"),
        ("POST", "/health"),
        ("PUT", "/model"),
        ("DELETE", "/"),
        ("", "/"),
    ],
)
def test_another_method_is_not_allowed(service, method, path):
    response = service.respond(Request(method, path))
    assert problem(response) == "method-not-allowed"
    assert response.headers["Allow"] == ("POST, OPTIONS" if path == "/predict" else "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("path", ["/", "/health", "/model", "/openapi.json"])
def test_head_is_get_without_the_body(service, path):
    got = service.respond(Request("GET", path))
    length = {"Content-Length": str(len(got.body))}
    assert service.respond(Request("HEAD", path)) == Response(200, {**got.headers, **length}, b"")


@pytest.mark.parametrize(
    ("path", "methods"), [("/predict", "POST, OPTIONS"), ("/model", "GET, HEAD, OPTIONS")]
)
def test_a_browser_elsewhere_is_told_what_it_may_send(service, path, methods):
    assert service.respond(Request("OPTIONS", path)) == Response(
        204,
        {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "Retry-After, X-Request-Id",
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": "Content-Type, X-Api-Key, X-Request-Id",
            "Access-Control-Max-Age": "86400",
            "Allow": methods,
        },
        b"",
    )


@pytest.mark.parametrize(
    "asked",
    [Request("GET", "/"), Request("GET", "/model"), Request("GET", "/nowhere"), Request("POST", "/predict")],
)
def test_a_page_elsewhere_may_read_every_answer(service, asked):
    assert service.respond(asked).headers["Access-Control-Allow-Origin"] == "*"


def test_an_error_inside_tells_the_sender_where_the_log_has_it_and_no_more(service, pictures, monkeypatch):
    def fail(pixels):
        raise RuntimeError("secret of /srv/inside")

    monkeypatch.setattr(service._classifier, "classify", fail)
    response = service.respond(post(pictures["red"], "image/png").replace(id="r-7"))
    assert problem(response) == "internal"
    assert "r-7" in json.loads(response.body)["detail"]
    assert b"secret" not in response.body
    assert repr(response.cause) == "RuntimeError('secret of /srv/inside')"


@pytest.mark.parametrize(
    ("cores", "memory", "expected"), [(2, 8 << 30, 2), (8, 2 * DECODE_MEMORY, 2), (8, 100, 1)]
)
def test_no_more_pictures_are_decoded_at_once_than_cores_and_memory_bear(
    classifier, colour_bundle, pictures, monkeypatch, cores, memory, expected
):
    monkeypatch.setattr(service_module, "cores", lambda: cores)
    monkeypatch.setattr(service_module, "memory", lambda: memory)
    inside, most, lock = 0, 0, threading.Lock()

    def count(data, spec, budget, use_photo):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.01)  # so that one that waited for no turn would be in here too
        with lock:
            inside -= 1
        return decode_ordinary(data, spec, budget)

    monkeypatch.setattr(service_module, "decode_ordinary", count)
    crowded = Service(classifier, Settings(colour_bundle))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(crowded.classify, [pictures["red"]] * 16))
    assert [answer["label"] for answer in answers] == ["red"] * 16
    assert most == expected


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/", "GET /"),
        ("POST", "/predict/", "POST /predict"),
        ("DELETE", "/model", "? /model"),
        ("GET", "/k3y", "GET ?"),
        ("K3Y", "/k3y", "? ?"),
    ],
)
def test_a_route_has_a_name_that_holds_nothing_of_its_sender(service, method, path, route):
    assert service.find_route(Request(method, path)) == route


@pytest.mark.parametrize("kind", ["", "provisioned-concurrency", "snap-start", "on-demand"])
def test_loading_runs_the_model_once_unless_a_request_waits(kind, colour_bundle, monkeypatch):
    runs, run = [], Classifier._infer
    monkeypatch.setattr(
        Classifier, "_infer", lambda self, pixels: runs.append(len(pixels)) or run(self, pixels)
    )
    Service.load(Settings(colour_bundle, initialization=kind))
    assert runs == ([] if kind == "on-demand" else [32 * 32 * 3])


def test_loading_reads_the_bundle_that_the_settings_name(colour_bundle, tmp_path, pictures):
    loaded = Service.load(Settings(colour_bundle))
    assert loaded.settings.bundle == colour_bundle
    assert loaded.predict({"image": base64_of(pictures["red"])})["label"] == "red"
    with pytest.raises(BundleError) as caught:
        Service.load(Settings(tmp_path))
    assert caught.value.code == "not-a-bundle"
