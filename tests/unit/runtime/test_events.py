import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutterless.runtime.events import (
    Request,
    Response,
    from_response,
    is_http,
    parse_json,
    to_event,
    to_request,
    to_response,
)
from shutterless.runtime.problem import Problem

BODY = b'{"url": "https://example.com/a.jpg"}'
RAW = b"\x89PNG\r\n\xff\x00"
JSON = Response(200, {"Content-Type": "application/json", "X-Id": "7"}, '{"label": "Mütze"}'.encode())
BINARY = Response(200, {"Content-Type": "image/png"}, RAW)


def rest(**members) -> dict:
    """What API Gateway sends for a REST API, version 1.0."""
    return {
        "resource": "/{proxy+}",
        "path": "/predict",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json", "X-Api-Key": "k"},
        "multiValueHeaders": {"Content-Type": ["application/json"], "X-Api-Key": ["k"]},
        "queryStringParameters": {"top": "3"},
        "multiValueQueryStringParameters": {"top": ["2", "3"]},
        "requestContext": {"stage": "prod", "path": "/prod/predict", "httpMethod": "POST"},
        "body": BODY.decode(),
        "isBase64Encoded": False,
        **members,
    }


def http_api(path="/predict", stage="$default", **members) -> dict:
    """What API Gateway sends for an HTTP API, and a function URL, version 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "top=3",
        "headers": {"content-type": "application/json", "x-api-key": "k"},
        "queryStringParameters": {"top": "3"},
        "requestContext": {"stage": stage, "http": {"method": "POST", "path": path}},
        "body": BODY.decode(),
        "isBase64Encoded": False,
        **members,
    }


def load_balancer(**members) -> dict:
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:…"}},
        "httpMethod": "POST",
        "path": "/predict",
        "headers": {"content-type": "application/json", "x-api-key": "k"},
        "queryStringParameters": {"top": "3"},
        "body": BODY.decode(),
        "isBase64Encoded": False,
        **members,
    }


def load_balancer_of_many() -> dict:
    """What a load balancer sends whose target group has multi-value headers."""
    event = load_balancer(
        multiValueHeaders={"content-type": ["text/plain", "application/json"], "x-api-key": ["k"]},
        multiValueQueryStringParameters={"top": ["2", "3"]},
    )
    del event["headers"], event["queryStringParameters"]
    return event


SHAPES = [rest(), http_api(), http_api("/prod/predict", "prod"), load_balancer(), load_balancer_of_many()]


@pytest.mark.parametrize("event", SHAPES)
def test_every_shape_becomes_the_same_request(event):
    assert to_request(event) == Request(
        method="POST",
        path="/predict",
        headers={"content-type": "application/json", "x-api-key": "k"},
        query={"top": "3"},
        body=BODY,
    )


@pytest.mark.parametrize("event", SHAPES)
def test_a_body_in_base64_is_decoded_in_every_shape(event):
    encoded = {**event, "body": base64.b64encode(RAW).decode(), "isBase64Encoded": True}
    assert to_request(encoded).body == RAW


@pytest.mark.parametrize("event", SHAPES)
def test_a_text_body_may_hold_any_script(event):
    assert to_request({**event, "body": "Mütze 帽"}).body == "Mütze 帽".encode()


@pytest.mark.parametrize("body", [None, ""])
def test_no_body_is_an_empty_one(body):
    assert to_request(rest(body=body)).body == b""
    event = rest()
    del event["body"]
    assert to_request(event).body == b""


@pytest.mark.parametrize("member", ["headers", "queryStringParameters"])
def test_nulls_where_nothing_was_sent_are_nothing(member):
    event = rest(multiValueHeaders=None, multiValueQueryStringParameters=None, **{member: None})
    request = to_request(event)
    assert {"headers": request.headers, "queryStringParameters": request.query}[member] == {}


@pytest.mark.parametrize(
    ("path", "stage", "expected"),
    [
        ("/prod/predict", "prod", "/predict"),
        ("/prod/", "prod", "/"),
        ("/prod", "prod", "/"),
        ("/production", "prod", "/production"),
        ("/predict", "prod", "/predict"),
        ("/predict", "predict", "/"),
        ("/$default", "$default", "/"),
        ("/model", "$default", "/model"),
        ("", "$default", "/"),
    ],
)
def test_only_a_whole_stage_is_cut_off_the_path(path, stage, expected):
    assert to_request(http_api(path, stage)).path == expected


def test_a_rest_path_has_no_stage_to_cut_off():
    assert to_request(rest(path="/prod/predict")).path == "/prod/predict"


@pytest.mark.parametrize(
    ("event", "http"),
    [(event, True) for event in SHAPES]
    + [({"url": "https://example.com"}, False), ({}, False), ({"requestContext": "no"}, False)],
)
def test_a_plain_event_is_told_from_http(event, http):
    assert is_http(event) is http


@pytest.mark.parametrize(
    "event",
    [
        {"requestContext": {}},
        {"requestContext": {"http": {}}, "rawPath": "/"},
        {"requestContext": {"http": {"method": "GET"}}},
        {"requestContext": {"http": "GET"}, "rawPath": "/"},
        {"requestContext": {"http": {"method": "GET"}}, "rawPath": 5},
        {"requestContext": {}, "httpMethod": "GET"},
        {"requestContext": {}, "httpMethod": None, "path": "/"},
        {"requestContext": {}, "httpMethod": "GET", "path": 5},
        rest(headers=["content-type"]),
        rest(multiValueHeaders={"a": 5}),
        rest(body={"url": "https://example.com"}),
        rest(body="aGVs!bG8=", isBase64Encoded=True),
        rest(body="é", isBase64Encoded=True),
        rest(body="\ud800"),
    ],
)
def test_an_event_that_is_none_of_them_is_a_problem(event):
    with pytest.raises(Problem) as caught:
        to_request(event)
    assert caught.value.code == "invalid-request"


@pytest.mark.parametrize("event", [rest(), http_api()])
def test_text_is_answered_as_text_and_bytes_in_base64(event):
    assert from_response(event, JSON) == {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json", "X-Id": "7"},
        "body": '{"label": "Mütze"}',
        "isBase64Encoded": False,
    }
    assert from_response(event, BINARY) == {
        "statusCode": 200,
        "headers": {"Content-Type": "image/png"},
        "body": base64.b64encode(RAW).decode(),
        "isBase64Encoded": True,
    }


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/problem+json"])
def test_pages_and_problems_are_text(kind):
    answer = from_response(rest(), Response(404, {"Content-Type": kind}, b"x"))
    assert (answer["body"], answer["isBase64Encoded"]) == ("x", False)


def test_an_answer_without_a_type_is_an_empty_body():
    answer = from_response(rest(), Response(204, {}, b""))
    assert to_response(answer) == Response(204, {}, b"")


def test_a_load_balancer_gets_a_description_of_the_status():
    assert from_response(load_balancer(), JSON) == {
        "statusCode": 200,
        "statusDescription": "200",
        "headers": {"Content-Type": "application/json", "X-Id": "7"},
        "body": '{"label": "Mütze"}',
        "isBase64Encoded": False,
    }


def test_a_load_balancer_of_many_values_gets_its_headers_so():
    answer = from_response(load_balancer_of_many(), JSON)
    assert answer["multiValueHeaders"] == {"Content-Type": ["application/json"], "X-Id": ["7"]}
    assert "headers" not in answer


@pytest.mark.parametrize("event", SHAPES)
@pytest.mark.parametrize("response", [JSON, BINARY])
def test_an_answer_can_be_sent_as_json(event, response):
    json.dumps(from_response(event, response))


@pytest.mark.parametrize("response", [JSON, BINARY])
def test_an_answer_is_read_back(response):
    assert to_response(from_response(http_api(), response)) == response


requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "OPTIONS"]),
    path=st.text(max_size=20).map(lambda text: "/" + text),
    headers=st.dictionaries(st.text("abc-", min_size=1), st.text()),
    query=st.dictionaries(st.text("abc"), st.text(st.characters(codec="utf-8"))),
    body=st.binary(),
)


@settings(derandomize=True, database=None, deadline=None)
@given(requests.filter(lambda request: not f"{request.path}/".startswith("/$default/")))
def test_a_request_is_the_same_after_its_way_as_an_event(request_):
    event = json.loads(json.dumps(to_event(request_)))
    assert is_http(event)
    assert to_request(event) == request_


def test_json_is_parsed_or_a_problem():
    assert parse_json(b'{"a": [1, "\xc3\xa9"]}') == {"a": [1, "é"]}


@pytest.mark.parametrize("body", [b"", b"{", b"url=x", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_not_json_is_a_problem(body):
    with pytest.raises(Problem, match="the body is not JSON") as caught:
        parse_json(body)
    assert caught.value.code == "invalid-request"
