import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shutterless.deploy.code import live
from shutterless.deploy.code.live import LiveRelease, read_live_release
from shutterless.deploy.options import Options
from shutterless.deploy.template.code import ImageCode
from shutterless.deploy.template.releases import read_releases
from shutterless.deploy.template.template import build_template, with_releases
from shutterless.errors import DeployError, InputError
from shutterless.utils.progress import silent

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shutterless/dev"
DIGESTS = [f"sha256:{number:064x}" for number in range(3)]
MODEL = "clothes 0123456789ab"
CODE_OPTIONS = {"package": "image", "platform": "linux/arm64", "base_image": "python:3.13"}


@pytest.fixture
def stack(aws, monkeypatch):
    """Let AWS have a stack with this template."""
    monkeypatch.setattr(live, "connect", lambda profile, region: aws)

    def answer(template):
        stack = {
            "StackName": "shutterless-dev",
            "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/shutterless-dev/1",
            "Tags": [{"Key": "shutterless", "Value": "dev"}],
            "StackStatus": "UPDATE_COMPLETE",
            "CreationTime": datetime(2026, 11, 20, tzinfo=UTC),
            "Outputs": [],
        }
        aws.answer("cloudformation", "describe_stacks", {"Stacks": [stack]})
        aws.answer("cloudformation", "get_template", {"TemplateBody": json.dumps(template)})

    return answer


def template(number, options, deployed=None, weight=0.0):
    """Return the template of a deployment of one of the images."""
    return build_template(
        "dev",
        options,
        code=ImageCode(URI, DIGESTS[number]),
        model=f"clothes {number:012x}",
        fingerprint=f"{number}",
        deployed=deployed,
        weight=weight,
    )


def test_the_live_image_is_read_with_what_belongs_to_it(stack):
    stack(
        template(1, Options(package="image", platform="linux/arm64", base_image="python:3.13", memory=3008))
    )
    image = read_live_release("dev")
    assert image.code == ImageCode(URI, DIGESTS[1])
    assert (image.model, image.fingerprint) == (f"clothes {1:012x}", "1")
    assert (image.options.platform, image.options.base_image) == ("linux/arm64", "python:3.13")


def test_a_canary_is_not_live(stack):
    first = template(1, Options())
    stack(template(2, Options(), deployed=first, weight=0.1))
    assert read_live_release("dev").code.digest == DIGESTS[1]


def test_after_a_rollback_it_is_the_image_that_is_live_with_its_platform(stack):
    first = template(1, Options(platform="linux/arm64"))
    second = template(2, Options(platform="linux/amd64"), deployed=first)
    stack(with_releases(second, read_releases(second).roll_back()))
    image = read_live_release("dev")
    assert (image.code.digest, image.options.platform) == (DIGESTS[1], "linux/arm64")


def test_what_is_not_deployed_has_no_image(aws, stack):
    text = "Stack with id shutterless-dev does not exist"
    aws.fail("cloudformation", "describe_stacks", "ValidationError", text)
    with pytest.raises(DeployError) as caught:
        read_live_release("dev")
    assert caught.value.code == "no-deployment"


@pytest.fixture
def image(aws):
    options = Options(memory=3008, **CODE_OPTIONS)
    return LiveRelease("dev", ImageCode(URI, DIGESTS[1]), MODEL, "1", options, aws)


@pytest.mark.parametrize("changes", [{}, {"platform": "linux/arm64"}, {"platform": None, "memory": 512}])
def test_platform_and_base_image_come_with_the_image_and_nothing_else(image, changes):
    options = image.adapt(Options(memory=512), changes)
    assert options == replace(
        Options(memory=512), package="image", platform="linux/arm64", base_image="python:3.13"
    )


@pytest.mark.parametrize(
    "changes", [{"platform": "linux/amd64"}, {"base_image": "python:3.14"}, {"package": "zip"}]
)
def test_an_image_cannot_get_another_platform_or_base(image, changes):
    with pytest.raises(InputError) as caught:
        image.adapt(Options().with_changes(changes), changes)
    assert caught.value.code == "conflicting-options"


@pytest.mark.parametrize(
    ("model", "tag"), [(MODEL, "0123456789ab-000000000000"), ("clothes v1", "000000000000")]
)
def test_it_is_copied_by_digest_with_a_tag_of_its_content(aws, image, monkeypatch, model, tag):
    copies = []
    monkeypatch.setattr(live, "copy_image", lambda *arguments: copies.append(arguments))
    token = {"authorizationData": [{"authorizationToken": "QVdTOng="}]}
    target = "999999999999.dkr.ecr.eu-central-1.amazonaws.com/shutterless/prod"
    monkeypatch.setattr(
        live, "ensure_repository", lambda *_, **__: live.Repository("shutterless/prod", target)
    )
    for _ in range(2):
        aws.answer("ecr", "get_authorization_token", token)
    copy = replace(image, model=model).copy_to(aws, "prod", Options(), silent)
    assert copy == ImageCode(target, DIGESTS[1])
    ((source, destination, digest, its_tag, _),) = copies
    assert (source.uri, destination.uri, digest, its_tag) == (URI, target, DIGESTS[1], tag)
