"""What fits, what proves and what serves a model are one set of versions, or it is refused."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from automation.driver import ROOT
from automation.errors import VersionDriftError
from automation.gate.version_drift import LOCKS, check_fitted_with, check_image, version_in_image
from automation.spec import Runtime

ECR = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
INSTALLED = importlib.metadata.version("scikit-learn")


@pytest.mark.parametrize("runtime", list(Runtime))
def test_this_checkout_proves_with_the_versions_its_images_serve(runtime: Runtime) -> None:
    check_image(ROOT, runtime)


@pytest.mark.parametrize("line", ["onnxruntime==0.0.1 \\", "click==2.0.0"])
def test_an_image_with_another_onnx_runtime_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "container").mkdir()
    (tmp_path / LOCKS[Runtime.ONNX]).write_text(f"{line}\n    --hash=sha256:00\n")

    with pytest.raises(VersionDriftError, match=r"what is proven here would not be what serves"):
        check_image(tmp_path, Runtime.ONNX)


def test_every_package_that_differs_is_named_with_both_versions(tmp_path: Path) -> None:
    lock = (ROOT / LOCKS[Runtime.SKLEARN]).read_text()
    changed = lock.replace(f"scikit-learn=={INSTALLED}", "scikit-learn==1.2.2")
    (tmp_path / "container").mkdir()
    (tmp_path / LOCKS[Runtime.SKLEARN]).write_text(changed.replace("\nskops==", "\nskups=="))

    with pytest.raises(VersionDriftError) as refusal:
        check_image(tmp_path, Runtime.SKLEARN)

    told = str(refusal.value)
    assert f"scikit-learn {INSTALLED} is installed here and container/requirements-skl" in told
    assert "has 1.2.2; skops" in told
    assert "has none: what is proven here" in told
    assert "numpy" not in told


def test_an_image_nobody_resolved_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(VersionDriftError, match=r"requirements-sklearn\.lock does not.*make lock"):
        check_image(tmp_path, Runtime.SKLEARN)


@pytest.mark.parametrize("version", [INSTALLED, INSTALLED.rpartition(".")[0]])
def test_the_version_installed_here_passes_also_without_its_patch(version: str) -> None:
    check_fitted_with(version, "model.skops")


@pytest.mark.parametrize(("version", "wanted"), [("1.2.2", "1.2.2"), ("1.2", r"1\.2\.\*")])
def test_another_version_is_refused_with_both_ways_out(version: str, wanted: str) -> None:
    with pytest.raises(VersionDriftError) as refusal:
        check_fitted_with(version, "model.skops")

    told = str(refusal.value)
    assert told.startswith(f"model.skops was fitted by another scikit-learn, {version}; here and")
    assert f"`pip install scikit-learn=={INSTALLED}`" in told
    assert f"scikit-learn=={wanted}".replace("\\", "") in told


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (f"{ECR}/sagemaker-scikit-learn:1.2-1-cpu-py3", "1.2"),
        (f"{ECR}/sagemaker-scikit-learn:0.20.0-cpu-py3", "0.20"),
        (f"{ECR}/training:1.2-1", None),
        ("", None),
    ],
)
def test_only_an_image_of_sagemakers_own_says_its_scikit_learn(
    image: str, version: str | None
) -> None:
    assert version_in_image(image) == version
