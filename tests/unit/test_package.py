import pytest

import shutterless
from shutterless import deploy

PACKAGES = [shutterless, deploy]


@pytest.mark.parametrize(("package", "name"), [(each, name) for each in PACKAGES for name in each.__all__])
def test_everything_a_package_offers_is_there_and_documented(package, name):
    assert getattr(package, name).__doc__


@pytest.mark.parametrize("package", PACKAGES)
def test_what_it_does_not_offer_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


def test_dir_lists_what_it_offers():
    assert {"train", "convert", "ShutterlessError", "__version__"} <= set(dir(shutterless))
    assert {"deploy", "plan", "destroy"} <= set(dir(deploy))
