"""Try batch jobs at sizes that no test has time for: speed, kill -9, a cluster, bad hosts, a million rows.

python scripts/try_batch.py speed BUNDLE PHOTOS --copies 5
python scripts/try_batch.py processor BUNDLE PHOTOS --copies 5
python scripts/try_batch.py kills BUNDLE PHOTOS --rounds 20
python scripts/try_batch.py cluster BUNDLE PHOTOS
python scripts/try_batch.py urls BUNDLE PHOTOS
python scripts/try_batch.py million BUNDLE PHOTOS
"""

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import shutterless

COMMAND = [sys.executable, "-c", "from shutterless.cli import main; main()", "batch"]
# What a user would write: a loop over the photos, in as many interpreters as there are cores.
BARE = """
import sys
from pathlib import Path
from shutterless.model_check import open_bundle
from shutterless.runtime.image.decoder import decode
from shutterless.runtime.model.classifier import Classifier
classifier = Classifier(open_bundle(sys.argv[1]))
for line in sys.stdin:
    classifier.classify(decode(Path(line.rstrip("\\n")).read_bytes(), classifier.input))
"""


def link_photos(photos: Path, folder: Path, copies: int) -> list[str]:
    """Fill a folder with links to all photos, several times."""
    folder.mkdir()
    for number, path in enumerate(sorted(photos.rglob("*.jpg"))):
        for copy in range(copies):
            (folder / f"{number:05}-{copy}.jpg").symlink_to(path)
    return sorted(map(str, folder.iterdir()))


def contents(output: Path) -> dict[str, bytes]:
    """Return the files of an output, without the lock and drafts."""
    return {path.name: path.read_bytes() for path in output.iterdir() if path.name[0] != "."}


def run_bare(bundle: Path, uris: Sequence[str], workers: int) -> float:
    """Return the seconds that so many bare interpreters take."""
    start_time = time.monotonic()
    processes = [
        subprocess.Popen([sys.executable, "-c", BARE, bundle], stdin=subprocess.PIPE, text=True)
        for _ in range(workers)
    ]
    threads = [
        threading.Thread(target=process.communicate, args=("\n".join(uris[number::workers]),))
        for number, process in enumerate(processes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(process.returncode for process in processes)
    return time.monotonic() - start_time


def try_speed(bundle: Path, photos: Path, folder: Path, options: argparse.Namespace) -> None:
    """Compare both engines with bare interpreters, in turn; the parts must be equal."""
    uris = link_photos(photos, folder / "photos", options.copies)
    for number in range(options.rounds):
        bare = len(uris) / run_bare(bundle, uris, options.workers)
        outputs = {}
        for engine in options.engines:
            output = outputs[engine] = folder / f"{engine}{number}"
            start_time = time.monotonic()
            result = shutterless.batch(
                bundle, folder / "photos", output, engine=engine, workers=options.workers
            )
            whole = len(uris) / (time.monotonic() - start_time)
            ratios = f"{whole / bare:.3f} with start, {result.photos_per_second / bare:.3f} without listing"
            print(f"{len(uris):,} photos: bare {bare:.1f}/s, {engine} {whole:.1f}/s, ratio {ratios}")
        assert len({str(sorted(contents(output).items())) for output in outputs.values()}) == 1
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
        print(f"equal parts; most memory: this process {memory} MB, any child {children} MB")


def cpu_seconds(command: Sequence[object]) -> float:
    """Return the processor time that a command takes, with all processes that it starts (cgroup v1)."""
    group = Path(f"/sys/fs/cgroup/cpuacct/try-batch-{os.getpid()}")
    group.mkdir(exist_ok=True)
    start_time = int((group / "cpuacct.usage").read_text())
    subprocess.run(
        ["bash", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "-", *map(str, command)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while (group / "cgroup.procs").read_text():  # processes of Ray that are ending
        time.sleep(0.2)
    seconds = (int((group / "cpuacct.usage").read_text()) - start_time) / 1e9
    group.rmdir()
    return seconds


def try_processor(bundle: Path, photos: Path, folder: Path, options: argparse.Namespace) -> None:
    """Compare the processor time of bare interpreters with that of both engines, on any busy machine.

    Each way classifies all photos and a tenth of them, to tell what a photo takes from what a start takes.
    """
    uris = link_photos(photos, folder / "photos", options.copies)
    lists = {count: folder / f"{count}.txt" for count in (len(uris), len(uris) // 10)}
    for count, file in lists.items():
        file.write_text("".join(f"{uri}\n" for uri in uris[:: len(uris) // count][:count]))
    for number in range(options.rounds):
        bare = 0.0
        for engine in ("bare", *options.engines):
            seconds = []
            for count, file in lists.items():
                output = folder / f"{engine}-{count}-{number}"
                batch = [*COMMAND, bundle, file, "-o", output, "--engine", engine, "--chunk-size", "50"]
                command = [*batch, "--workers", options.workers]
                if engine == "bare":
                    command = ["bash", "-c", f"{sys.executable} -c '{BARE}' {bundle} < {file}"]
                seconds.append(cpu_seconds(command))
            many, few = lists
            photo = (seconds[0] - seconds[1]) / (many - few)
            bare = bare or photo
            start = seconds[0] - many * photo
            print(
                f"{engine}: {photo * 1000:.2f} ms a photo ({bare / photo:.2f} × bare), {start:.1f} s to start"
            )


def try_kills(bundle: Path, photos: Path, folder: Path, options: argparse.Namespace) -> None:
    """Kill the job, or one of its workers, at random moments; the parts must be those of a whole run."""
    link_photos(photos, folder / "photos", options.copies)
    shutterless.batch(bundle, folder / "photos", folder / "whole", workers=options.workers)
    expected = contents(folder / "whole")
    command = [*COMMAND, bundle, folder / "photos", "-o", folder / "out", "--workers", str(options.workers)]
    rng, kills = random.Random(1), {"driver": 0, "worker": 0}
    starts = 0
    while sum(kills.values()) < options.rounds:
        shutil.rmtree(folder / "out", ignore_errors=True)
        code = None
        while code != 0:
            starts += 1
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and sum(kills.values()) < options.rounds:
                time.sleep(rng.uniform(0.3, options.seconds))
                name = rng.choice([*kills])
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
                pids = [int(pid) for file in children.parent.parent.glob("*/children") for pid in _read(file)]
                targets = [process.pid] if name == "driver" else pids
                if process.poll() is None and targets:
                    os.kill(rng.choice(targets), signal.SIGKILL)
                    kills[name] += 1
            code = process.wait()
        assert contents(folder / "out") == expected, "the parts differ"
    uris = pq.read_table(folder / "out").column("uri").to_pylist()
    assert uris == sorted({*uris})
    print(f"{kills}: {starts} starts, {len(uris):,} rows, none twice, all parts equal to the whole run's")


def _read(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def try_cluster(bundle: Path, photos: Path, folder: Path, options: argparse.Namespace) -> None:
    """Run a job on a head and two nodes; kill one of the nodes in the middle."""
    import ray
    from ray.cluster_utils import Cluster

    link_photos(photos, folder / "photos", options.copies)
    shutterless.batch(bundle, folder / "photos", folder / "whole", workers=options.workers)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": 100 << 20, "include_dashboard": False},
    )
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=100 << 20) for _ in range(2)]
    command = [*COMMAND, bundle, folder / "photos", "-o", folder / "out", "--engine", "ray"]
    start_time = time.monotonic()
    process = subprocess.Popen([*command, "--address", cluster.address])
    while len(list((folder / "out").glob("part-*"))) < 5 and process.poll() is None:
        time.sleep(0.2)
    cluster.remove_node(nodes[0], allow_graceful=False)
    print(f"a node was killed after {time.monotonic() - start_time:.1f} s")
    assert process.wait(options.timeout) == 0
    print(f"ended after {time.monotonic() - start_time:.1f} s")
    assert contents(folder / "out") == contents(folder / "whole")
    print("all parts equal to the local run's")
    cluster.shutdown()
    ray.shutdown()


@contextmanager
def serving(photos: Sequence[Path]) -> Iterator[str]:
    """Serve photos by number; of every twenty URLs one hangs and one lies about its length."""
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = int(Path(self.path).stem)
            data = photos[number % len(photos)].read_bytes()
            if number % 20 == 7:
                is_over.wait(60)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data) * (2 if number % 20 == 13 else 1)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    is_over.set()
    server.shutdown()


def try_urls(bundle: Path, photos: Path, folder: Path, options: argparse.Namespace) -> None:
    """Classify 2,000 URLs of one host, of which a tenth hang or lie."""
    with serving(sorted(photos.rglob("*.jpg"))) as url:
        text = "".join(f"{url}/{number}.jpg\n" for number in range(2000))
        (folder / "urls.txt").write_text(text)
        result = shutterless.batch(
            bundle, folder / "urls.txt", folder / "out", urls="any", timeout=2, per_host=32
        )
    assert (result.photos, result.errors) == (2000, {"fetch-failed": 200})
    print(f"2,000 URLs, 200 of them bad: {result.seconds:.1f} s, {result.photos_per_second:.1f} photos/s")


def try_million(bundle: Path, photos: Path, folder: Path, options: argparse.Namespace) -> None:
    """Plan a million rows of a table, which repeat a few real photos under names that are not there."""
    paths = [f"/photos/shop/{number * 7919 % 1_000_003:07}/front.jpg" for number in range(1_000_000)]
    pq.write_table(pa.table({"path": paths}), folder / "photos.parquet")
    program = """
import resource, sys, time
start_time = time.monotonic()
import shutterless
plan = shutterless.plan_batch(sys.argv[1], sys.argv[2])
print(plan)
print(f"{time.monotonic() - start_time:.1f} s, "
      f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")
"""
    subprocess.run([sys.executable, "-c", program, bundle, folder / "photos.parquet"], check=True)


TRIALS = {
    "speed": try_speed,
    "processor": try_processor,
    "kills": try_kills,
    "cluster": try_cluster,
    "urls": try_urls,
    "million": try_million,
}


def main() -> None:
    """Run one of the trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("trial", choices=TRIALS)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--copies", type=int, default=1, help="links to each photo")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engines", nargs="+", default=["local"])
    parser.add_argument("--seconds", type=float, default=2.0, help="most time between two kills")
    parser.add_argument("--timeout", type=float, default=600.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="try-batch-") as folder:
        TRIALS[options.trial](options.bundle, options.photos, Path(folder), options)


if __name__ == "__main__":
    main()
