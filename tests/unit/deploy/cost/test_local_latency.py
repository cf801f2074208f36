import pytest

from shutterless.deploy.cost.local_latency import measure_latency, measure_start
from shutterless.errors import ShutterlessError


def test_a_bundle_is_measured_with_a_photo_of_its_own(colour_bundle):
    assert measure_latency(colour_bundle) > 0


def test_a_start_is_measured_in_processes_of_their_own(colour_bundle):
    assert measure_start(colour_bundle) > measure_latency(colour_bundle)


def test_a_bundle_that_is_none_does_not_start(tmp_path):
    with pytest.raises(ShutterlessError) as error:
        measure_start(tmp_path)
    assert error.value.code == "not-a-bundle"


def test_a_bundle_is_measured_with_the_user_s_photo(colour_bundle, colour_photos):
    assert measure_latency(colour_bundle, colour_photos / "test" / "red" / "00.png") > 0


def test_a_photo_that_is_none_is_refused(colour_bundle, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"no photo")
    with pytest.raises(ShutterlessError) as error:
        measure_latency(colour_bundle, tmp_path / "photo.jpg")
    assert error.value.code == "unsupported-format"
