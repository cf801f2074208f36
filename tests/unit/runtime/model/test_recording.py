"""Records in the log: what they have, which photos are kept, and how they are corrected."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import ExifTags, Image

from shutterless.runtime import access_log
from shutterless.runtime.access_log import MAX_LINE_BYTES, make_record
from shutterless.runtime.adapters.lambda_function import handle
from shutterless.runtime.http_messages import Request
from shutterless.runtime.image.budget import MAX_LOGGED_PHOTO_BYTES
from shutterless.runtime.image.ordinary import decode_ordinary
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.model.recording import (
    MAX_FLOAT16,
    encode_floats,
    encode_photo,
    is_record_id,
    is_sampled,
)
from shutterless.runtime.problems import Problem
from shutterless.runtime.service import MAX_IMAGES, Service
from shutterless.runtime.settings import KeptPhotos, Settings


@pytest.fixture(scope="module")
def model(familiar_bundle):
    return Classifier(read_bundle(familiar_bundle))


def recording(model, kept: KeptPhotos = KeptPhotos()) -> Service:  # noqa: B008
    return Service(model, Settings(model.bundle.folder, records=True, kept_photos=kept))


def jpeg(size=(300, 200), colour="blue", **options) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "JPEG", **options)
    return file.getvalue()


def predict(service: Service, body: object) -> tuple[dict, dict]:
    """Return a service's answer, and its record in the log."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = service.respond(Request("POST", "/predict", body=data))
    return json.loads(response.body), make_record("id", "POST /predict", "v", 0.0, response)


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)


def base64_of(data: bytes) -> dict[str, str]:
    return {"image": base64.b64encode(data).decode()}


def test_a_record_has_an_id_the_scores_and_the_embedding(model):
    answer, record = predict(recording(model), jpeg())
    assert is_record_id(answer["record_id"]) and record["record_id"] == answer["record_id"]
    assert not answer.keys() & {"embedding", "photo"}
    np.testing.assert_allclose(floats(record["scores"]), [*answer["scores"].values()], atol=5e-4)
    pixels = np.full((1, model.input.height, model.input.width, 3), (0, 0, 254), np.uint8)
    np.testing.assert_allclose(floats(record["embedding"]), model.embeddings(pixels)[0], atol=5e-3)
    assert record["labels"] == [*answer["scores"]]
    assert "photo" not in record


def test_without_records_there_is_none_of_it(model):
    service = Service(model, Settings(model.bundle.folder))
    answer, record = predict(service, jpeg())
    assert "record_id" not in answer
    assert not record.keys() & {"record_id", "labels", "scores", "embedding", "photo"}
    assert service.respond(Request("POST", "/feedback")).status == 404
    assert service.find_route(Request("POST", "/feedback")) == "POST ?"


def test_several_pictures_have_a_record_each_but_those_with_problems(model):
    images = [base64_of(jpeg()), base64_of(b"no picture"), base64_of(jpeg(colour="red"))]
    answer, record = predict(recording(model, KeptPhotos(share=1.0)), {"images": images})
    assert record["record_id"] == [answer["predictions"][place]["record_id"] for place in (0, 2)]
    assert len(set(record["record_id"])) == 2
    assert [len(record[name]) for name in ("scores", "embedding", "photo")] == [2, 2, 2]
    assert len(record["codes"]) == 1


def test_a_problem_has_no_record(model):
    _, record = predict(recording(model, KeptPhotos(refused=True)), b"no picture")
    assert not record.keys() & {"record_id", "scores", "photo"}


def test_a_plain_event_has_a_record_and_the_plain_answer(model):
    records = []
    answer = handle(recording(model), base64_of(jpeg()), write=records.append)
    assert answer.keys() == set(model.labels)
    assert is_record_id(records[0]["record_id"])


def test_refused_photos_are_kept_in_their_proportions(model):
    service = recording(model, KeptPhotos(refused=True))
    for data in (jpeg((600, 300), "yellow"), jpeg((600, 300), "blue")):
        answer, record = predict(service, data)
        assert ("photo" in record) is not answer["accepted"]
        if "photo" in record:
            with Image.open(io.BytesIO(base64.b64decode(record["photo"]))) as photo:
                width, height = photo.size
                assert photo.format == "JPEG"
                assert (width / height, width <= 512) == (2, True)


def test_an_unusual_picture_is_kept_too(model):
    file = io.BytesIO()
    Image.new("RGB", (60, 30), "blue").save(file, "BMP")
    _, record = predict(recording(model, KeptPhotos(share=1.0)), file.getvalue())
    with Image.open(io.BytesIO(base64.b64decode(record["photo"]))) as photo:
        assert photo.size == (512, 512)
        assert photo.getpixel((256, 256))[2] > 200 > photo.getpixel((256, 20))[2]


def test_the_sample_is_decided_by_the_id_alone():
    ids = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(10_000)]
    assert sum(is_sampled(each, 0.01) for each in ids) == pytest.approx(100, abs=5)
    assert {each for each in ids if is_sampled(each, 0.01)} <= {each for each in ids if is_sampled(each, 0.1)}
    assert not is_sampled("0" * 16, 0.0)
    assert is_sampled("f" * 16, 1.0)


def test_a_kept_photo_has_no_metadata():
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "SECRET-CAMERA"
    data = jpeg((300, 200), exif=exif, comment=b"SECRET-COMMENT", icc_profile=b"SECRET-PROFILE")
    picture = Image.open(io.BytesIO(data))
    text = encode_photo(picture, MAX_LOGGED_PHOTO_BYTES)
    assert text is not None
    assert b"SECRET" not in base64.b64decode(text)
    assert b"SECRET" in data


def test_a_kept_photo_is_small_enough_or_left_out():
    def noise() -> Image.Image:
        return Image.fromarray(np.random.default_rng(1).integers(0, 256, (900, 900, 3), np.uint8))

    sizes = {limit: encode_photo(noise(), limit) for limit in (200_000, 12_500, 100)}
    assert all(text is None or len(text) <= limit for limit, text in sizes.items())
    assert [text is None for text in sizes.values()] == [False, False, True]


def test_the_longest_line_fits_every_cloud(model, capsys):
    rng = np.random.default_rng(2)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (256, 256, 3), np.uint8)).save(file, "JPEG", quality=90)
    images = [base64_of(file.getvalue())] * MAX_IMAGES
    _, record = predict(recording(model, KeptPhotos(share=1.0)), {"images": images})
    access_log.to_stderr(record)
    line = capsys.readouterr().err
    assert len(line) <= MAX_LINE_BYTES
    assert all(json.loads(line)["photo"])


def test_a_line_that_is_too_long_goes_without_photos_first(capsys):
    access_log.to_stderr({"label": "hat", "photo": "x" * MAX_LINE_BYTES, "scores": "AAA="})
    assert json.loads(capsys.readouterr().err) == {"label": "hat", "scores": "AAA="}


def test_numbers_beyond_float16_become_its_limits():
    np.testing.assert_array_equal(floats(encode_floats([1e9, -1e9, 0.5])), [MAX_FLOAT16, -MAX_FLOAT16, 0.5])


@pytest.mark.parametrize("label", ["blue", "_other"])
def test_an_answer_is_corrected(model, label):
    service = recording(model)
    body = json.dumps({"record_id": "0123456789abcdef", "label": label}).encode()
    response = service.respond(Request("POST", "/feedback", body=body))
    record = make_record("id", service.find_route(Request("POST", "/feedback")), "v", 0.0, response)
    assert response.status == 200
    assert (record["record_id"], record["correct_label"]) == ("0123456789abcdef", label)
    assert record["route"] == "POST /feedback"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"record_id": "0123456789abcdef"},
        {"record_id": "0123456789abcdef", "label": "purple"},
        {"record_id": "0123456789abcdeF", "label": "blue"},
        {"record_id": "../../etc/passwd", "label": "blue"},
        {"record_id": 1, "label": "blue"},
        {"record_id": "0123456789abcdef", "label": ["blue"]},
        {"record_id": "0123456789abcdef", "label": "blue", "more": 1},
    ],
)
def test_a_correction_that_names_no_record_or_label_is_refused(model, body):
    response = recording(model).respond(Request("POST", "/feedback", body=json.dumps(body).encode()))
    assert response.document["code"] == "invalid-request"


def test_the_model_tells_what_is_recorded(model):
    documents = [
        recording(model, kept).respond(Request("GET", "/model")).document
        for kept in (KeptPhotos(), KeptPhotos(refused=True))
    ]
    assert [each["records"] for each in documents] == [{"photos": False}, {"photos": True}]


def test_a_photo_that_there_is_no_time_left_for_costs_no_answer(model, monkeypatch):
    service = recording(model, KeptPhotos(share=1.0))
    decode = service._decode_isolated

    def refuse(data, spec, budget):
        if spec.height == 512:
            raise Problem("too-large", "no time is left")
        return decode(data, spec, budget)

    monkeypatch.setattr(service, "_decode_isolated", refuse)
    file = io.BytesIO()
    Image.new("RGB", (60, 30), "blue").save(file, "BMP")
    answer, record = predict(service, file.getvalue())
    assert "label" in answer
    assert "photo" not in record


def test_the_pixels_are_the_same_whether_the_photo_is_kept(model):
    from shutterless.runtime.image.budget import Budget

    data, photos = jpeg((900, 700), "red"), []
    kept = decode_ordinary(data, model.input, Budget(), photos.append)
    assert kept.tobytes() == decode_ordinary(data, model.input, Budget()).tobytes()
    assert photos[0].size == (900, 700) or photos[0].width >= 2 * model.input.width
