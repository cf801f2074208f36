import json
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutterless.api_answers import MAX_TEXT, read_prediction, retry_after, unwrap
from shutterless.errors import CallError
from shutterless.runtime.http_messages import Response
from shutterless.runtime.model.prediction import Prediction

TARGET = urlsplit("http://127.0.0.1/predict")
PREDICTION = {"label": "hat", "confidence": 0.75, "accepted": True, "scores": {"hat": 0.75, "cap": 0.25}}


def answer(document: object, status: int = 200, **headers: str) -> Response:
    return Response(status, headers, json.dumps(document).encode())


@pytest.mark.parametrize(
    "members",
    [
        {"confidence": float("nan")},
        {"confidence": float("inf")},
        {"confidence": 10**400},
        {"confidence": -0.5},
        {"confidence": True},
        {"scores": {}},
        {"scores": {"hat": float("nan")}},
        {"scores": {"hat": 10**400}},
        {"scores": {"hat": 0.75, "x" * (MAX_TEXT + 1): 0.25}},
        {"scores": ["hat"]},
        {"label": "shoes"},
        {"label": ["hat"]},
        {"accepted": 1},
        {"familiar": True},
        {"novelty": 0.5},
        {"familiar": 1, "novelty": 0.5},
        {"familiar": True, "novelty": "0.5"},
        {"familiar": True, "novelty": 2.0},
    ],
    ids=str,
)
def test_what_is_no_prediction_is_an_error(members):
    assert read_prediction(TARGET, answer(PREDICTION))["label"] == "hat"
    with pytest.raises(CallError) as caught:
        read_prediction(TARGET, answer({**PREDICTION, **members}))
    assert caught.value.code == "unexpected-answer"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    [*PREDICTION, "code", "detail", "message", "errorMessage", "statusCode", "headers", "body"]
)


@given(
    st.integers(100, 599),
    VALUES | st.dictionaries(MEMBERS, VALUES).map(lambda members: {**PREDICTION, **members}),
    st.text(),
)
def test_whatever_an_api_answers_is_a_prediction_that_can_be_shown_or_an_error(status, document, header):
    response = answer(document, status, **{"retry-after": header})
    for read in (lambda: response, lambda: unwrap(TARGET, response)):
        try:
            answered = read_prediction(TARGET, read())
        except CallError as error:
            assert len(error.message) < 3 * MAX_TEXT
        else:
            scores = Prediction(answered["label"], answered["confidence"], True, answered["scores"]).top(3)
            assert all(len(f"{score:.4f}") == 6 for _, score in scores)
    assert retry_after(response, 0) in (None, *range(31))


def test_deep_json_is_an_error():
    for depth in (900, 990, 1000, 100_000):
        for name in ("message", "errorMessage"):
            body = b'{"%b": %b%b}' % (name.encode(), b"[" * depth, b"]" * depth)
            with pytest.raises(CallError):
                unwrap(TARGET, Response(500, {}, body))
                read_prediction(TARGET, unwrap(TARGET, Response(200, {}, body)))
                read_prediction(TARGET, Response(500, {}, body))
