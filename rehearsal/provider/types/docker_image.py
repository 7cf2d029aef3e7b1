"""`docker:index/image:Image`: hands a build context to the rehearsal's cloud, which runs it.

Source: pulumi/pulumi-docker provider/image.go (`dockerBuild`) and provider/hybrid_provider.go,
provider.go (Check adds `contextDigest`; every change updates, none replaces; delete is a no-op).
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from pathlib import Path

from rehearsal.provider.aws import Aws
from rehearsal.provider.dockerignore import context_files
from rehearsal.provider.entry import Change, Created, ProviderError, ResourceType
from rehearsal.provider.schema import SchemaSource
from rehearsal.provider.value import UNKNOWN, Values

# With `--runtime docker` the cloud really builds.
BUILD_DEADLINE_SECONDS = 600
OUTPUTS = (
    "baseImageName",
    "context",
    "dockerfile",
    "imageName",
    "platform",
    "registryServer",
    "repoDigest",
)
NOT_HERE = "the rehearsal builds with what the machine has, and only when it is made, not previewed"


class ImageOperations:
    """An image; made by telling the cloud where its context is."""

    def create(self, aws: Aws, values: Values) -> Created:
        return Created(identifier=str(values["imageName"]), learned=self._push(aws, values))

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        # The real provider does not look at the registry either.
        found = {name: known[name] for name in OUTPUTS if name in known}
        return found if "repoDigest" in found else None

    def update(self, aws: Aws, change: Change) -> Values:
        return self._push(aws, change.new)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        """Nothing: tags stay, locally and remotely."""

    def _push(self, aws: Aws, values: Values) -> Values:
        digest = post_image(aws.url, image_request(values))
        return image_outputs(values, digest)


def image_request(values: Values) -> Values:
    """What the cloud is asked to build; paths are absolute, as it may stand elsewhere."""
    build = values["build"]
    context = Path(build["context"]).resolve()
    request: Values = {"image_uri": values["imageName"], "context": str(context)}
    dockerfile = Path(build["dockerfile"]).resolve()
    if dockerfile != context / "Dockerfile":
        request["dockerfile"] = str(dockerfile)
    if build.get("args"):
        request["args"] = build["args"]
    if build.get("target"):
        request["target"] = build["target"]
    return request


def image_outputs(values: Values, digest: str) -> Values:
    """What the real provider returns; neither the build nor the registry's password. Pure."""
    name: str = values["imageName"]
    build = values["build"]
    return {
        "baseImageName": name,
        "context": build["context"],
        "dockerfile": build["dockerfile"],
        "imageName": name,
        "platform": build.get("platform", ""),
        "registryServer": values.get("registry", {}).get("server", ""),
        "repoDigest": f"{repository_of(name)}@{digest}",
    }


def repository_of(image_name: str) -> str:
    """An image name without its tag; a registry's port is not a tag."""
    head, colon, tag = image_name.rpartition(":")
    return head if colon and "/" not in tag else image_name


def post_image(url: str, wanted: Values) -> str:
    """Ask the cloud for an image; returns its digest.

    Raises:
        ProviderError: the cloud refuses, e.g. as the repository does not exist
    """
    image_name = wanted["image_uri"]
    request = urllib.request.Request(
        f"{url.rstrip('/')}/rehearsal/images",
        data=json.dumps(wanted).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=BUILD_DEADLINE_SECONDS) as answer:
            return str(json.loads(answer.read())["digest"])
    except urllib.error.HTTPError as err:
        said = err.read().decode(errors="replace").strip()
        raise ProviderError(
            f"pushing image {image_name}: the rehearsal's cloud answered {err.code}: {said}"
        ) from err
    except (urllib.error.URLError, TimeoutError) as err:
        raise ProviderError(f"pushing image {image_name}: {err}") from err


def prepare(inputs: Values) -> Values:
    """Fill in the build's defaults and the digest of its context, which makes changes seen.

    Raises:
        ProviderError: no context or no Dockerfile
    """
    build = inputs.get("build", {})
    if build is UNKNOWN or UNKNOWN in (build.get("context"), build.get("dockerfile")):
        return inputs
    context = build.get("context", ".")
    root = Path(context).resolve()
    dockerfile = build.get("dockerfile", str(Path(context) / "Dockerfile"))
    if not root.is_dir():
        raise ProviderError(f"build.context {context!r} is not a folder ({root})")
    if not Path(dockerfile).resolve().is_file():
        raise ProviderError(
            f"build.dockerfile {dockerfile!r} is not a file ({Path(dockerfile).resolve()})"
        )
    filled = {
        **build,
        "context": context,
        "dockerfile": dockerfile,
        "builderVersion": build.get("builderVersion", "BuilderBuildKit"),
        "contextDigest": context_digest(root),
    }
    return {**inputs, "build": filled}


def context_digest(root: Path) -> str:
    """One digest of everything Docker would send: paths, executable bits and contents."""
    total = hashlib.sha256()
    for path in context_files(root):
        is_executable = bool((root / path).stat().st_mode & 0o111)
        content = hashlib.sha256((root / path).read_bytes()).hexdigest()
        total.update(f"{path}\0{is_executable}\0{content}\n".encode())
    return total.hexdigest()


TYPES = (
    ResourceType(
        token="docker:index/image:Image",
        title="Docker Image",
        source="pulumi-docker provider/image.go",
        schema=SchemaSource(package="pulumi_docker", resource="Image", arguments="ImageArgs"),
        operations=ImageOperations(),
        defaults={"buildOnPreview": False, "skipPush": False},
        unsupported={
            "build.addHosts": NOT_HERE,
            "build.cacheFrom": NOT_HERE,
            "build.network": NOT_HERE,
            "buildOnPreview": NOT_HERE,
            "skipPush": "an image that is not pushed can't be hosted",
        },
        recomputed=frozenset({"repoDigest"}),
        silent=frozenset({"registry.password", "registry.username", "build.builderVersion"}),
        echoes_inputs=False,
        taggable=False,
        regional=False,
        prepare=prepare,
    ),
)
