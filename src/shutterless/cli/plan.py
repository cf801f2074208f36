"""What `shutterless deploy --plan` shows: what would change, and what it would cost."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shutterless.cli.console import print_json, result, show, table
from shutterless.errors import ShutterlessError
from shutterless.utils.quiet import quiet_start

if TYPE_CHECKING:
    from shutterless.deploy.deployer import Plan
    from shutterless.deploy.template.diff import Difference

SIGNS = {"added": "+", "changed": "~", "replaced": "!", "removed": "-"}
# Of longer values the beginning and the end.
MAX_VALUE = 60


def show_plan(plan: "Plan", bundle: Path, as_json: bool) -> None:
    """Print a plan for the folder `bundle`, which is measured to say what its requests cost."""
    costs = _costs(plan, bundle)
    if as_json:
        members = {key: value for key, value in asdict(plan).items() if key != "template"}
        print_json({**members, "costs": costs})
        return
    for note in plan.notes:
        result(note)
    if plan.pushes:
        result(
            "The image would be built and pushed; its digest, and so the version's id, is known only then."
        )
    if plan.before is None:
        _show_kinds(plan.differences)
    elif plan.differences:
        _show_differences(plan.differences)
        result("+ added   ~ changed   ! replaced   - removed")
    else:
        result("Nothing would change.")
    for line in costs:
        result(line)
    result("Nothing has been done.")


def _show_differences(differences: Iterable["Difference"]) -> None:
    listing = table("", "resource", "what", "before", "after", text=5)
    for one in differences:
        changes = [(each.path, _short(each.before), _short(each.after)) for each in one.changes]
        for place, change in enumerate(changes or [(one.type, "", "")]):
            head = (SIGNS[one.action], one.name) if place == 0 else ("", "")
            listing.add_row(*head, *change)
    show(listing)


def _show_kinds(differences: Iterable["Difference"]) -> None:
    """Show how many of each type would be made, where nothing is yet."""
    listing = table("would be made", "number")
    for kind, number in Counter(one.type for one in differences).items():
        listing.add_row(kind, str(number))
    show(listing)


def _short(value: Any) -> str:
    """Return a value as a table has room for it: of references the name, of an image the digest."""
    from shutterless.deploy.deployer import UNKNOWN_DIGEST

    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
        value = value[0] if isinstance(value, list) else value
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    if UNKNOWN_DIGEST in text:
        return "(known after the push)"
    if "@sha256:" in text:
        return text.partition("@")[2][:19]
    half = MAX_VALUE // 2
    return text if len(text) <= MAX_VALUE else f"{text[:half]}…{text[-half:]}"


def _costs(plan: "Plan", bundle: Path) -> list[str]:
    """Return what it costs now, if that is anything else, and what it would cost, a line each."""
    from shutterless.deploy.cost.local_latency import measure
    from shutterless.deploy.cost.plan import charges
    from shutterless.deploy.cost.prices import load_prices

    try:
        prices = load_prices(plan.region)
        with quiet_start():
            duration = measure(bundle)
        then = charges(plan.options, duration, prices)
        if plan.before is None or plan.before == plan.options:
            return then
        return [f"Now: {charges(plan.before, duration, prices)[0]}", f"Then: {then[0]}", *then[1:]]
    except ShutterlessError as error:
        return [f"What it costs is not known. {error.message}. {error.hint}"]
