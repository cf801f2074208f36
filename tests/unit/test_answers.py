import csv
import io
import itertools
import json

import pytest

from shutterless.answers import COLUMNS, Answer, answer_sources, open_answers
from shutterless.errors import OutputError
from shutterless.runtime.model.prediction import Prediction

RED = Answer("red.jpg", Prediction("red", 0.75, False, {"blue": 0.25, "red": 0.75}), "abc")
BAD = Answer('bad, "worse".jpg', code="unreadable-image", detail="it is damaged", hint="Save it again.")
# A line break, and a byte that is not UTF-8, as file systems permit them.
STRANGE = Answer("two\nlines\udcff.jpg", Prediction("hüt", 1.0, True, {"hüt": 1.0}), "abc")
ALL = (RED, BAD, STRANGE)


def write(path, *answers):
    with open_answers(path) as file:
        for answer in answers:
            file.write(answer)


def test_a_csv_file_has_a_head_and_a_line_a_picture(tmp_path):
    write(tmp_path / "a.csv", *ALL)
    head, red, bad, strange = csv.reader(io.StringIO((tmp_path / "a.csv").read_text("utf-8")))
    assert tuple(head) == COLUMNS
    assert red == ["red.jpg", "red", "0.7500", "false", "", "", "", "", "abc"]
    assert bad == ['bad, "worse".jpg', "", "", "", "", "", "unreadable-image", "it is damaged", ""]
    assert strange[:2] == [r"two\nlines\udcff.jpg", "hüt"]
    assert len((tmp_path / "a.csv").read_text("utf-8").splitlines()) == 4


def test_a_row_says_whether_a_picture_is_familiar():
    answer = Answer("a.jpg", RED.prediction.replace(familiar=False, novelty=0.98765), "abc")
    assert dict(zip(COLUMNS, answer.to_row(), strict=True)) == {
        "source": "a.jpg",
        "label": "red",
        "confidence": "0.7500",
        "accepted": "false",
        "familiar": "false",
        "novelty": "0.9877",
        "code": "",
        "detail": "",
        "model": "abc",
    }


def test_json_lines_have_every_score_and_the_source_as_it_is(tmp_path):
    write(tmp_path / "a.jsonl", *ALL)
    red, bad, strange = map(json.loads, (tmp_path / "a.jsonl").read_text("utf-8").splitlines())
    assert red == {"source": "red.jpg", **RED.prediction.to_json(), "model": "abc"}
    assert (bad["code"], bad["hint"], "label" in bad) == ("unreadable-image", "Save it again.", False)
    assert strange["source"] == STRANGE.source


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_wherever_it_was_broken_off_a_file_is_continued_to_the_same_bytes(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write(path, *ALL)
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        with open_answers(path) as file:
            for answer in ALL:
                if not file.has(answer.source):
                    file.write(answer)
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"source,label\nred.jpg,red\n"),
        ("a.csv", b"my notes"),
        ("a.csv", ",".join(COLUMNS).encode() + b"\na,b\n"),
        ("a.csv", ",".join(COLUMNS).encode() + b"\n\xff\n"),
        ("a.csv", ",".join(COLUMNS).encode() + b"\n\n"),
        ("a.jsonl", b'{"text": "mine"}\n'),
        ("a.jsonl", b'{"source": "mine"}\n'),
        ("a.jsonl", b'{"source": 1, "label": 2}\n'),
        ("a.jsonl", b'{"source": "a", "label": "b"}\n[]\n'),
        ("a.jsonl", b"my notes"),
    ],
)
def test_another_file_is_refused_and_left_as_it_is(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OutputError) as caught, open_answers(tmp_path / name):
        pass
    assert caught.value.code == "not-ours"
    assert (tmp_path / name).read_bytes() == content


def test_answers_of_another_model_are_not_mixed_in(tmp_path):
    path = tmp_path / "a.csv"
    write(path, RED, BAD)
    before = path.read_bytes()
    other = Answer("blue.jpg", Prediction("blue", 1.0, True, {"blue": 1.0}), "another")
    with pytest.raises(OutputError) as caught:
        write(path, other)
    assert caught.value.code == "answers-of-another-model"
    assert path.read_bytes() == before


def test_a_file_with_answers_of_another_model_is_refused_even_if_nothing_is_left_to_add(tmp_path):
    path = tmp_path / "a.csv"
    write(path, RED, BAD)
    for version in ("another", ""):
        with pytest.raises(OutputError) as caught, open_answers(path, version):
            pass
        assert caught.value.code == "answers-of-another-model"
    with open_answers(path, RED.model) as answers:
        assert answers.has(RED.source)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("answers", "unsupported-file-type"),
        ("answers.txt", "unsupported-file-type"),
        ("folder.csv", "not-a-file"),
        ("missing/answers.csv", "cannot-write"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path, name, code):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError) as caught, open_answers(tmp_path / name):
        pass
    assert caught.value.code == code


def answer_red(sources):
    for source in sources:
        yield Answer(source, RED.prediction, RED.model)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_sources_that_the_file_has_are_not_answered_again(tmp_path, suffix):
    output, notes, steps = tmp_path / f"a{suffix}", [], []
    write(output, Answer("2.jpg", RED.prediction, RED.model))
    answers = answer_sources(
        answer_red,
        ["1.jpg", "2.jpg", "3.jpg"],
        output,
        progress=lambda *step: steps.append(step[1:]),
        on_note=notes.append,
    )
    assert [answer.source for answer in answers] == ["1.jpg", "3.jpg"]
    assert len(output.read_text().splitlines()) == 3 + (suffix == ".csv")
    assert steps == [(1, 2), (2, 2)]
    assert len(notes) == 1 and "1 of 3" in notes[0]


def test_without_a_file_any_number_of_sources_is_answered():
    answers = answer_sources(answer_red, map("{}.jpg".format, itertools.count()))
    assert [answer.source for answer in itertools.islice(answers, 3)] == ["0.jpg", "1.jpg", "2.jpg"]
