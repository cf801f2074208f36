"""The releases of a deployment, read from its template and written to it.

The template is the only state: its metadata lists the releases, oldest first, and the version of each is
one of its resources. A rollback therefore only points the alias elsewhere, and CloudFormation does it.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

from shutterless.deploy.options import VERSIONED
from shutterless.deploy.template.code import Code, parse_code
from shutterless.deploy.template.types import METADATA, DeploymentRecord, Template
from shutterless.errors import DeployError
from shutterless.runtime.json_types import JsonObject

MAX_RELEASES = 5
# With SnapStart AWS bills a snapshot for each version.
MAX_SNAPSTART_RELEASES = 2
ALIAS_ID = "LiveAlias"


@dataclass(frozen=True)
class Release:
    """A deployed version of the function.

    Attributes:
        version: Its logical id in the template.
        code: Its image or zip.
        model: Name and version of the model in it.
        fingerprint: Of everything the code was made from.
        options: The options that it freezes, see `VERSIONED`.
    """

    version: str
    code: Code
    model: str
    fingerprint: str
    options: JsonObject = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """Return the release as the template's metadata keeps it."""
        return {**vars(self), "code": str(self.code)}


@dataclass(frozen=True)
class Releases:
    """The releases of a deployment, and how calls are routed to them.

    Attributes:
        history: All releases that are still there, oldest first.
        live: The logical id of the live version.
        canary: The logical id of the canary; empty if there is none.
        weight: The canary's share of the calls, 0 to 1.
        pending: The logical id of a version that is published and has no calls yet; empty if there is none.
        rolled_back: The logical id of the version that the last rollback turned away from; empty if the
            last change was another.
    """

    history: tuple[Release, ...]
    live: str
    canary: str = ""
    weight: float = 0.0
    pending: str = ""
    rolled_back: str = ""

    def __post_init__(self) -> None:
        versions = [release.version for release in self.history]
        if self.live not in versions or (self.canary and self.canary not in versions):
            raise DeployError(
                "inconsistent-stack",
                "The stack's alias points to a version that is not in its list of releases",
                "The template may have been edited by hand. Deploy again to replace it.",
            )

    def find(self, version: str) -> Release:
        """Return the release with this logical id."""
        return next(release for release in self.history if release.version == version)

    @property
    def live_release(self) -> Release:
        """The release that answers all calls except the canary's share."""
        return self.find(self.live)

    @property
    def latest(self) -> Release:
        """The canary, or else the live release: the one whose options the deployment has."""
        return self.find(self.canary or self.live)

    @property
    def _before_live(self) -> tuple[Release, ...]:
        return self.history[: self.history.index(self.live_release)]

    def add(self, release: Release, weight: float) -> "Releases":
        """Return the releases with a new one, which is live or a canary.

        A release newer than the live one, which was rolled back, is dropped. So are the oldest, and
        SnapStart versions that AWS would bill for nothing.

        Args:
            release: The new release.
            weight: Its share of the calls as a canary, 0 to 1; 0 makes it live.
        """
        if release.version == self.live:
            return Releases((*self._before_live, release)[-MAX_RELEASES:], self.live)
        older = tuple(old for old in self._before_live if old.version != release.version)
        history = self._without_idle_snapshots((*older, self.live_release, release))[-MAX_RELEASES:]
        if weight:
            return Releases(history, self.live, release.version, weight)
        return Releases(history, release.version)

    def _without_idle_snapshots(self, history: tuple[Release, ...]) -> tuple[Release, ...]:
        """Return the releases without the SnapStart versions that are not needed.

        Two are needed, or once the newest has no SnapStart, only the live one, to go back to.
        """
        snapshots = [release.version for release in history if release.options.get("snapstart")]
        has_snapstart = history[-1].version in snapshots
        used = snapshots[-MAX_SNAPSTART_RELEASES:] if has_snapstart else [self.live]
        return tuple(each for each in history if each.version in used or each.version not in snapshots)

    def publish(self, target: "Releases") -> "Releases":
        """Return the releases with the latest of `target` published, while the calls stay where they are.

        Nothing is dropped yet, so that the way back is open.
        """
        if any(release.version == target.latest.version for release in self.history):
            return replace(self, pending=target.latest.version, rolled_back="")
        history = (*self.history, target.latest)
        return replace(self, history=history, pending=target.latest.version, rolled_back="")

    def withdraw(self, version: str) -> "Releases":
        """Return the releases without a version that was published and is not to have calls."""
        older = (*self._before_live, self.live_release)
        history = tuple(each for each in self.history if each in older or each.version != version)
        return replace(self, history=history, pending="", rolled_back=version)

    def promote(self) -> "Releases":
        """Return the releases with the canary live.

        Raises:
            ShutterlessError: There is no canary.
        """
        if not self.canary:
            raise DeployError(
                "no-canary",
                f"There is no canary to promote: {self.live_release.model} gets all calls",
                "Start one with shutterless deploy --canary 10%.",
            )
        return Releases(self.history, self.canary)

    def roll_back(self, to: str = "") -> "Releases":
        """Return the releases with another one live.

        Args:
            to: The logical id of that version. By default a canary is ended, or else a pending version is
                withdrawn, or else the release before the live one goes live.

        Raises:
            ShutterlessError: There is no previous release.
        """
        if to:
            return Releases(self.history, to, rolled_back=self.latest.version)
        if self.canary:
            return Releases(self.history, self.live, rolled_back=self.canary)
        if self.pending:
            return self.withdraw(self.pending)
        if not self._before_live:
            raise DeployError(
                "no-previous-version",
                f"There is no version before {self.live_release.model}",
                "Deploy another bundle instead.",
            )
        return Releases(self.history, self._before_live[-1].version, rolled_back=self.live)

    def match(self, text: str, numbers: dict[str, str]) -> Release:
        """Return the release that a user means.

        Args:
            text: A version's number, a model (its name and version, or its version alone), or the
                beginning of its code's digest.
            numbers: The version numbers by logical id.

        Raises:
            ShutterlessError: No release is meant, or several are.
        """
        digest = text if text.startswith("sha256:") else f"sha256:{text}"
        matches = [each for each in self.history if numbers.get(each.version) == text] or [
            each
            for each in self.history
            if text in (each.model, *each.model.split()) or each.code.digest.startswith(digest)
        ]
        if len(matches) == 1:
            return matches[0]
        names = ", ".join(f"{numbers.get(each.version, '?')} ({each.model})" for each in self.history)
        if matches:
            raise DeployError(
                "ambiguous-release",
                f"{text!r} names several releases",
                f"Give a version's number: {names}.",
            )
        raise DeployError("unknown-release", f"There is no release {text!r}", f"The releases are: {names}.")


def read_releases(template: Template) -> Releases:
    """Return the releases in a deployed template.

    Raises:
        ShutterlessError: The alias points to a version that is not among them.
    """
    alias = cast(dict[str, Any], template["Resources"][ALIAS_ID]["Properties"])
    record = template["Metadata"][METADATA]
    shares = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", [])
    return Releases(
        history=_read_history(record),
        live=alias["FunctionVersion"]["Fn::GetAtt"][0],
        canary=shares[0]["FunctionVersion"]["Fn::GetAtt"][0] if shares else "",
        weight=shares[0]["FunctionWeight"] if shares else 0.0,
        pending=record.get("Pending", ""),
        rolled_back=record.get("RolledBack", ""),
    )


def _read_history(record: DeploymentRecord) -> tuple[Release, ...]:
    """Return the releases of a template. Older templates have one set of options for all of them."""
    options = {name: value for name, value in record["Options"].items() if name in VERSIONED}
    names = {each.name for each in fields(Release)}  # not those of a newer version of shutterless
    records: list[dict[str, Any]] = [{"options": options, **release} for release in record["Releases"]]
    releases = []
    for each in records:
        values = {name: value for name, value in each.items() if name in names}
        code = each["code"] if "code" in each else each["image"]  # as earlier versions called it
        releases.append(Release(**{**values, "code": parse_code(code)}))
    return tuple(releases)
