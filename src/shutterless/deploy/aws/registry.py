"""An image registry's HTTP API: read manifests, and copy an image without changing its digest.

Source: the OCI distribution specification, https://github.com/opencontainers/distribution-spec.
"""

import hashlib
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import BinaryIO
from urllib.parse import urlencode, urljoin, urlsplit

from shutterless.errors import DeployError
from shutterless.utils.progress import Progress

# The manifests that Lambda accepts: https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
ACCEPTED = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
# Indexes are requested too, because a registry would otherwise return one of their images.
INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
# By the OCI distribution specification, registries may refuse larger ones.
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
TIMEOUT_S = 30
LOOPBACK = ("127.", "localhost:")
STAGE = "copying layers"


@dataclass(frozen=True)
class Manifest:
    """A manifest: what an image consists of.

    Attributes:
        media_type: Its media type.
        content: Its bytes, whose hash is the image's digest.
    """

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """The image's digest, `sha256:…`."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    def blobs(self) -> dict[str, int]:
        """Return the digest and the size in bytes of the configuration and of every layer."""
        document = json.loads(self.content)
        return {each["digest"]: each["size"] for each in (document["config"], *document["layers"])}


@dataclass(frozen=True)
class Registry:
    """A repository in a registry, with the login to it.

    Attributes:
        uri: The registry's host, slash, the repository's name.
        authorization: Base64 of `user:password`, as ECR's GetAuthorizationToken returns it.
    """

    uri: str
    authorization: str = field(repr=False)

    @property
    def host(self) -> str:
        """The registry's host, with its port if it has one."""
        return self.uri.partition("/")[0]

    @property
    def name(self) -> str:
        """The repository's name."""
        return self.uri.partition("/")[2]

    def read_manifest(self, reference: str) -> Manifest | None:
        """Return the manifest with this tag or digest, or None if there is none.

        Raises:
            DeployError: The registry refuses or cannot be reached, or Lambda would not accept the
                manifest's media type (`unsupported-manifest`).
        """
        answer = self._ask("GET", f"manifests/{reference}", {"Accept": ", ".join(ACCEPTED + INDEXES)})
        if answer is None:
            return None
        with answer:
            manifest = Manifest(answer.headers.get_content_type(), answer.read(MAX_MANIFEST_BYTES))
        if manifest.media_type not in ACCEPTED:
            raise DeployError(
                "unsupported-manifest",
                f"Lambda does not accept an index or an image with an attestation ({manifest.media_type})",
                "Build it with shutterless image build, or with docker build --provenance=false "
                "--platform linux/amd64.",
            )
        return manifest

    def has_blob(self, digest: str) -> bool:
        """Tell whether the repository has a layer or a configuration."""
        answer = self._ask("HEAD", f"blobs/{digest}")
        if answer is None:
            return False
        answer.close()
        return True

    def open_blob(self, digest: str) -> HTTPResponse:
        """Return the content of a layer or a configuration, to be read and closed.

        Raises:
            DeployError: The repository does not have it (`image-not-in-registry`).
        """
        answer = self._ask("GET", f"blobs/{digest}")
        if answer is None:
            raise _missing(f"{self.uri}@{digest}")
        return answer

    def start_upload(self, digest: str, mount_from: str) -> str | None:
        """Return the URL to upload a blob to, or None if the registry has mounted it from a repository.

        Args:
            digest: The blob's digest.
            mount_from: A repository of the same registry that has the blob; empty if none has.
        """
        query = f"?{urlencode({'mount': digest, 'from': mount_from})}" if mount_from else ""
        answer = self._ask("POST", f"blobs/uploads/{query}", content=b"")
        if answer is None:
            raise _missing(self.uri)
        with answer:
            return None if answer.status == 201 else urljoin(answer.url, answer.headers["Location"])

    def upload(self, url: str, digest: str, size: int, content: BinaryIO) -> None:
        """Upload a blob to a URL from `start_upload`; the registry checks its digest."""
        separator = "&" if urlsplit(url).query else "?"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        target = f"{url}{separator}{urlencode({'digest': digest})}"
        if answer := self._ask("PUT", target, headers, content):
            answer.close()

    def write_manifest(self, tag: str, manifest: Manifest) -> None:
        """Write a manifest under a tag."""
        headers = {"Content-Type": manifest.media_type}
        if answer := self._ask("PUT", f"manifests/{tag}", headers, manifest.content):
            answer.close()

    def _ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        content: bytes | BinaryIO | None = None,
    ) -> HTTPResponse | None:
        """Return the registry's answer to a request for a path or a whole URL, or None if it is 404."""
        # Like docker: a registry on this machine needs no certificate.
        scheme = "http" if self.host.startswith(LOOPBACK) else "https"
        url = urljoin(f"{scheme}://{self.host}/v2/{self.name}/", path)
        request = urllib.request.Request(url, content, headers or {}, method=method)
        if urlsplit(url).netloc == self.host:
            # Unredirected: a redirect, such as ECR's to S3, must not send it to another host.
            request.add_unredirected_header("Authorization", f"Basic {self.authorization}")
        try:
            answer: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise DeployError(
                "registry-failed",
                f"The registry {self.host} answered {error.code} {error.reason}",
                "Run the same command again.",
            ) from error
        except OSError as error:
            raise DeployError(
                "registry-unreachable",
                f"The registry {self.host} cannot be reached: {getattr(error, 'reason', error)}",
                "Check the network, then run the same command again.",
            ) from error
        return answer


def copy_image(source: Registry, target: Registry, digest: str, tag: str, progress: Progress) -> None:
    """Copy an image between repositories, byte by byte, so that its digest stays the same.

    Layers that the target has are not copied again, so an interrupted copy continues where it stopped.

    Args:
        source: The repository that has the image.
        target: The repository to copy it to, in the same registry or in another one.
        digest: The image's digest, `sha256:…`.
        tag: The copy's tag.
        progress: Called with the layers that the target has, and all of them.

    Raises:
        DeployError: The source does not have the image (`image-not-in-registry`), or a registry refuses or
            cannot be reached.
    """
    if target.read_manifest(digest):
        return
    manifest = source.read_manifest(digest)
    if manifest is None or manifest.digest != digest:
        raise _missing(f"{source.uri}@{digest}")
    mount_from = source.name if source.host == target.host else ""
    blobs = manifest.blobs()
    for number, (blob, size) in enumerate(blobs.items()):
        progress(STAGE, number, len(blobs))
        if target.has_blob(blob):
            continue
        if url := target.start_upload(blob, mount_from):
            with source.open_blob(blob) as content:
                target.upload(url, blob, size, content)
    target.write_manifest(tag, manifest)
    progress(STAGE, len(blobs), len(blobs))


def _missing(image: str) -> DeployError:
    return DeployError(
        "image-not-in-registry",
        f"The registry does not have {image}",
        "Run the same command again.",
    )
