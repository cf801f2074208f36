import pytest

from shutterless.deploy.aws.waiting import poll


def test_the_first_attempt_is_made_at_once_and_the_last_at_the_timeout(clock):
    assert list(poll(3, 9)) == [0, 3, 6, 9]
    assert clock.pauses == [3, 3, 3]


def test_the_time_that_an_attempt_takes_counts(clock):
    attempts = []
    for elapsed_s in poll(3, 9):
        attempts.append(elapsed_s)
        clock.sleep(4)
    assert attempts == [0, 7]


def test_without_time_there_is_one_attempt():
    assert list(poll(3, 0)) == [0]


def test_without_a_timeout_it_never_ends(clock):
    for elapsed_s in poll(3):
        if elapsed_s > 10_000:
            return
    pytest.fail("it ended")
