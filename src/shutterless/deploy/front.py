"""What receives the requests, API Gateway or the function's own URL: the options and limits of each."""

from shutterless.deploy.option_values import MAX_REST_TIMEOUT
from shutterless.deploy.options import OptionChanges, Options
from shutterless.errors import InputError

# What only API Gateway has.
REST_OPTIONS = ("stage", "rate", "burst", "quota")


def check_front(options: Options, changes: OptionChanges) -> None:
    """Check that what receives the requests supports the other options.

    Args:
        options: All options to deploy with.
        changes: Those that were asked for; the others are deployed already, or defaults.

    Raises:
        ShutterlessError: It does not.
    """
    is_url = options.front == "url"
    rest_options = [name for name in REST_OPTIONS if changes.get(name) is not None]
    conflicts = (
        (
            not is_url and options.timeout > MAX_REST_TIMEOUT,
            f"API Gateway waits 29 s for an answer, so --timeout {options.timeout} is too long",
            f"Use at most --timeout {MAX_REST_TIMEOUT}, or --front url.",
        ),
        (
            is_url and options.auth == "api-key",
            "A function URL has no API keys",
            "Use --auth none or --auth iam, or keep --front rest.",
        ),
        (
            is_url and options.page == "off",
            "With a function URL every request calls the function, so --page off would save nothing",
            "Use --page on, or --front rest.",
        ),
        (
            is_url and options.domain,
            "A function URL cannot have a domain of its own",
            "Set --domain, --certificate and --hosted-zone to '' and put CloudFront in front of the URL, or "
            "use --front rest.",
        ),
        (
            is_url and rest_options,
            f"A function URL has no {', '.join(f'--{name}' for name in rest_options)}: only API Gateway does",
            "Leave that out, or use --front rest. --reserved-concurrency limits the cost of a function URL.",
        ),
    )
    for applies, message, hint in conflicts:
        if applies:
            raise InputError("conflicting-options", message, hint)


def describe_front(before: Options | None, after: Options) -> tuple[str, ...]:
    """Return what callers and the owner of a deployment should know about what receives its requests.

    Args:
        before: The options that are deployed, None if nothing is.
        after: The options to deploy with.

    Returns:
        One line each; none for API Gateway, unless it is new.
    """
    lines = []
    if before and before.front != after.front:
        lines.append("The address changes, and the old one stops answering: callers need the new one.")
    if after.front == "url":
        lines.append(
            "A function URL has no API keys, no --rate, --burst or --quota, no stage and no domain; its own "
            "errors are not problem documents."
        )
        if after.auth == "none" and not after.reserved_concurrency:
            lines.append(
                "Anyone can call the function as often as the account allows: "
                "--reserved-concurrency N is the only limit of what that costs."
            )
    return tuple(lines)
