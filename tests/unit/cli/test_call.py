import json

import pytest

from shutterless import client
from shutterless.answers import Answer
from shutterless.api_answers import HINTS
from shutterless.errors import PICTURE_CODES, CallError
from shutterless.runtime.model.prediction import Prediction

URL = "https://api.example.com/test"
KEY = "a-secret-of-the-owner"


@pytest.fixture
def asked(monkeypatch):
    """What the API was asked; it finds red on everything but on what has another code in its name."""
    calls = []

    class Api:
        def __init__(self, url, api_key, timeout):
            self.arguments = url, api_key, timeout

        def answer(self, image):
            calls.append((image, *self.arguments))
            if "internal" in image:
                raise CallError("internal", "so it is", HINTS["internal"], status=500)
            for code in PICTURE_CODES:
                if code in image:
                    return Answer(image, code=code, detail="so it is", hint=HINTS[code])
            scores = {"blue": 0.1, "red": 0.9}
            return Answer(image, Prediction("red", 0.9, "odd" not in image, scores), "1")

        def close(self):
            pass

    monkeypatch.setattr(client, "_Api", Api)
    monkeypatch.delenv("SHUTTERLESS_API_KEY", raising=False)
    return calls


@pytest.fixture
def photo(colour_photos):
    return str(colour_photos / "test" / "red" / "00.png")


def test_answers_are_shown_with_the_best_labels_first(shutterless, asked, photo):
    done = shutterless("call", URL, photo, "--top", 1)
    assert (done.exit_code, done.stdout) == (0, f"{photo}\tred\t0.9000\t\t\n")
    assert asked == [(photo, URL, None, 60.0)]


def test_files_folders_and_urls_keep_their_order_and_json_is_one_document(
    shutterless, asked, photo, colour_photos
):
    web = "https://example.com/odd.jpg"
    done = shutterless("call", URL, web, colour_photos / "test" / "blue", photo, "--json")
    predictions = json.loads(done.stdout)["predictions"]
    blue = [str(colour_photos / "test" / "blue" / f"0{number}.png") for number in range(3)]
    assert [answer["source"] for answer in predictions] == [web, *blue, photo]
    assert "5 pictures: 1 not sure, 0 unreadable" in done.stderr


def test_a_picture_s_problem_stands_in_its_place(shutterless, asked, photo):
    done = shutterless("call", URL, "https://a/too-large", photo, "--json")
    large, red = json.loads(done.stdout)["predictions"]
    assert done.exit_code == 1
    assert (large["code"], large["hint"], red["label"]) == ("too-large", HINTS["too-large"], "red")
    shown = shutterless("call", URL, "https://a/too-large").stdout
    assert f"so it is. {HINTS['too-large']}" in shown


def test_what_every_picture_would_meet_ends_it_and_what_was_answered_is_shown(shutterless, asked, photo):
    done = shutterless("call", URL, photo, "https://a/internal", photo, "--json")
    assert done.exit_code == 1
    assert [answer["source"] for answer in json.loads(done.stdout)["predictions"]] == [photo]
    assert f"error: so it is\n{HINTS['internal']}\n" in done.stderr


def test_the_key_comes_from_the_environment_or_the_option_and_is_not_shown(
    shutterless, asked, photo, monkeypatch
):
    monkeypatch.setenv("SHUTTERLESS_API_KEY", KEY)
    shown = [shutterless("call", URL, photo), shutterless("call", "--help")]
    shutterless("call", URL, photo, "--api-key", "another")
    assert [key for _, _, key, _ in asked] == [KEY, "another"]
    assert all(KEY not in done.output for done in shown)
    assert "SHUTTERLESS_API_KEY" in shown[1].stdout


def test_a_name_that_is_not_a_url_is_refused(error_of, photo):
    error = error_of("call", "example", photo)
    assert error.code == "invalid-url"
    assert "example" in error.message
