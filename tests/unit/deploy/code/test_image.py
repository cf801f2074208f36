import sys
from types import SimpleNamespace

from shutterless.deploy.code import image
from shutterless.deploy.options import Options
from shutterless.deploy.template.code import ImageCode
from shutterless.utils.progress import silent

CODE = ImageCode("host/shutterless/clothes", f"sha256:{1:064x}")


def test_publishing_builds_as_the_options_say_and_pushes(monkeypatch, tmp_path):
    builds, pushes, repositories = [], [], []
    packaging = SimpleNamespace(build_image=lambda *args, **options: builds.append((args, options)))
    monkeypatch.setitem(sys.modules, "shutterless.packaging", packaging)
    monkeypatch.setattr(
        image, "ensure_repository", lambda session, name, **options: repositories.append((name, options))
    )
    monkeypatch.setattr(
        image, "push", lambda session, repository, tag, progress: pushes.append(tag) or str(CODE)
    )
    options = Options(package="image", platform="linux/arm64", base_image="python:3.13")
    assert image.publish_image(None, "clothes", tmp_path, options, silent) == CODE
    ((arguments, keywords),) = builds
    assert arguments == (tmp_path, "shutterless/clothes:deploy")
    assert (keywords["platform"], keywords["base_image"]) == ("linux/arm64", "python:3.13")
    assert pushes == ["shutterless/clothes:deploy"]
    assert repositories == [("shutterless/clothes", {"tags": {"shutterless": "clothes"}, "kms_key": ""})]
