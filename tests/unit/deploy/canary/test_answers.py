import pytest

from shutterless.deploy.canary.answers import FILTER_PATTERN, Answer, LoggedRequest, read_request

LINE = {"route": "POST /predict", "version": "7", "status": 200}


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ({"label": "hat", "accepted": True}, [("hat", True)]),
        ({"label": "hat", "accepted": False}, [("hat", False)]),
        ({"label": [], "accepted": []}, []),
        (
            {"label": ["hat", "cap"], "accepted": [True, False], "codes": ["too-large"]},
            [("cap", False), ("hat", True), ("too-large", None)],
        ),
        ({"status": 422, "code": "unreadable-image"}, [("unreadable-image", None)]),
    ],
    ids=["accepted", "not sure", "no photo", "several photos", "problem"],
)
def test_the_answers_of_a_request_are_read(line, answers):
    request = read_request({**LINE, **line})
    assert request == LoggedRequest("7", False, tuple(Answer(*answer) for answer in answers))


@pytest.mark.parametrize("status", [500, 503, 504])
def test_an_error_has_no_answers(status):
    assert read_request({**LINE, "status": status, "code": "internal"}) == LoggedRequest("7", True, ())


def test_requests_with_the_same_answers_in_another_order_are_equal():
    """The permutation test counts requests of each kind."""
    line, photos = {**LINE, "accepted": [True, True]}, ["hat", "cap"]
    assert read_request({**line, "label": photos}) == read_request({**line, "label": photos[::-1]})


@pytest.mark.parametrize("route", ["POST /predict", "event"])
def test_predictions_are_read_over_http_and_from_direct_invocations(route):
    assert read_request({**LINE, "route": route, "label": "hat", "accepted": True})
    assert f'$.route = "{route}"' in FILTER_PATTERN


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"label": "hat"},
        {**LINE, "route": "GET /"},
        {**LINE, "route": "warm-up"},
        {**LINE, "version": 7},
        {**LINE, "version": None},
        {**LINE, "status": "200"},
        {**LINE, "route": ["POST /predict"]},
    ],
)
def test_other_lines_are_left_out(line):
    assert read_request(line) is None
