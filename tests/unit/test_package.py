import pytest

import shutterless
from shutterless import deploy


@pytest.mark.parametrize("name", shutterless.__all__)
def test_everything_the_package_offers_is_there_and_documented(name):
    assert getattr(shutterless, name).__doc__


def test_what_it_does_not_offer_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = shutterless.nothing


def test_dir_lists_what_it_offers():
    assert {"train", "convert", "ShutterlessError", "__version__"} <= set(dir(shutterless))


@pytest.mark.parametrize("name", deploy.__all__)
def test_everything_that_deploy_offers_is_there_and_documented(name):
    assert getattr(deploy, name).__doc__


def test_what_deploy_does_not_offer_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = deploy.nothing
