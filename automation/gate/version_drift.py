"""One set of versions trains, proves and serves a model, or nothing is packaged.

Three places are compared: what the estimator was fitted with, what is installed here, and what the
image's lock file holds. Every refusal names both versions and the command that brings them
together.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Mapping
from pathlib import Path

from automation.errors import VersionDriftError
from automation.spec import Runtime

LOCKS = {
    Runtime.ONNX: Path("container") / "requirements.lock",
    Runtime.SKLEARN: Path("container") / "requirements-sklearn.lock",
}
# What decides the answers in each image; the rest of a lock moves bytes about.
COMPARED = {
    Runtime.ONNX: ("onnxruntime",),
    Runtime.SKLEARN: ("scikit-learn", "numpy", "scipy", "joblib", "skops", "pandas"),
}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
# Source: AWS documentation, "Use scikit-learn with the SageMaker Python SDK", image tags.
_IMAGE_TAG = re.compile(r"/sagemaker-scikit-learn:(\d+\.\d+)[.\d]*-")


def check_image(root: Path, runtime: Runtime) -> None:
    """Check that the image of a runtime holds what is installed here.

    Raises:
        VersionDriftError: the image's lock names other versions, or is not there.
    """
    locked = locked_versions(root, runtime)
    drift = [
        f"{name} {installed} is installed here and {LOCKS[runtime]} has {told(locked, name)}"
        for name in COMPARED[runtime]
        if (installed := importlib.metadata.version(name)) not in locked.get(name, ())
    ]
    if drift:
        raise VersionDriftError(
            f"{'; '.join(drift)}: what is proven here would not be what serves; run `make setup`, "
            "or resolve the image's lock again with `make lock`"
        )


def locked_versions(root: Path, runtime: Runtime) -> dict[str, tuple[str, ...]]:
    """Return the versions of each package an image's lock names: of some, one for each Python.

    Raises:
        VersionDriftError: there is no lock for the runtime.
    """
    path = root / LOCKS[runtime]
    if not path.is_file():
        raise VersionDriftError(
            f"{LOCKS[runtime]} does not exist, so that nothing says what the image for runtime "
            f"{runtime} holds; make it with `make lock`"
        )
    locked: dict[str, tuple[str, ...]] = {}
    for name, version in _PIN.findall(path.read_text()):
        locked[name.lower()] = (*locked.get(name.lower(), ()), version)
    return locked


def told(locked: Mapping[str, tuple[str, ...]], name: str) -> str:
    """Say which versions of a package a lock has."""
    return " or ".join(locked.get(name, ("none",)))


def check_fitted_with(version: str, name: str) -> None:
    """Check that an estimator was fitted with the scikit-learn that is installed here.

    Args:
        version: as the estimator says; `1.2` speaks of every 1.2.
        name: what says so, in errors.

    Raises:
        VersionDriftError: it was another one.
    """
    installed = importlib.metadata.version("scikit-learn")
    if installed == version or (version.count(".") == 1 and installed.startswith(f"{version}.")):
        return
    wanted = version if version.count(".") > 1 else f"{version}.*"
    raise VersionDriftError(
        f"{name} was fitted by another scikit-learn, {version}; here and in the image is "
        f"{installed}. Train it again after `pip install scikit-learn=={installed}`, or write "
        f"scikit-learn=={wanted} into requirements.in and container/requirements-sklearn.in, run "
        "`make lock` and `make setup`, and package it again"
    )


def version_in_image(image: str) -> str | None:
    """Return the scikit-learn (`1.2`) of one of SageMaker's own images; None for any other."""
    match = _IMAGE_TAG.search(image)
    return None if match is None else match.group(1)
