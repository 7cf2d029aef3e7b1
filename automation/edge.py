"""Writes a packaged model and the server as an AWS IoT Greengrass component.

The folder it writes is what both ways of deploying take: `greengrass-cli deployment create` on a
core device (its recipes and artifacts folders), and an upload of the artifacts to S3 followed by
`aws greengrassv2 create-component-version`. The same model, server and options give the same
bytes, on any machine.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from automation.archive import files_from_archive
from automation.artifact import Artifact
from automation.edge_recipe import LOCK_NAME, MODEL_ARCHIVE, PROGRAM_ARCHIVE, recipe_bytes
from automation.errors import EdgeError, UsageError

BUILD_FOLDER = Path("build") / "edge"
SERVER = Path("container") / "server"
LOCK_BY_RUNTIME = {
    "onnx": Path("container") / "requirements.lock",
    "sklearn": Path("container") / "requirements-sklearn.lock",
}
MODULES_BY_RUNTIME = {
    "onnx": ("granian", "numpy", "onnxruntime", "orjson"),
    "sklearn": ("granian", "numpy", "onnxruntime", "orjson", "sklearn", "skops"),
}
DEFAULT_VERSION = "1.0.0"
# What the gdk command line writes where nobody has named a bucket yet.
PLACEHOLDER_URI = "s3://BUCKET_NAME"
LONGEST_NAME = 128
LONGEST_VERSION = 64

NAME = re.compile(r"[a-zA-Z0-9_.-]+")
# https://semver.org, "Is there a suggested regular expression"
VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
FOLDER_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s]+)*/?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component that was written.

    Args:
        folder: holds `recipes` and `artifacts`.
        recipe: the recipe's file.
        artifacts: the folder of its artifacts.
        uri: where in S3 the recipe expects them; nothing while no bucket is named.
    """

    name: str
    version: str
    folder: Path
    recipe: Path
    artifacts: Path
    uri: str | None


def write_component(
    model: str,
    artifact: Artifact,
    root: Path,
    *,
    output: Path | None = None,
    version: str = DEFAULT_VERSION,
    name: str | None = None,
    uri: str | None = None,
) -> Component:
    """Write the component of a packaged model.

    Args:
        artifact: what `greenlight package` made.
        output: the folder to write to; left out, `build/edge/<model>`.
        version: of the component; Greengrass takes each version once.
        name: of the component; left out, `greenlight.<model>`.
        uri: the folder in S3 the artifacts are to be below; left out, a placeholder.

    Raises:
        UsageError: a name, version or URI Greengrass refuses.
        EdgeError: a folder that cannot be written, or an artifact no server here is for.
        SourceError: the artifact's archive is damaged.
    """
    chosen = component_name(model, name)
    check(chosen, version, uri)
    base_uri = PLACEHOLDER_URI if uri is None else uri.rstrip("/")
    folder_uri = f"{base_uri}/{chosen}/{version}"
    runtime = _runtime_of(artifact)
    lock = (root / LOCK_BY_RUNTIME[runtime]).read_bytes()
    recipe = recipe_bytes(
        name=chosen,
        version=version,
        description=(
            f"Serves {model} ({artifact.manifest['estimator']}), artifact "
            f"{artifact.short_digest}, by HTTP."
        ),
        folder_uri=folder_uri,
        lock_digest=hashlib.sha256(lock).hexdigest()[:16],
        modules=MODULES_BY_RUNTIME[runtime],
    )
    folder = root / BUILD_FOLDER / model if output is None else output
    component = Component(
        name=chosen,
        version=version,
        folder=folder,
        recipe=folder / "recipes" / f"{chosen}-{version}.json",
        artifacts=folder / "artifacts" / chosen / version,
        uri=None if uri is None else folder_uri,
    )
    model_files = files_from_archive(artifact.archive.read_bytes(), str(artifact.archive))
    _write(component.recipe, recipe)
    _write(component.artifacts / PROGRAM_ARCHIVE, zip_bytes(server_files(root)))
    _write(component.artifacts / MODEL_ARCHIVE, zip_bytes(model_files))
    _write(component.artifacts / LOCK_NAME, lock)
    return component


def component_name(model: str, name: str | None) -> str:
    """Name a component; left out, after its model."""
    return f"greenlight.{model}" if name is None else name


def check(name: str, version: str, uri: str | None) -> None:
    """Check what Greengrass would refuse once everything is uploaded.

    Raises:
        UsageError: names what is wrong and what is allowed.
    """
    if len(name) > LONGEST_NAME or not NAME.fullmatch(name):
        raise UsageError(
            f"component name {name!r} is refused; give at most {LONGEST_NAME} letters, digits, "
            "dots, dashes and underscores, such as com.example.iris"
        )
    if len(version) > LONGEST_VERSION or not VERSION.fullmatch(version):
        raise UsageError(
            f"version {version!r} is no semantic version of at most {LONGEST_VERSION} characters; "
            "give three numbers, such as 1.4.2"
        )
    if uri is not None and not FOLDER_URI.fullmatch(uri):
        raise UsageError(f"{uri!r} is no folder in S3; give one such as s3://bucket/components")


def _runtime_of(artifact: Artifact) -> str:
    runtime = str(artifact.manifest.get("runtime"))
    if runtime not in LOCK_BY_RUNTIME:
        raise EdgeError(
            f"the artifact is for the runtime {runtime!r}; the server has "
            f"{' and '.join(LOCK_BY_RUNTIME)}: package the model again"
        )
    return runtime


def server_files(root: Path) -> dict[str, bytes]:
    """Give the server's package as the image holds it: its Python files, by path."""
    server = root / SERVER
    return {
        f"server/{path.relative_to(server).as_posix()}": path.read_bytes()
        for path in server.rglob("*.py")
    }


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Make a zip whose bytes depend on names and contents alone.

    Nothing is compressed: how far depends on the version of zlib.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whatever this machine is
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise EdgeError(
            f"{path} cannot be written ({error.strerror}); give another folder by --output"
        ) from error
