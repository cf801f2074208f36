"""What the commands that change a deployment show: their progress, and the deployment after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from shutterless.cli.console import print_json, print_result, progress_bar, say
from shutterless.utils.progress import Progress

if TYPE_CHECKING:
    from shutterless.deploy import Deployment


@contextmanager
def progress_at_aws(next_step: str = "run the same command to continue") -> Iterator[Progress]:
    """Show progress, and at Ctrl-C that AWS goes on, with the next step."""
    try:
        with progress_bar() as progress:
            yield progress
    except KeyboardInterrupt:
        say(f"AWS finishes what it has started; {next_step}.")
        raise


def show_comparison(deployment: "Deployment") -> None:
    """Show what a canary's answers were beside the live version's, if one was watched."""
    if deployment.comparison:
        say(f"Canary: {deployment.comparison.describe()}.")


def show_deployment(deployment: "Deployment", as_json: bool) -> None:
    """Print the deployment, and how to call its API."""
    if as_json:
        print_json({key: value for key, value in asdict(deployment).items() if key != "template"})
        return
    name, model, url = deployment.name, deployment.model, deployment.url
    if not deployment.changed:
        print_result(f"Nothing has changed: {model} is already deployed.")
    elif deployment.canary:
        print_result(
            f"{deployment.canary_model} gets {deployment.canary:.0%} of the calls, {model} the others."
        )
        print_result(f"Next: shutterless promote {name}, or to go back: shutterless rollback {name}")
    else:
        print_result(f"Deployed: {model}")
    if deployment.uploaded_bytes:
        say(f"Uploaded {deployment.uploaded_bytes / 1e6:.1f} MB, the whole zip.")
    if deployment.has_page:
        print_result(f"Page: {url}/")
    print_result(f"API:  {url}/predict")
    if deployment.domain:
        print_result(f"Domain: {deployment.domain}/predict (DNS: CNAME to {deployment.domain_target})")
    if deployment.key_id:
        print_result(f"Key:  shutterless status {name} --show-key")
    picture = "-H 'Content-Type: image/jpeg' --data-binary @photo.jpg"
    print_result(f"  curl{_curl_credentials(deployment)} {picture} {url}/predict")


def _curl_credentials(deployment: "Deployment") -> str:
    """Return the options by which curl authenticates."""
    if deployment.auth == "iam":
        _, host, region, *_ = deployment.url.split(".")
        service = "lambda" if host == "lambda-url" else "execute-api"
        keys = "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"
        return f' --aws-sigv4 aws:amz:{region}:{service} --user "{keys}"'
    return ' -H "x-api-key: $KEY"' if deployment.key_id else ""
