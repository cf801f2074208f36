from dataclasses import asdict

import pytest

from shutterless.deploy.options import Options
from shutterless.deploy.template.releases import Release, Releases, read_releases, with_releases
from shutterless.deploy.template.template import build_template
from shutterless.errors import DeployError


def release(number):
    return Release(f"Version{number}", f"image@{number}", f"clothes {number}", f"fingerprint{number}")


def history(*numbers, live, canary=0, weight=0.0):
    releases = tuple(release(number) for number in numbers)
    return Releases(releases, f"Version{live}", f"Version{canary}" if canary else "", weight)


def test_a_new_release_goes_live_and_the_one_before_is_kept():
    assert history(1, live=1).add(release(2), 0, 5) == history(1, 2, live=2)


def test_the_oldest_are_dropped():
    assert history(1, 2, 3, live=3).add(release(4), 0, 3) == history(2, 3, 4, live=4)


def test_the_release_that_is_live_changes_nothing():
    assert history(1, 2, live=2).add(release(2), 0, 5) == history(1, 2, live=2)


def test_a_canary_gets_its_share_beside_the_one_that_is_live():
    assert history(1, live=1).add(release(2), 0.1, 5) == history(1, 2, live=1, canary=2, weight=0.1)


def test_a_canary_that_is_deployed_again_stays_one():
    running = history(1, 2, live=1, canary=2, weight=0.1)
    assert running.add(release(2), 0.1, 5) == running


def test_a_canary_that_is_deployed_without_a_share_goes_live():
    assert history(1, 2, live=1, canary=2, weight=0.1).add(release(2), 0, 5) == history(1, 2, live=2)


def test_the_live_release_deployed_again_ends_a_canary():
    assert history(1, 2, live=1, canary=2, weight=0.1).add(release(1), 0, 5) == history(1, live=1)


def test_a_promoted_canary_gets_all_calls():
    assert history(1, 2, live=1, canary=2, weight=0.1).promote() == history(1, 2, live=2)


def test_without_a_canary_there_is_nothing_to_promote():
    with pytest.raises(DeployError) as error:
        history(1, 2, live=2).promote()
    assert error.value.code == "no-canary"


def test_going_back_ends_a_canary_first():
    assert history(1, 2, live=1, canary=2, weight=0.1).roll_back() == history(1, 2, live=1)


def test_going_back_takes_the_version_before_again_and_again():
    once = history(1, 2, 3, live=3).roll_back()
    assert once == history(1, 2, 3, live=2)
    assert once.roll_back() == history(1, 2, 3, live=1)


def test_there_is_nothing_before_the_first():
    with pytest.raises(DeployError) as error:
        history(1, 2, live=1).roll_back()
    assert error.value.code == "no-previous-version"
    assert "clothes 1" in error.value.message


def test_a_release_that_was_rolled_back_is_dropped_by_the_next_one():
    assert history(1, 2, live=1).add(release(3), 0, 5) == history(1, 3, live=3)


def test_a_release_that_was_rolled_back_can_be_deployed_again():
    assert history(1, 2, live=1).add(release(2), 0, 5) == history(1, 2, live=2)


def test_an_older_release_deployed_again_moves_to_the_end():
    assert history(1, 2, live=2).add(release(1), 0, 5) == history(2, 1, live=1)


def test_an_alias_that_points_to_no_release_is_refused():
    with pytest.raises(DeployError) as error:
        history(1, live=7)
    assert error.value.code == "inconsistent-stack"


def template(releases, provisioned=0):
    alias = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {"FunctionVersion": {"Fn::GetAtt": [releases.live, "Version"]}},
    }
    records = [asdict(release) for release in releases.history]
    metadata = {"Releases": records, "Options": {"provisioned_concurrency": provisioned}}
    return {"Metadata": {"Shutterless": metadata}, "Resources": {"LiveAlias": alias}}


@pytest.mark.parametrize("to", [history(1, 2, live=1), history(1, 2, live=1, canary=2, weight=0.25)])
def test_a_template_with_other_releases_has_them_and_the_original_is_unchanged(to):
    before = template(history(1, 2, live=2), provisioned=0)
    assert read_releases(with_releases(before, to)) == to
    assert read_releases(before) == history(1, 2, live=2)


def test_another_release_keeps_the_provisioned_concurrency():
    alias = with_releases(template(history(1, 2, live=2), provisioned=3), history(1, 2, live=1))["Resources"][
        "LiveAlias"
    ]
    assert alias["Properties"]["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 3}


def test_a_release_has_the_options_that_it_freezes():
    options = Options(memory=3008, rate=50)
    built = build_template("clothes", options, image="image", model="clothes 1", fingerprint="1")
    assert read_releases(built).live_release.options == {
        "memory": 3008,
        "timeout": 28,
        "platform": "linux/amd64",
        "base_image": "",
        "urls": "public",
        "url_hosts": "",
        "snapstart": False,
        "subnets": "",
        "security_groups": "",
    }


def test_the_releases_of_an_older_template_have_the_options_of_the_deployment():
    older = template(history(1, 2, live=2))
    for record in older["Metadata"]["Shutterless"]["Releases"]:
        del record["options"]
    older["Metadata"]["Shutterless"]["Options"] = {"memory": 3008, "rate": 50}
    assert [each.options for each in read_releases(older).history] == [{"memory": 3008}] * 2


def test_what_a_newer_version_notes_of_a_release_is_left_out():
    newer = template(history(1, live=1))
    newer["Metadata"]["Shutterless"]["Releases"][0]["more"] = "unknown"
    assert read_releases(newer) == history(1, live=1)
