"""Serve an account over HTTP, for a walk by hand: `python -m tests.aws_as_it_is --port 5555 --speed 60`."""

import argparse
import sys
from pathlib import Path

from moto.ecr.models import Repository

from tests.aws_as_it_is.account import Account, Behaviour
from tests.aws_as_it_is.server import Server


def main() -> None:
    """Read the options and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.aws_as_it_is", description=__doc__)
    parser.add_argument("--port", type=int, default=5555, help="the port on 127.0.0.1")
    parser.add_argument("--speed", type=float, default=60.0, help="simulated seconds in a real one")
    parser.add_argument("--registry", help="host:port of a registry in place of ECR's")
    parser.add_argument("--bundle", type=Path, help="the bundle that runs in every image")
    parser.add_argument("--traffic", type=int, default=0, help="requests a minute to each alias `live`")
    parser.add_argument("--off", action="append", default=[], choices=vars(Behaviour()), help="switch it off")
    options = parser.parse_args()
    account = Account()
    for name in options.off:
        setattr(account.behaviour, name, 0)
    account.steady_traffic = options.traffic
    if options.bundle:
        account.runtime.serve(options.bundle)
    if options.registry:
        use_registry(options.registry)
    server = Server(account, options.port, options.speed)
    print(f"export AWS_ENDPOINT_URL={server.url} AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b", flush=True)
    print(f"export AWS_REGION={account.region}", flush=True)
    try:
        server.run()
    except KeyboardInterrupt:
        sys.exit(0)


def use_registry(host: str) -> None:
    """Make repositories name another registry than ECR's."""
    make = Repository.__init__

    def make_elsewhere(self: Repository, *arguments: object, **options: object) -> None:
        make(self, *arguments, **options)  # type: ignore[arg-type]
        self.uri = f"{host}/{self.uri.partition('/')[2]}"

    Repository.__init__ = make_elsewhere  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
