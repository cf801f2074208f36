"""An image on this machine, as Lambda would run it, until it is stopped."""

import subprocess
from collections.abc import Callable

from shutterless.packaging.container import MEMORY, ask, running, terms
from shutterless.packaging.docker import docker, last_words
from shutterless.runtime.settings import check_urls

ERRORS = 2  # where everything goes that is not the answer itself


def run_image(
    tag: str,
    *,
    port: int = 8080,
    memory: int = MEMORY,
    urls: str = "public",
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run an image on Lambda's terms and show its log, until it ends or an exception, as of Ctrl-C, ends it.

    port: on 127.0.0.1; 0 takes a free one. memory: megabytes. urls: which addresses photos are fetched
    from, see `Settings`. ready: called with the URL once it answers. Raises `ShutterlessError` if docker
    does not start it, or it fails.
    """
    options = ["--publish", f"127.0.0.1:{port}:8080", "--env", f"SHUTTERLESS_URLS={check_urls(urls, 'urls')}"]
    with running(tag, [*options, *terms(memory)]) as container:
        ask(container, "/health")
        ready(f"http://{docker('port', container, '8080/tcp').decode().split()[0]}")
        subprocess.run(["docker", "logs", "--follow", container], stdout=ERRORS, stderr=ERRORS)
        if docker("wait", container).strip() != b"0":
            raise last_words(container)
