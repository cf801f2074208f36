import json

import pytest

from shutterless import client
from shutterless.answers import Answer
from shutterless.errors import PICTURE_CODES, CallError
from shutterless.runtime.model.prediction import Prediction

URL = "https://api.example.com/test"
KEY = "a-secret-of-the-owner"


@pytest.fixture
def asked(monkeypatch):
    """What the API was asked; it finds red on everything but on what has another code in its name."""
    calls = []

    def call_many(url, images, api_key=None, timeout=60.0):
        for image in images:
            calls.append((url, image, api_key, timeout))
            if "internal" in image:
                raise CallError("internal", "so it is", client.HINTS["internal"], status=500)
            yield answer(image)

    def answer(image):
        for code in PICTURE_CODES:
            if code in image:
                return Answer(image, code=code, detail="so it is", hint=client.HINTS[code])
        scores = {"blue": 0.1, "red": 0.9}
        return Answer(image, Prediction("red", 0.9, "odd" not in image, scores), "1")

    monkeypatch.setattr(client, "call_many", call_many)
    monkeypatch.delenv("SHUTTERLESS_API_KEY", raising=False)
    return calls


@pytest.fixture
def photo(colour_photos):
    return str(colour_photos / "test" / "red" / "00.png")


def test_answers_are_shown_with_the_best_labels_first(shutterless, asked, photo):
    done = shutterless("call", URL, photo, "--top", 1)
    assert (done.exit_code, done.stdout) == (0, f"{photo}\tred\t0.9000\t\t\n")
    assert asked == [(URL, photo, None, 60.0)]


def test_files_folders_and_urls_keep_their_order_and_json_is_one_document(
    shutterless, asked, photo, colour_photos
):
    web = "https://example.com/odd.jpg"
    done = shutterless("call", URL, web, colour_photos / "test" / "blue", photo, "--json")
    predictions = json.loads(done.stdout)["predictions"]
    blue = [str(colour_photos / "test" / "blue" / f"0{number}.png") for number in range(3)]
    assert [answer["source"] for answer in predictions] == [web, *blue, photo]
    assert "5 photos: 1 not sure, 0 unreadable" in done.stderr


def test_a_picture_s_problem_stands_in_its_place(shutterless, asked, photo):
    done = shutterless("call", URL, "https://a/too-large", photo, "--json")
    large, red = json.loads(done.stdout)["predictions"]
    assert done.exit_code == 1
    assert (large["code"], large["hint"], red["label"]) == ("too-large", client.HINTS["too-large"], "red")
    shown = shutterless("call", URL, "https://a/too-large").stdout
    assert "so it is. Make it smaller" in shown


def test_what_every_picture_would_meet_ends_it_and_what_was_answered_is_shown(shutterless, asked, photo):
    done = shutterless("call", URL, photo, "https://a/internal", photo, "--json")
    assert done.exit_code == 1
    assert [answer["source"] for answer in json.loads(done.stdout)["predictions"]] == [photo]
    assert "error: so it is\nThe API's log has the reason.\n" in done.stderr
    assert len(asked) == 2


def test_the_key_comes_from_the_environment_or_the_option_and_is_not_shown(
    shutterless, asked, photo, monkeypatch
):
    monkeypatch.setenv("SHUTTERLESS_API_KEY", KEY)
    shown = [shutterless("call", URL, photo), shutterless("call", "--help")]
    shutterless("call", URL, photo, "--api-key", "another")
    assert [key for _, _, key, _ in asked] == [KEY, "another"]
    assert all(KEY not in done.output for done in shown)
    assert "SHUTTERLESS_API_KEY" in shown[1].stdout


def test_an_api_that_is_none_is_told_with_what_to_give(shutterless, photo):
    done = shutterless("call", "example", photo)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "example is not the URL of an API" in done.stderr
