import hashlib
from types import SimpleNamespace

import pytest

from shutterless.deploy.code import publish, zip
from shutterless.deploy.options import Options
from shutterless.deploy.template.code import ZipCode
from shutterless.packaging import zip_package
from shutterless.utils.progress import silent

CODE = ZipCode("bucket", "clothes/0.zip", "1", uploaded_bytes=5)


@pytest.fixture
def uploads(monkeypatch):
    """Build zips without content; return what is uploaded."""
    uploads = []

    def build(bundle, destination, *, platform, progress):
        destination.write_bytes(platform.encode())
        sha256 = hashlib.sha256(platform.encode()).hexdigest()
        return SimpleNamespace(path=destination, sha256=sha256, compiled=str(bundle).partition("-")[2])

    def upload(session, name, file, sha256, progress):
        uploads.append((name, file.read_bytes(), sha256))
        return CODE

    monkeypatch.setattr(zip_package, "build_zip", build)
    monkeypatch.setattr(zip, "upload_zip", upload)
    return uploads


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_publishing_makes_the_zip_for_the_platform_and_uploads_it(uploads, platform):
    code = publish.publish_code(None, "clothes", "bundle-3.13.5", Options(platform=platform), silent)
    assert uploads == [("clothes", platform.encode(), hashlib.sha256(platform.encode()).hexdigest())]
    assert (code, code.uploaded_bytes, code.is_compiled) == (CODE, 5, True)


def test_a_zip_without_bytecode_is_known_as_such(uploads):
    assert not publish.publish_code(None, "clothes", "bundle", Options(), silent).is_compiled


def test_a_bundle_fits_if_its_zip_has_at_most_250_mb_unzipped():
    for megabytes, fits in [(100, True), (200, False)]:
        assert zip.fits_zip(SimpleNamespace(model=bytes(megabytes << 20))) is fits
