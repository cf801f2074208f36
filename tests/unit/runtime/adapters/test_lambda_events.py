import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutterless.runtime.adapters.lambda_events import (
    from_response,
    is_http,
    to_event,
    to_request,
    to_response,
)
from shutterless.runtime.http_messages import Request, Response, decode_base64, parse_json
from shutterless.runtime.problems import Problem

EVENTS = {
    file.stem: json.loads(file.read_text("utf-8")) for file in Path(__file__).parent.glob("events/*.json")
}
BODY = b'{"url": "https://example.com/a.jpg"}'
RAW = b"\x89PNG\r\n\xff\x00"
JSON = Response(200, {"Content-Type": "application/json", "X-Id": "7"}, '{"label": "Mütze"}'.encode())
BINARY = Response(200, {"Content-Type": "image/png"}, RAW)

API = "abcdef1234.execute-api.eu-central-1.amazonaws.com"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
TRACE = "Root=1-6703a7b4-0c4f21d35a8e6a1f2b7d9e80"
QUERY = {"top": "3", "note": "a b"}


def rest_headers(host: str, kind: str) -> dict:
    return {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate, br",
        "cloudfront-forwarded-proto": "https",
        "cloudfront-viewer-country": "DE",
        "content-type": kind,
        "cookie": "session=5f2b; theme=dark",
        "host": host,
        "user-agent": AGENT,
        "via": "2.0 3f1c.cloudfront.net (CloudFront)",
        "x-amzn-trace-id": TRACE,
        "x-api-key": "Zk3yNotAKey",
        "x-forwarded-for": "203.0.113.7, 70.132.1.86",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }


def headers(host: str, kind: str, **others: str) -> dict:
    return {
        "accept": "application/json",
        **{name.replace("_", "-"): value for name, value in others.items()},
        "content-type": kind,
        "host": host,
        "user-agent": AGENT,
        "x-amzn-trace-id": TRACE,
        "x-api-key": "Zk3yNotAKey",
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }


def unkeyed(headers: dict, **others: str) -> dict:
    """Return headers with others instead of some of them, and without an API key."""
    changed = {**headers, **{name.replace("_", "-"): value for name, value in others.items()}}
    return {name: value for name, value in changed.items() if name != "x-api-key"}


def post(headers: dict, query: dict = QUERY, body: bytes = BODY) -> Request:
    return Request("POST", "/predict", headers, query, body)


JSON_TYPE = "application/json"
BALANCER = headers(
    "photos-1234567890.eu-central-1.elb.amazonaws.com", JSON_TYPE, cookie="session=5f2b; theme=dark"
)
FUNCTION_URL = headers("k3j2h1g0.lambda-url.eu-central-1.on.aws", "image/png", content_length="12")
# What each recorded event asks for.
REQUESTS = {
    "rest-api": post(rest_headers(API, JSON_TYPE)),
    "rest-api-proxy": post(rest_headers(API, "image/png"), {}, RAW),
    "rest-api-custom-domain": post(rest_headers("api.example.com", JSON_TYPE)),
    "http-api": post(headers(API, JSON_TYPE, content_length="36")),
    "http-api-stage": post(headers(API, JSON_TYPE, content_length="36")),
    "http-api-custom-domain": post(headers("api.example.com", JSON_TYPE, content_length="36")),
    "function-url": post(FUNCTION_URL, {}, RAW),
    "function-url-iam": post(
        unkeyed(FUNCTION_URL, content_type=JSON_TYPE, content_length="36", x_amz_date="20261007T091636Z"), {}
    ),
    "function-url-ipv6": Request(
        "GET",
        "/model",
        {
            name: value
            for name, value in unkeyed(FUNCTION_URL, x_forwarded_for="2001:db8:85a3::8a2e:370:7334").items()
            if not name.startswith("content-")
        },
        QUERY,
    ),
    "load-balancer": post(BALANCER),
    "load-balancer-multi-value": post(BALANCER),
}


@pytest.mark.parametrize("name", EVENTS)
def test_a_recorded_event_becomes_the_request_that_it_tells_of(name):
    assert is_http(EVENTS[name])
    assert to_request(EVENTS[name]) == REQUESTS[name]


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_body_in_base64_is_decoded_in_every_shape(event):
    encoded = {**event, "body": base64.b64encode(RAW).decode(), "isBase64Encoded": True}
    assert to_request(encoded).body == RAW


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_text_body_may_hold_any_script(event):
    assert to_request({**event, "body": "Mütze 帽", "isBase64Encoded": False}).body == "Mütze 帽".encode()


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_no_body_is_an_empty_one(event):
    nothing = {name: value for name, value in event.items() if name != "body"}
    assert [
        to_request(given).body for given in (nothing, {**event, "body": None}, {**event, "body": ""})
    ] == [b""] * 3


MINIMAL = [
    {"httpMethod": "get", "path": "/health"},
    {"httpMethod": "GET", "path": "/health", "headers": None, "requestContext": {}, "pathParameters": None},
    {"requestContext": {"http": {"method": "get"}}, "rawPath": "/health"},
    {"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/health"},
]


@pytest.mark.parametrize("event", MINIMAL)
def test_what_a_short_event_leaves_out_is_empty(event):
    assert is_http(event)
    assert to_request(event) == Request("GET", "/health")


@pytest.mark.parametrize(
    ("members", "value"),
    [
        ({"multiValueHeaders": {"X-A": ["1", "2"], "X-B": []}}, "1, 2"),
        ({"headers": {"x-a": "2"}, "multiValueHeaders": None}, "2"),
        ({"headers": {"X-A": "2"}, "multiValueHeaders": {"X-A": ["1", 2]}}, "1, 2"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "1, 2"),
    ],
)
def test_the_values_of_a_repeated_header_are_joined(members, value):
    event = {"httpMethod": "GET", "path": "/", **members}
    assert to_request(event).headers == {"x-a": value}
    assert to_request({**event, "requestContext": {"elb": {}}}).headers == {"x-a": value}


def test_of_several_values_in_a_query_the_last_counts():
    values = {"queryStringParameters": {"a": "2"}, "multiValueQueryStringParameters": {"a": ["1", "2"]}}
    assert to_request({"httpMethod": "GET", "path": "/", **values}).query == {"a": "2"}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({**EVENTS["function-url"], "rawPath": "/a%20b%252F"}, "/a b%2F"),
        ({**EVENTS["rest-api"], "path": "/a%20b", "resource": "/{proxy+}"}, "/a b"),
        ({**EVENTS["http-api"], "routeKey": "$default", "rawPath": "/a%20b"}, "/a%20b"),
    ],
    ids=["function-url", "rest-api", "http-api"],
)
def test_a_path_is_decoded_where_aws_leaves_it_encoded(event, expected):
    """Recorded by others: https://github.com/middleapi/standard-server/pull/93"""
    assert to_request(event).path == expected


def test_a_load_balancer_leaves_paths_and_queries_encoded():
    event = {**EVENTS["load-balancer"], "path": "/a%20b", "queryStringParameters": {"a%2Fb": "1+2"}}
    request = to_request(event)
    assert (request.path, request.query) == ("/a b", {"a/b": "1 2"})


def http_api(path: str, stage: str, route: str = "$default", **parameters: str) -> dict:
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "pathParameters": parameters,
        "requestContext": {"stage": stage, "http": {"method": "GET"}},
    }


@pytest.mark.parametrize(
    ("path", "stage", "expected"),
    [
        ("/prod/predict", "prod", "/predict"),
        ("/prod/", "prod", "/"),
        ("/prod", "prod", "/"),
        ("/production", "prod", "/production"),
        ("/predict", "prod", "/predict"),
        ("/predict", "predict", "/"),
        ("/$default", "$default", "/$default"),
        ("/model", "$default", "/model"),
        ("", "$default", "/"),
    ],
)
def test_only_a_whole_stage_is_cut_off_the_path(path, stage, expected):
    assert to_request(http_api(path, stage)).path == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (http_api("/v1/predict", "prod", "POST /predict"), "/predict"),
        (http_api("/prod/predict", "prod", "POST /predict"), "/predict"),
        (http_api("/v1/a/b", "prod", "ANY /{proxy+}", proxy="a/b"), "/a/b"),
        (http_api("/v1/shop/a", "prod", "ANY /shop/{what}", what="a"), "/shop/a"),
        (http_api("/v1/a", "prod", "ANY /{proxy+}"), "/v1/a"),
        (http_api("/v1", "prod", "GET /"), "/"),
        ({"httpMethod": "GET", "path": "/v1/", "resource": "/"}, "/"),
        ({"httpMethod": "GET", "path": "/v1", "resource": "/"}, "/"),
        ({"httpMethod": "GET", "path": "/v1/predict/", "resource": "/predict"}, "/predict"),
        ({"httpMethod": "GET", "path": "/prod/predict"}, "/prod/predict"),
        ({"httpMethod": "GET", "path": "/v1/a", "resource": "$default"}, "/v1/a"),
        ({"httpMethod": "GET", "path": "/v1/a", "resource": "/b"}, "/v1/a"),
        ({"httpMethod": "GET", "path": "/v1/a", "resource": "/{proxy+}", "pathParameters": {}}, "/v1/a"),
        ({"httpMethod": "GET", "path": "/v1/a", "resource": 5}, "/v1/a"),
    ],
)
def test_the_base_path_of_a_custom_domain_is_cut_off_where_the_route_tells_it(event, expected):
    assert to_request(event).path == expected


@pytest.mark.parametrize("route", ["{" * 300_000, "{a" * 300_000, "{" + "a" * 300_000, "{a+" * 300_000])
def test_a_route_of_braces_is_read_in_one_pass(route):
    event = {"httpMethod": "GET", "path": "/health", "resource": route, "pathParameters": {"a": "b"}}
    assert to_request(event).path == "/health"  # quadratic, this would take hours


def test_a_parameter_that_a_route_names_often_is_not_written_out():
    parameters = {"a": "b" * 1_000_000}
    event = {"httpMethod": "GET", "path": "/x", "resource": "/{a}" * 1_000_000, "pathParameters": parameters}
    assert to_request(event).path == "/x"  # a terabyte


@pytest.mark.parametrize("event", [{"url": "https://example.com"}, {}, {"requestContext": "no"}])
def test_a_plain_event_is_told_from_http(event):
    assert not is_http(event)


@pytest.mark.parametrize(
    "event",
    [
        {"requestContext": {}},
        {"requestContext": {"http": {}}, "rawPath": "/"},
        {"requestContext": {"http": {"method": "GET"}}},
        {"requestContext": {"http": "GET"}, "rawPath": "/"},
        {"requestContext": {"http": {"method": "GET"}}, "rawPath": 5},
        {"requestContext": {"http": {"method": "GET"}}, "rawPath": "/", "rawQueryString": 5},
        {"requestContext": {"http": {"method": "GET"}}, "rawPath": "/", "headers": ["a"]},
        {"requestContext": {"elb": {}}, "httpMethod": "GET", "path": 5},
        {"httpMethod": "GET"},
        {"httpMethod": "GET", "requestContext": 5},
        {"httpMethod": None, "path": "/"},
        {"httpMethod": "GET", "path": 5},
        {"httpMethod": "GET", "path": "/", "headers": ["content-type"]},
        {"httpMethod": "GET", "path": "/", "multiValueHeaders": {"a": 5}},
        {"httpMethod": "POST", "path": "/", "body": {"url": "https://example.com"}},
        {"httpMethod": "POST", "path": "/", "body": "aGVs!bG8=", "isBase64Encoded": True},
        {"httpMethod": "POST", "path": "/", "body": "é", "isBase64Encoded": True},
        {"httpMethod": "POST", "path": "/", "body": "\ud800"},
    ],
)
def test_an_event_that_is_none_of_them_is_a_problem(event):
    with pytest.raises(Problem) as caught:
        to_request(event)
    assert caught.value.code == "invalid-request"


@pytest.mark.parametrize("name", [name for name in EVENTS if not name.startswith("load-balancer")])
def test_text_is_answered_as_text_and_bytes_in_base64(name):
    assert from_response(EVENTS[name], JSON) == {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json", "X-Id": "7"},
        "body": '{"label": "Mütze"}',
        "isBase64Encoded": False,
    }
    assert from_response(EVENTS[name], BINARY) == {
        "statusCode": 200,
        "headers": {"Content-Type": "image/png"},
        "body": base64.b64encode(RAW).decode(),
        "isBase64Encoded": True,
    }


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/problem+json"])
def test_pages_and_problems_are_text(kind):
    answer = from_response(EVENTS["rest-api"], Response(404, {"Content-Type": kind}, b"x"))
    assert (answer["body"], answer["isBase64Encoded"]) == ("x", False)


def test_an_answer_without_a_type_is_an_empty_body():
    answer = from_response(EVENTS["http-api"], Response(204, {}, b""))
    assert answer == {"statusCode": 204, "headers": {}, "body": "", "isBase64Encoded": False}
    assert to_response(answer) == Response(204, {}, b"")


def test_a_load_balancer_gets_the_words_of_the_status():
    assert from_response(EVENTS["load-balancer"], JSON) == {
        "statusCode": 200,
        "statusDescription": "200 OK",
        "headers": {"Content-Type": "application/json", "X-Id": "7"},
        "body": '{"label": "Mütze"}',
        "isBase64Encoded": False,
    }


def test_a_load_balancer_of_many_values_gets_its_headers_so():
    assert from_response(EVENTS["load-balancer-multi-value"], Response(404, JSON.headers, b"{}")) == {
        "statusCode": 404,
        "statusDescription": "404 Not Found",
        "multiValueHeaders": {"Content-Type": ["application/json"], "X-Id": ["7"]},
        "body": "{}",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
@pytest.mark.parametrize("response", [JSON, BINARY])
def test_an_answer_can_be_sent_as_json(event, response):
    json.dumps(from_response(event, response))


@pytest.mark.parametrize("response", [JSON, BINARY])
def test_an_answer_is_read_back(response):
    assert to_response(from_response(EVENTS["http-api"], response)) == response


requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "OPTIONS"]),
    path=st.text(max_size=20).map(lambda text: "/" + text),
    headers=st.dictionaries(st.text("abc-", min_size=1), st.text()),
    query=st.dictionaries(st.text("abc", min_size=1), st.text(st.characters(codec="utf-8"))),
    body=st.binary(),
)


@settings(derandomize=True, database=None, deadline=None)
@given(requests)
def test_a_request_is_the_same_after_its_way_as_an_event(request_):
    event = json.loads(json.dumps(to_event(request_)))
    assert is_http(event)
    assert to_request(event) == request_


DATA = bytes(range(256)) + b"!"


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(DATA).decode(),
        base64.encodebytes(DATA).decode(),
        base64.encodebytes(DATA).decode().replace("\n", "\r\n"),
        base64.b64encode(DATA).decode().rstrip("="),
        base64.urlsafe_b64encode(DATA).decode(),
        base64.urlsafe_b64encode(DATA).decode().rstrip("=") + "\n",
    ],
)
def test_base64_is_decoded_as_any_encoder_writes_it(text):
    assert decode_base64(text) == DATA
    assert to_request({"httpMethod": "POST", "path": "/", "body": text, "isBase64Encoded": True}).body == DATA


@pytest.mark.parametrize("text", ["aGVs!bG8=", "é", "a", "aGVs=bG8=", "\ud800"])
def test_what_is_not_base64_is_a_value_error(text):
    with pytest.raises(ValueError):
        decode_base64(text)


def test_json_is_parsed():
    assert parse_json(b'{"a": [1, "\xc3\xa9"]}') == {"a": [1, "é"]}


@pytest.mark.parametrize("body", [b"", b"{", b"url=x", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_not_json_is_a_problem(body):
    with pytest.raises(Problem) as caught:
        parse_json(body)
    assert caught.value.code == "invalid-request"
