from dataclasses import replace

import pytest

from shutterless.deploy.options import Options
from shutterless.deploy.template.code import ImageCode
from shutterless.deploy.template.releases import Release, Releases, read_releases
from shutterless.deploy.template.template import build_template
from shutterless.errors import DeployError


def release(number):
    return Release(
        f"Version{number}", ImageCode("image", str(number)), f"clothes {number}", f"fingerprint{number}"
    )


def history(*numbers, live, canary=0, weight=0.0, pending=0, rolled_back=0):
    releases = tuple(release(number) for number in numbers)
    canary, pending, rolled_back = (
        f"Version{number}" if number else "" for number in (canary, pending, rolled_back)
    )
    return Releases(releases, f"Version{live}", canary, weight, pending, rolled_back)


def test_a_new_release_goes_live_and_the_one_before_is_kept():
    assert history(1, live=1).add(release(2), 0) == history(1, 2, live=2)


def test_the_oldest_are_dropped():
    assert history(1, 2, 3, 4, 5, live=5).add(release(6), 0) == history(2, 3, 4, 5, 6, live=6)


def snapstart(number):
    return replace(release(number), options={"snapstart": True})


def test_two_snapstart_versions_are_kept_which_are_billed():
    before = Releases((release(1), snapstart(2), snapstart(3)), "Version3")
    assert before.add(snapstart(4), 0).history == (release(1), snapstart(3), snapstart(4))


def test_without_snapstart_only_the_snapshot_is_kept_that_was_live():
    before = Releases((snapstart(1), snapstart(2), release(3), snapstart(4)), "Version4")
    assert before.add(release(5), 0).history == (release(3), snapstart(4), release(5))
    assert before.add(release(5), 0).add(release(6), 0).history == (release(3), release(5), release(6))


def test_the_snapshot_to_go_back_to_stays_when_the_same_is_deployed_again():
    before = Releases((snapstart(1), release(2)), "Version2")
    assert before.add(release(2), 0) == before


def test_the_release_that_is_live_changes_nothing():
    assert history(1, 2, live=2).add(release(2), 0) == history(1, 2, live=2)


def test_a_canary_gets_its_share_beside_the_one_that_is_live():
    assert history(1, live=1).add(release(2), 0.1) == history(1, 2, live=1, canary=2, weight=0.1)


def test_a_canary_that_is_deployed_again_stays_one():
    running = history(1, 2, live=1, canary=2, weight=0.1)
    assert running.add(release(2), 0.1) == running


def test_a_canary_that_is_deployed_without_a_share_goes_live():
    assert history(1, 2, live=1, canary=2, weight=0.1).add(release(2), 0) == history(1, 2, live=2)


def test_the_live_release_deployed_again_ends_a_canary():
    assert history(1, 2, live=1, canary=2, weight=0.1).add(release(1), 0) == history(1, live=1)


def test_a_promoted_canary_gets_all_calls():
    assert history(1, 2, live=1, canary=2, weight=0.1).promote() == history(1, 2, live=2)


def test_without_a_canary_there_is_nothing_to_promote():
    with pytest.raises(DeployError) as error:
        history(1, 2, live=2).promote()
    assert error.value.code == "no-canary"


def test_going_back_ends_a_canary_first():
    running = history(1, 2, live=1, canary=2, weight=0.1)
    assert running.roll_back() == history(1, 2, live=1, rolled_back=2)


def test_going_back_takes_the_version_before():
    assert history(1, 2, 3, live=3).roll_back() == history(1, 2, 3, live=2, rolled_back=3)


def test_going_back_withdraws_a_version_that_has_no_calls_yet():
    assert history(1, 2, live=1, pending=2).roll_back() == history(1, live=1, rolled_back=2)


def test_the_releases_before_a_version_that_failed_note_that_it_was_rolled_back():
    assert history(1, live=1).withdraw("Version2") == history(1, live=1, rolled_back=2)


def test_a_version_that_was_there_before_it_was_pending_stays():
    assert history(1, 2, live=2, pending=1).roll_back() == history(1, 2, live=2, rolled_back=1)


@pytest.mark.parametrize("number", [1, 3])
def test_going_to_a_release_may_go_any_way(number):
    before = history(1, 2, 3, live=2, canary=3, weight=0.1)
    assert before.roll_back(f"Version{number}") == history(1, 2, 3, live=number, rolled_back=3)


def test_a_new_version_is_published_beside_all_others():
    before = history(1, 2, 3, live=2, rolled_back=3)
    assert before.publish(before.add(release(4), 0)) == history(1, 2, 3, 4, live=2, pending=4)


def test_a_version_that_is_there_is_not_published_again():
    before = history(1, 2, live=1, rolled_back=2)
    assert before.publish(before.add(release(2), 0)) == history(1, 2, live=1, pending=2)


NUMBERS = {"Version1": "7", "Version2": "8", "Version3": "9"}


@pytest.mark.parametrize(
    "text", ["8", "clothes 2", "2", "sha256:2", "sha256:2b", "2b2b"], ids=lambda text: text
)
def test_a_release_is_found_by_number_model_and_digest(text):
    releases = tuple(
        replace(release(number), code=ImageCode("image", f"sha256:{number}b{number}b"))
        for number in (1, 2, 3)
    )
    assert Releases(releases, "Version3").match(text, NUMBERS).version == "Version2"


@pytest.mark.parametrize(("text", "code"), [("clothes", "ambiguous-release"), ("10", "unknown-release")])
def test_a_release_that_is_not_clear_is_an_error_that_lists_them(text, code):
    with pytest.raises(DeployError) as error:
        history(1, 2, live=2).match(text, NUMBERS)
    assert error.value.code == code
    assert "8 (clothes 2)" in error.value.hint


def test_there_is_nothing_before_the_first():
    with pytest.raises(DeployError) as error:
        history(1, 2, live=1).roll_back()
    assert error.value.code == "no-previous-version"
    assert "clothes 1" in error.value.message


def test_a_release_that_was_rolled_back_is_dropped_by_the_next_one():
    assert history(1, 2, live=1).add(release(3), 0) == history(1, 3, live=3)


def test_a_release_that_was_rolled_back_can_be_deployed_again():
    assert history(1, 2, live=1).add(release(2), 0) == history(1, 2, live=2)


def test_an_older_release_deployed_again_moves_to_the_end():
    assert history(1, 2, live=2).add(release(1), 0) == history(2, 1, live=1)


def test_an_alias_that_points_to_no_release_is_refused():
    with pytest.raises(DeployError) as error:
        history(1, live=7)
    assert error.value.code == "inconsistent-stack"


def template(releases, provisioned=0):
    alias = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {"FunctionVersion": {"Fn::GetAtt": [releases.live, "Version"]}},
    }
    records = [release.to_json() for release in releases.history]
    metadata = {"Releases": records, "Options": {"provisioned_concurrency": provisioned}}
    return {"Metadata": {"Shutterless": metadata}, "Resources": {"LiveAlias": alias}}


def test_a_release_has_the_options_that_it_freezes():
    options = Options(memory=3008, rate=50)
    built = build_template(
        "clothes", options, code=ImageCode("image", "sha256:1"), model="clothes 1", fingerprint="1"
    )
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
        "records": "off",
        "keep_photos": "off",
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
