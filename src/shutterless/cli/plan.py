"""The output of `shutterless deploy --plan`: what would change, and what it would cost."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from shutterless.cli.aws_options import COMMAND_LINE
from shutterless.cli.console import make_table, print_json, print_result, show
from shutterless.errors import ShutterlessError
from shutterless.utils.quiet import quiet_start

if TYPE_CHECKING:
    from shutterless.deploy import LiveRelease, Plan
    from shutterless.deploy.template.diff import ResourceChange
    from shutterless.runtime.json_types import Json

SIGNS = {"added": "+", "changed": "~", "replaced": "!", "removed": "-"}
# What each change set of a deploy does.
STEPS = {
    "create": "create the stack",
    "update": "update the stack",
    "publish": "publish the new version; it is tested before it gets any calls",
    "turn": "give the new version its calls",
    "provision": "change the number of warm instances",
    "promote": "give the canary all calls, unless it fails while it is watched",
}
# Of longer values only the beginning and the end are shown.
MAX_VALUE_LENGTH = 60
# The key of a zip, which contains its digest.
ZIP_KEY = re.compile(r"[^/]+/([0-9a-f]{12})[0-9a-f]{52}\.zip")


def show_plan(
    plan: "Plan", contents: "Path | LiveRelease", origins: Mapping[str, str], as_json: bool
) -> None:
    """Print a plan; a bundle is measured to estimate what its requests cost.

    Args:
        plan: The plan.
        contents: The bundle's folder, or the image of another deployment.
        origins: Where each setting comes from.
        as_json: Print one JSON document.
    """
    from shutterless.deploy.notices import describe_duties

    costs = _costs(plan, contents)
    if as_json:
        members = {key: value for key, value in asdict(plan).items() if key != "template"}
        print_json({**members, "origins": dict(origins), "costs": costs})
        return
    if set(origins.values()) != {COMMAND_LINE}:
        for origin in dict.fromkeys(origins.values()):
            settings = ", ".join(key for key in origins if origins[key] == origin)
            print_result(f"From {origin}: {settings}")
    for note in plan.notes:
        print_result(note)
    if plan.needs_push and not isinstance(contents, Path):
        print_result(f"The live code of {contents.deployment} would be copied: {contents.code.digest}")
    elif plan.needs_push:
        is_zip = plan.options.package == "zip"
        action = "A zip would be made and uploaded" if is_zip else "An image would be built and pushed"
        print_result(f"{action}. Its digest and the version's id are only known then.")
    if plan.current_options is None:
        listing = make_table("would be created", "number")
        changes = [change for step in plan.steps for change in step.changes]
        for kind, number in Counter(change.type for change in changes).items():
            listing.add_row(kind, str(number))
        show(listing)
    elif plan.steps:
        for number, step in enumerate(plan.steps, start=1):
            print_result(f"Change set {number} of {len(plan.steps)}: {STEPS[step.name]}")
            _show_changes(step.changes)
        print_result("+ added   ~ changed   ! replaced   - removed")
    else:
        print_result("Nothing would change.")
    limits = plan.limits.describe(plan.options) if plan.limits else []
    for line in [*describe_duties(plan.current_options, plan.options), *limits, *costs]:
        print_result(line)
    print_result("This was only a plan: nothing has been changed.")


def _show_changes(changes: Iterable["ResourceChange"]) -> None:
    listing = make_table("", "resource", "property", "before", "after", text=5)
    for change in changes:
        rows = [(each.path, _short(each.before), _short(each.after)) for each in change.properties]
        for index, row in enumerate(rows or [(change.type, "", "")]):
            first = (SIGNS[change.action], change.name) if index == 0 else ("", "")
            listing.add_row(*first, *row)
    show(listing)


def _short(value: "Json") -> str:
    """Return a value for a table: of a reference the name, of an image or a zip the digest."""
    from shutterless.deploy.deployer import UNKNOWN

    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
        value = value[0] if isinstance(value, list) else value
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    if UNKNOWN in text:
        return "(known after the upload)"
    if "@sha256:" in text:
        return text.partition("@")[2][:19]
    if match := ZIP_KEY.fullmatch(text):
        return f"sha256:{match[1]}"
    half = MAX_VALUE_LENGTH // 2
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[:half]}…{text[-half:]}"


def _costs(plan: "Plan", contents: "Path | LiveRelease") -> list[str]:
    """Return the cost after the deploy and, if it changes, before, as lines of text."""
    from shutterless.deploy.cost.local_latency import measure_latency, measure_start
    from shutterless.deploy.cost.plan import count_snapshots, describe_costs
    from shutterless.deploy.cost.prices import load_prices
    from shutterless.deploy.cost.workload import Workload
    from shutterless.deploy.cost.worst_case import ACCOUNT_CONCURRENCY

    if not isinstance(contents, Path):
        name = contents.deployment
        return [f"What a request costs is not known without a bundle; shutterless cost {name} estimates it."]
    try:
        prices = load_prices(plan.region)
        with quiet_start():
            measured = Workload(measure_latency(contents), start_ms=measure_start(contents))
        snapshots = count_snapshots(plan.template)
        concurrency = max(plan.limits.unreserved, 1) if plan.limits else ACCOUNT_CONCURRENCY
        after = describe_costs(plan.options, measured, prices, snapshots, concurrency)
        if plan.current_options in (None, plan.options):
            return after
        before = describe_costs(plan.current_options, measured, prices)
        return [f"Now: {before[0]}", f"Then: {after[0]}", *after[1:]]
    except ShutterlessError as error:
        return [f"The cost is unknown. {error.message}. {error.hint}"]
