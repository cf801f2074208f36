import pytest

from shutterless.deploy.template.releases import Release, Releases, read_releases, turned
from shutterless.errors import ShutterlessError


def release(number):
    return Release(f"Version{number}", f"image@{number}", f"clothes {number}", f"source{number}")


def kept(*numbers, live, canary=0, weight=0.0):
    releases = tuple(release(number) for number in numbers)
    return Releases(releases, f"Version{live}", f"Version{canary}" if canary else "", weight)


def test_a_new_release_goes_live_and_the_one_before_is_kept():
    assert kept(1, live=1).with_new(release(2), 0, 5) == kept(1, 2, live=2)


def test_the_oldest_are_forgotten():
    assert kept(1, 2, 3, live=3).with_new(release(4), 0, 3) == kept(2, 3, 4, live=4)


def test_the_release_that_is_live_changes_nothing():
    assert kept(1, 2, live=2).with_new(release(2), 0, 5) == kept(1, 2, live=2)


def test_a_canary_gets_its_share_beside_the_one_that_is_live():
    assert kept(1, live=1).with_new(release(2), 0.1, 5) == kept(1, 2, live=1, canary=2, weight=0.1)


def test_a_canary_that_is_deployed_again_stays_one():
    running = kept(1, 2, live=1, canary=2, weight=0.1)
    assert running.with_new(release(2), 0.1, 5) == running


def test_a_canary_that_is_deployed_without_a_share_goes_live():
    assert kept(1, 2, live=1, canary=2, weight=0.1).with_new(release(2), 0, 5) == kept(1, 2, live=2)


def test_the_live_release_deployed_again_ends_a_canary():
    assert kept(1, 2, live=1, canary=2, weight=0.1).with_new(release(1), 0, 5) == kept(1, live=1)


def test_a_promoted_canary_gets_everything():
    assert kept(1, 2, live=1, canary=2, weight=0.1).promoted() == kept(1, 2, live=2)


def test_without_a_canary_there_is_nothing_to_promote():
    with pytest.raises(ShutterlessError, match="no canary") as caught:
        kept(1, 2, live=2).promoted()
    assert "--canary" in caught.value.hint


def test_going_back_ends_a_canary_first():
    assert kept(1, 2, live=1, canary=2, weight=0.1).rolled_back() == kept(1, 2, live=1)


def test_going_back_takes_the_version_before_again_and_again():
    once = kept(1, 2, 3, live=3).rolled_back()
    assert once == kept(1, 2, 3, live=2)
    assert once.rolled_back() == kept(1, 2, 3, live=1)


def test_before_the_first_there_is_nothing():
    with pytest.raises(ShutterlessError, match="no version before clothes 1"):
        kept(1, 2, live=1).rolled_back()


def test_what_was_rolled_back_from_is_forgotten_by_the_next_release():
    assert kept(1, 2, live=1).with_new(release(3), 0, 5) == kept(1, 3, live=3)


def test_going_forward_again_is_a_deploy_of_what_was_rolled_back_from():
    assert kept(1, 2, live=1).with_new(release(2), 0, 5) == kept(1, 2, live=2)


def test_an_older_release_deployed_again_moves_to_the_end():
    assert kept(1, 2, live=2).with_new(release(1), 0, 5) == kept(2, 1, live=1)


def test_an_alias_that_was_turned_by_hand_is_told():
    with pytest.raises(ShutterlessError, match="do not agree"):
        kept(1, live=7)


def template(releases, provisioned=0):
    alias = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {"FunctionVersion": {"Fn::GetAtt": [releases.live, "Version"]}},
    }
    kept = [vars(release) for release in releases.kept]
    metadata = {"Releases": kept, "Options": {"provisioned_concurrency": provisioned}}
    return {"Metadata": {"Shutterless": metadata}, "Resources": {"LiveAlias": alias}}


@pytest.mark.parametrize("to", [kept(1, 2, live=1), kept(1, 2, live=1, canary=2, weight=0.25)])
def test_a_turned_template_says_what_it_was_turned_to_and_leaves_the_first_alone(to):
    before = template(kept(1, 2, live=2), provisioned=0)
    assert read_releases(turned(before, to)) == to
    assert read_releases(before) == kept(1, 2, live=2)


def test_a_turned_alias_keeps_its_provisioned_concurrency():
    alias = turned(template(kept(1, 2, live=2), provisioned=3), kept(1, 2, live=1))["Resources"]["LiveAlias"]
    assert alias["Properties"]["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 3}
