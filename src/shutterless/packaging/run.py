"""Run an image on this machine as Lambda would, until it is stopped."""

import subprocess
from collections.abc import Callable

from shutterless.packaging.container import DEFAULT_MEMORY, ask, lambda_limits, running
from shutterless.packaging.docker import container_error, docker
from shutterless.runtime.settings import check_records, check_urls, parse_kept_photos

STDERR = 2  # for all output that is not an answer


def run_image(
    tag: str,
    *,
    port: int = 8080,
    memory: int = DEFAULT_MEMORY,
    urls: str = "public",
    records: str = "off",
    keep_photos: str = "off",
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run an image under Lambda's limits and show its log, until it ends or Ctrl-C.

    Args:
        tag: The image.
        port: Port on 127.0.0.1; 0 takes a free one.
        memory: Megabytes, 128 to 10240; as on Lambda, the share of processors follows from it.
        urls: Which addresses photos are fetched from: `public`, `any` or `off`.
        records: Whether the log has a record of each picture: `on` or `off`.
        keep_photos: Which photos are part of their records, see `Settings`.
        ready: Called with the URL once it answers.

    Raises:
        DockerError: If docker does not start it.
        PackagingError: `container-ended` if it fails.
        InputError: If a setting is not possible.

    Example:
        >>> run_image("clothes", memory=512, ready=print)  # doctest: +SKIP
        http://127.0.0.1:8080
    """
    parse_kept_photos(keep_photos, "keep_photos")
    environment = {
        "SHUTTERLESS_URLS": check_urls(urls, "urls"),
        "SHUTTERLESS_RECORDS": check_records(records, "records"),
        "SHUTTERLESS_KEEP_PHOTOS": keep_photos,
    }
    variables = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
    options = ["--publish", f"127.0.0.1:{port}:8080", *variables, *lambda_limits(memory)]
    with running(tag, options) as container:
        ask(container, "/health")
        ready(f"http://{docker('port', container, '8080/tcp').decode().split()[0]}")
        subprocess.run(["docker", "logs", "--follow", container], stdout=STDERR, stderr=STDERR)
        if docker("wait", container).strip() != b"0":
            raise container_error(container)
