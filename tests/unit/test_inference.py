import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import shutterless
from shutterless.errors import BundleError, InputError, OutputError, ShutterlessError
from shutterless.inference import Classifier
from shutterless.runtime.model.prediction import Prediction


@pytest.fixture(scope="module")
def model(colour_bundle):
    return shutterless.load(colour_bundle)


@pytest.fixture
def photo(colour_photos):
    return colour_photos / "test" / "red" / "00.png"


def opened(photo: Path) -> Image.Image:
    with Image.open(photo) as picture:
        picture.load()
        return picture


def saved(photo: Path, **options: object) -> bytes:
    data = io.BytesIO()
    opened(photo).save(data, **options)
    return data.getvalue()


FORMS = {
    "a path as text": str,
    "a path": Path,
    "bytes": Path.read_bytes,
    "a PIL picture": opened,
    "a PIL picture with transparency": lambda photo: opened(photo).convert("RGBA"),
    "an array": lambda photo: np.asarray(opened(photo)),
    "an array upside down, which is not in one piece": lambda photo: np.asarray(opened(photo))[::-1][::-1],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_whatever_form_a_picture_has_the_answer_is_the_same(model, photo, form):
    answer = model.predict(form(photo))
    assert (answer, answer.label, answer.accepted) == (model.predict(photo), "red", True)


def test_a_pil_picture_is_turned_upright_as_its_file_is(model, photo):
    exif = Image.Exif()
    exif[274] = 6
    data = saved(photo, format="PNG", exif=exif)
    with Image.open(io.BytesIO(data)) as picture:
        assert model.predict(picture) == model.predict(data)


def test_a_grey_array_is_a_picture(model):
    assert model.predict(np.full((20, 30), 128, np.uint8)).label in model.labels


def test_many_are_answered_in_their_order(model, colour_photos):
    files = sorted((colour_photos / "test").rglob("*.png"))
    labels = [file.parent.name for file in files]
    arrays = np.stack([np.asarray(opened(file)) for file in files])
    for many in (files, tuple(files), list(arrays)):
        answers = model.predict(many)
        assert (type(answers), [answer.label for answer in answers]) == (list, labels)
    assert model.predict([]) == []


def test_an_iterator_is_answered_by_one_and_may_be_endless(model, photo):
    answers = model.predict(itertools.repeat(photo))
    assert [next(answers).label for _ in range(50)] == ["red"] * 50
    answers.close()


def test_a_run_predicts_as_its_bundle_does(colour_run, model, photo):
    run = shutterless.load(str(colour_run))
    assert run.labels == model.labels
    assert run.predict(photo).label == model.predict(photo).label


def test_one_call_is_enough(colour_bundle, photo):
    assert shutterless.predict(str(colour_bundle), str(photo)).label == "red"
    assert Classifier(colour_bundle).predict(photo).label == "red"


def test_files_that_cannot_be_read_are_answers_too(model, photo, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    sources = [str(photo), str(tmp_path / "bad.png"), str(tmp_path / "gone.png"), str(tmp_path), ""]
    answers = list(model.answer(sources))
    assert [answer.source for answer in answers] == sources
    assert [answer.code for answer in answers] == ["", "unsupported-format", *["unreadable-image"] * 3]
    assert (answers[0].prediction.label, answers[0].model) == ("red", model.version)


WRONG = {
    "a file that is not there": ("gone.jpg", "unreadable-image"),
    "a folder": (".", "unreadable-image"),
    "a name with a null": ("a\0b", "unreadable-image"),
    "fractions": (np.zeros((8, 8, 3)), "not-a-picture"),
    "four channels": (np.zeros((8, 8, 4), np.uint8), "not-a-picture"),
    "a line": (np.zeros(8, np.uint8), "not-a-picture"),
    "no pixels": (np.zeros((0, 8, 3), np.uint8), "not-a-picture"),
    "several pictures in one array": (np.zeros((2, 8, 8, 3), np.uint8), "not-a-picture"),
    "a number": (7, "not-a-picture"),
    "nothing": (None, "not-a-picture"),
    "deep grey": (Image.new("F", (8, 8)), "unsupported-format"),
    "a private address": ("http://127.0.0.1:1/photo.jpg", "url-refused"),
}


@pytest.mark.parametrize(("wrong", "code"), WRONG.values(), ids=WRONG)
def test_what_is_not_a_picture_is_an_error(model, wrong, code):
    with pytest.raises(ShutterlessError) as caught:
        model.predict(wrong)
    assert caught.value.code == code


@pytest.mark.parametrize(("wrong", "code"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("several", [list, tuple, iter])
def test_among_several_pictures_the_error_says_which(model, photo, wrong, code, several):
    with pytest.raises(ShutterlessError) as caught:
        list(model.predict(several([photo, wrong, photo])))
    assert caught.value.code == code
    assert "pictures[1]" in caught.value.message
    if isinstance(wrong, str):
        assert wrong in caught.value.message


def test_embeddings_of_one_picture_and_of_several(familiar_bundle, photo):
    model = shutterless.load(familiar_bundle)
    one = model.embed(photo)
    np.testing.assert_allclose(one, np.asarray(opened(photo)).mean((0, 1)) / 255, atol=0.01)
    assert (one.shape, one.dtype) == ((3,), np.float32)
    for several in (model.embed([photo, opened(photo)]), [*model.embed(iter([photo, photo]))]):
        np.testing.assert_array_equal(several, [one, one])
    with pytest.raises(ShutterlessError) as caught:
        model.embed([photo, b"no picture"])
    assert "pictures[1]" in caught.value.message


def test_predictions_in_python_say_whether_the_picture_is_familiar(familiar_bundle, photo):
    model = shutterless.load(familiar_bundle)
    known, strange = model.predict([photo, Image.new("RGB", (8, 8), "yellow")])
    assert (known.familiar, known.accepted) == (True, True)
    assert (strange.familiar, strange.accepted, strange.novelty) == (False, False, 1 - 1 / 19)


def test_a_model_without_an_embedding_says_so(plain_bundle, photo):
    with pytest.raises(BundleError) as caught:
        shutterless.load(plain_bundle).embed(photo)
    assert caught.value.code == "no-embedding"


def test_a_folder_that_is_not_a_model_is_an_error(tmp_path):
    with pytest.raises(InputError) as caught:
        shutterless.load(tmp_path)
    assert caught.value.code == "not-a-model"
    assert str(tmp_path) in caught.value.message


def test_files_and_folders_are_answered_and_the_file_of_answers_is_continued(model, colour_photos, tmp_path):
    output, bad = tmp_path / "answers.csv", tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    sources = [bad, colour_photos / "test"]
    first = shutterless.predict_many(model, sources, output=output)
    assert next(first).code == "unsupported-format"
    first.close()
    rest = list(shutterless.predict_many(model, sources, output=str(output)))
    assert len(rest) == 9
    assert all(f"/{answer.prediction.label}/" in answer.source for answer in rest)
    assert len(output.read_text().splitlines()) == 1 + 10


def test_an_output_among_the_pictures_is_refused_before_the_model_is_loaded(colour_photos, tmp_path):
    with pytest.raises(OutputError) as caught:
        shutterless.predict_many(tmp_path / "no-model", colour_photos, output=colour_photos / "a.csv")
    assert caught.value.code == "output-inside-photos"


def test_a_prediction_is_short_to_read_and_has_its_best_labels_first(model, photo):
    scores = {"a": 0.1, "<b>": 0.7, "c": 0.2}
    prediction = Prediction("<b>", 0.7, False, scores)
    assert prediction.top(2) == [("<b>", 0.7), ("c", 0.2)]
    assert repr(prediction) == "<Prediction '<b>' 0.700, not sure>"
    assert "&lt;b&gt;" in prediction._repr_html_()
    assert "<b>" not in prediction._repr_html_()
    assert repr(model) == "<Classifier 'colours' of 3 labels>"
