from benchmarks.function import COLD, describe_differences


def test_what_each_takes_longer_than_hello_world_is_the_median_of_the_rounds():
    hello_times, zip_times = (50, 80, 60), (100, 100, 130)
    rounds = [
        {"hello": {COLD: hello}, "zip": {COLD: ours}, "sources": {COLD: 200}, "image": {COLD: 90}}
        for hello, ours in zip(hello_times, zip_times, strict=True)
    ]
    lines = list(describe_differences(rounds, 1024))
    assert lines[0].startswith("1,024 MB")
    assert lines[0].endswith("+ 50 ms (20 … 70)")
    assert [line.partition("+ ")[2] for line in lines[1:]] == ["140 ms (120 … 150)", "30 ms (10 … 40)"]
