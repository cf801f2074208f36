import pytest

from shutterless.deploy.template.code import ImageCode, ZipCode, bucket_name, parse_code, zip_key

SHA256 = f"{1:064x}"
IMAGE = ImageCode("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shutterless/clothes", f"sha256:{SHA256}")
ZIP = ZipCode(bucket_name("123456789012", "eu-central-1"), zip_key("clothes", SHA256), "a.b_c-D1")


@pytest.mark.parametrize("code", [IMAGE, ZIP])
def test_a_text_names_one_code(code):
    assert parse_code(str(code)) == code


def test_the_text_of_an_image_is_what_docker_pulls_and_that_of_a_zip_names_its_version():
    assert str(IMAGE) == f"{IMAGE.uri}@sha256:{SHA256}"
    assert (
        str(ZIP) == f"s3://shutterless-123456789012-eu-central-1-an/clothes/{SHA256}.zip?versionId=a.b_c-D1"
    )


@pytest.mark.parametrize(("code", "package"), [(IMAGE, "image"), (ZIP, "zip")])
def test_both_have_a_digest(code, package):
    assert (code.package, code.digest) == (package, f"sha256:{SHA256}")


def test_the_repository_of_an_image_is_without_its_host():
    assert IMAGE.repository == "shutterless/clothes"
