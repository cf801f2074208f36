import pytest

from benchmarks.rounds import CannotRunError, Row, compare, interleave, run_in_process

ROUNDS = [
    {"ours": {"warm": 10.0, "memory": 80.0}, "theirs": {"warm": 100.0}},
    {"ours": {"warm": 30.0, "memory": 80.0}, "theirs": {"warm": 100.0}},
    {"ours": {"warm": 40.0, "memory": 80.0}, "theirs": {"warm": 200.0}},
]


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_not_of_the_figures():
    (row,) = compare(ROUNDS, "ours", "theirs", {"warm": "ms"})
    assert (row.ours, row.theirs) == (30.0, 100.0)
    assert row.ratios == [0.1, 0.2, 0.3]
    assert row.ratio == 0.2


def test_a_figure_that_one_contender_lacks_is_left_out():
    assert [row.figure for row in compare(ROUNDS, "ours", "theirs", {"warm": "ms", "memory": "MB"})] == [
        "warm"
    ]


def test_a_row_carries_its_unit_its_goal_and_the_names_of_both():
    (row,) = compare(
        ROUNDS, "ours", "theirs", {"warm": "ms"}, {"warm": 0.5}, "the others", prefix="half a core"
    )
    assert (row.figure, row.unit, row.rival, row.goal) == ("half a core, warm", "ms", "the others", 0.5)


@pytest.mark.parametrize(("goal", "missed"), [(0.19, True), (0.2, False), (None, False)])
def test_a_goal_is_missed_by_what_was_measured(goal, missed):
    assert Row("warm", "ms", "theirs", ((1.0, 5.0),), goal).missed is missed


def test_a_limit_is_missed_by_our_own_figure():
    rows = [compare(ROUNDS, "ours", "theirs", {"warm": "ms"}, limits={"warm": limit}) for limit in (29, 30)]
    assert [row.missed for (row,) in rows] == [True, False]


def test_each_round_starts_with_another_contender():
    order = []
    contenders = {name: lambda name=name: order.append(name) or {"warm": 1.0} for name in "abc"}
    rounds = interleave(4, contenders)
    assert "".join(order) == "abcbcacababc"
    assert all(one == {name: {"warm": 1.0} for name in "abc"} for one in rounds)


def test_a_new_process_runs_on_the_cores_it_is_given(tmp_path, monkeypatch):
    (tmp_path / "probe.py").write_text(
        "import os\n"
        "def look(job):\n"
        "    print('noise')\n"
        "    return {'cores': len(os.sched_getaffinity(0)), 'pid': os.getpid(), 'job': job, "
        "'word': os.environ['WORD']}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=None)
    result = run_in_process("probe", "look", {"a": 1}, cores=1, environment={"WORD": "yes"})
    assert result == {"cores": 1, "pid": result["pid"], "job": {"a": 1}, "word": "yes"}


def test_a_process_that_fails_is_reported_with_its_last_line(tmp_path, monkeypatch):
    (tmp_path / "probe.py").write_text("def fall(job):\n    raise ValueError('no photos today')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(CannotRunError, match="no photos today"):
        run_in_process("probe", "fall", {}, cores=1)
