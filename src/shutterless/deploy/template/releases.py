"""The versions that a stack keeps, and where its traffic goes; read from and written to a template.

The template is all the memory there is: its metadata list the releases, oldest first, and each one's
version is a resource of it. So a rollback only turns the alias, and CloudFormation does it.
"""

import copy
from dataclasses import dataclass
from typing import Any

from shutterless.deploy.template.function import Resource, alias_resource
from shutterless.errors import DeployError

Template = dict[str, Any]

# Fewer than the registry's ten images, so that every version kept finds its image.
KEPT = 5
# With SnapStart each version kept is a snapshot that is paid for.
KEPT_SNAPSHOTS = 2
METADATA = "Shutterless"
ALIAS_ID = "LiveAlias"


@dataclass(frozen=True)
class Release:
    """One version: its logical id, the image, the model in it, and what the image was made from."""

    version: str
    image: str
    model: str
    source: str


@dataclass(frozen=True)
class Releases:
    """The releases kept, oldest first, the one that is live, and a canary with its share of the calls."""

    kept: tuple[Release, ...]
    live: str
    canary: str = ""
    weight: float = 0.0

    def __post_init__(self) -> None:
        versions = [release.version for release in self.kept]
        if self.live not in versions or (self.canary and self.canary not in versions):
            raise DeployError(
                "inconsistent-stack",
                "The stack's alias and its list of releases do not agree",
                "Was the stack changed by hand? Deploy again.",
            )

    def find(self, version: str) -> Release:
        """Return the release with this logical id."""
        return next(release for release in self.kept if release.version == version)

    @property
    def live_release(self) -> Release:
        """The release that answers, but for a canary's share."""
        return self.find(self.live)

    def with_new(self, release: Release, weight: float, most: int) -> "Releases":
        """Return the releases once `release` takes the share `weight` of the calls, or, with 0, all.

        What was rolled back from is forgotten, as are the oldest beyond `most`.
        """
        if release.version == self.live:
            return Releases((*self._until_live(), self.live_release)[-most:], self.live)
        kept = tuple(old for old in self._until_live() if old.version != release.version)
        kept = (*kept, self.live_release, release)[-most:]
        if weight:
            return Releases(kept, self.live, release.version, weight)
        return Releases(kept, release.version)

    def promoted(self) -> "Releases":
        """Return the releases with the canary live; raises `ShutterlessError` if there is none."""
        if not self.canary:
            raise DeployError(
                "no-canary", "There is no canary to promote", "shutterless deploy --canary 10% starts one."
            )
        return Releases(self.kept, self.canary)

    def rolled_back(self) -> "Releases":
        """Return the releases without the canary or, if there is none, with the one before live.

        Raises `ShutterlessError` if there is none before.
        """
        before = self._until_live()
        if self.canary:
            return Releases(self.kept, self.live)
        if not before:
            raise DeployError(
                "no-previous-version",
                f"There is no version before {self.live_release.model}",
                "Deploy another bundle instead.",
            )
        return Releases(self.kept, before[-1].version)

    def _until_live(self) -> tuple[Release, ...]:
        return self.kept[: self.kept.index(self.live_release)]


def read_releases(template: Template) -> Releases:
    """Return what a deployed template says; raises `ShutterlessError` if it is not consistent."""
    alias = template["Resources"][ALIAS_ID]["Properties"]
    kept = tuple(Release(**release) for release in template["Metadata"][METADATA]["Releases"])
    shares = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", [])
    live, *_ = alias["FunctionVersion"]["Fn::GetAtt"]
    if not shares:
        return Releases(kept, live)
    return Releases(kept, live, shares[0]["FunctionVersion"]["Fn::GetAtt"][0], shares[0]["FunctionWeight"])


def turned(template: Template, releases: Releases) -> Template:
    """Return a deployed template with nothing changed but where its alias points."""
    changed = copy.deepcopy(template)
    provisioned = changed["Metadata"][METADATA]["Options"]["provisioned_concurrency"]
    changed["Resources"][ALIAS_ID] = alias_of(releases, provisioned)
    return changed


def alias_of(releases: Releases, provisioned: int) -> Resource:
    """Return the alias that these releases ask for."""
    return alias_resource(releases.live, releases.canary, releases.weight, provisioned)
