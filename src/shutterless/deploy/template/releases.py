"""The releases of a deployment, read from its template and written to it.

The template is the only state: its metadata lists the releases, oldest first, and the version of each is
one of its resources. A rollback therefore only points the alias elsewhere, and CloudFormation does it.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, cast

from shutterless.deploy.options import VERSIONED
from shutterless.deploy.template.function import alias_resource
from shutterless.deploy.template.types import METADATA, DeploymentRecord, Resource, Template
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
        image: `uri@sha256:…`.
        model: Name and version of the model in the image.
        fingerprint: Of everything the image was made from.
        options: The options that it freezes, see `VERSIONED`.
    """

    version: str
    image: str
    model: str
    fingerprint: str
    options: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class Releases:
    """The releases of a deployment, and how calls are routed to them.

    Attributes:
        history: All releases that are still there, oldest first.
        live: The logical id of the live version.
        canary: The logical id of the canary; empty if there is none.
        weight: The canary's share of the calls, 0 to 1.
    """

    history: tuple[Release, ...]
    live: str
    canary: str = ""
    weight: float = 0.0

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
    def _before_live(self) -> tuple[Release, ...]:
        return self.history[: self.history.index(self.live_release)]

    def add(self, release: Release, weight: float, limit: int) -> "Releases":
        """Return the releases with a new one, which is live or a canary.

        A release newer than the live one, which was rolled back, is dropped.

        Args:
            release: The new release.
            weight: Its share of the calls as a canary, 0 to 1; 0 makes it live.
            limit: The number of releases to keep. The oldest are dropped.
        """
        if release.version == self.live:
            return Releases((*self._before_live, self.live_release)[-limit:], self.live)
        older = tuple(old for old in self._before_live if old.version != release.version)
        history = (*older, self.live_release, release)[-limit:]
        if weight:
            return Releases(history, self.live, release.version, weight)
        return Releases(history, release.version)

    def promote(self) -> "Releases":
        """Return the releases with the canary live.

        Raises:
            ShutterlessError: There is no canary.
        """
        if not self.canary:
            raise DeployError(
                "no-canary",
                "There is no canary to promote",
                "Start one with shutterless deploy --canary 10%.",
            )
        return Releases(self.history, self.canary)

    def roll_back(self) -> "Releases":
        """Return the releases without the canary, or with the previous release live if there is no canary.

        Raises:
            ShutterlessError: There is no previous release.
        """
        if self.canary:
            return Releases(self.history, self.live)
        if not self._before_live:
            raise DeployError(
                "no-previous-version",
                f"There is no version before {self.live_release.model}",
                "Deploy another bundle instead.",
            )
        return Releases(self.history, self._before_live[-1].version)


def read_releases(template: Template) -> Releases:
    """Return the releases in a deployed template.

    Raises:
        ShutterlessError: The alias points to a version that is not among them.
    """
    alias = cast(dict[str, Any], template["Resources"][ALIAS_ID]["Properties"])
    history = tuple(_read_history(template["Metadata"][METADATA]))
    shares = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", [])
    live = alias["FunctionVersion"]["Fn::GetAtt"][0]
    if not shares:
        return Releases(history, live)
    return Releases(history, live, shares[0]["FunctionVersion"]["Fn::GetAtt"][0], shares[0]["FunctionWeight"])


def _read_history(record: DeploymentRecord) -> Iterator[Release]:
    """Yield the releases of a template. Older templates have one set of options for all of them."""
    options = {name: value for name, value in record["Options"].items() if name in VERSIONED}
    names = {each.name for each in fields(Release)}  # not those of a newer version of shutterless
    for release in record["Releases"]:
        members: dict[str, Any] = {"options": options, **release}
        yield Release(**{name: value for name, value in members.items() if name in names})


def with_releases(template: Template, releases: Releases) -> Template:
    """Return a copy of a deployed template whose alias routes calls as `releases` says."""
    result = copy.deepcopy(template)
    options = result["Metadata"][METADATA]["Options"]
    result["Resources"][ALIAS_ID] = alias_for(releases, cast(int, options["provisioned_concurrency"]))
    return result


def alias_for(releases: Releases, provisioned: int) -> Resource:
    """Return the alias that routes calls as `releases` says, with so many instances kept warm."""
    return alias_resource(releases.live, releases.canary, releases.weight, provisioned)
