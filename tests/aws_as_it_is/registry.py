"""Amazon ECR, which moto simulates: images that a lifecycle policy expires, and the findings of scans."""

import json
from typing import TYPE_CHECKING, Any

from moto.ecr.models import ECRBackend, Repository, ecr_backends

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account


class Registry:
    """The image repositories of an account."""

    def __init__(self, account: "Account") -> None:
        self.account = account

    @property
    def backend(self) -> ECRBackend:
        """moto's simulation."""
        return ecr_backends[self.account.id][self.account.region]

    def has(self, image: str) -> bool:
        """Tell whether `uri@sha256:…` exists; images of other registries always do."""
        host, _, path = image.partition("/")
        if ".dkr.ecr." not in host:
            return True
        name, _, digest = path.partition("@")
        repository = self.backend.repositories.get(name)
        return repository is not None and digest in [each.image_digest for each in repository.images]

    def expire(self) -> None:
        """Delete the images that lifecycle policies by count expire, oldest push first."""
        for repository in self.backend.repositories.values():
            rules = json.loads(repository.lifecycle_policy or '{"rules": []}')["rules"]
            for rule in sorted(rules, key=lambda each: each["rulePriority"]):
                _apply_rule(repository, rule["selection"])

    def add_finding(self, digest: str, finding: dict[str, Any]) -> None:
        """Let scans of an image report a finding, as DescribeImageScanFindings has it."""
        for repository in self.backend.repositories.values():
            for image in repository.images:
                if image.image_digest == digest:
                    results = image.scan_finding_results
                    results.setdefault("findings", []).append(finding)


def _apply_rule(repository: Repository, selection: dict[str, Any]) -> None:
    images = [
        image
        for image in repository.images
        if selection["tagStatus"] == "any" or bool(image.image_tags) == (selection["tagStatus"] == "tagged")
    ]
    if selection["countType"] == "imageCountMoreThan":
        expired = images[: max(0, len(images) - selection["countNumber"])]
        repository.images = [image for image in repository.images if image not in expired]
