"""A model that was trained elsewhere comes from the Model Registry into service, by approvals."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
import yaml
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from skops import io as skops_io

from automation import driver
from automation.artifact import archive_bytes
from automation.deployment import Deployment
from automation.errors import SourceError
from automation.invocation import invoke
from automation.listeners import SILENT
from automation.spec import load_spec
from components.swap_plan import Verdict
from tests.e2e.conftest import ROOT, Cloud, a_rehearsal

pytestmark = pytest.mark.timeout(600)

MODEL, STAGE, BUCKET = "flowers", "dev", "trained-elsewhere"
NAMES = ("setosa", "versicolor", "virginica")
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/training:1"
Approval = Literal["Approved", "PendingManualApproval", "Rejected"]
QUESTIONS = load_iris().data[::7].tolist()


@dataclass
class Registry:
    """The group `flowers`, and the project that deploys what is approved in it."""

    root: Path
    cloud: Cloud
    versions: list[str] = field(default_factory=list)

    def register(self, estimator: Any, approval: Approval) -> str:
        key = f"jobs/{len(self.versions) + 1}/model.tar.gz"
        archive = archive_bytes({"model.skops": skops_io.dumps(estimator)})
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=archive)
        arn: str = boto3.client("sagemaker").create_model_package(
            ModelPackageGroupName=MODEL,
            ModelApprovalStatus=approval,
            InferenceSpecification={
                "Containers": [{"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{key}"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]
        self.versions.append(arn)
        return arn

    def judge(self, arn: str, approval: Approval) -> None:
        boto3.client("sagemaker").update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=approval
        )

    def take_from(self, source: dict[str, str]) -> None:
        spec = {"model": MODEL, "source": source, "rows": "rows.csv", "classNames": list(NAMES)}
        (self.root / "models" / f"{MODEL}.yaml").write_text(yaml.safe_dump(spec))

    def up(self) -> Deployment:
        return driver.up(MODEL, STAGE, root=self.root, with_preview=False)

    def digest(self) -> str:
        """What the next `up` would deploy."""
        spec = load_spec(self.root, MODEL)
        return driver.artifact_for(spec, self.root, None, None, SILENT, "eu-west-1").digest


@dataclass(frozen=True, kw_only=True)
class Story:
    """What became of each step.

    Args:
        held_before: the types of resources there were after the first, refused `up`
        digests: what would be deployed after each step that follows the second `up`
    """

    refused: str
    held_before: set[str]
    first: Deployment
    first_answers: list[str]
    second: Deployment
    second_answers: list[str]
    digests: dict[str, str]


def a_project(root: Path) -> Path:
    """Lay out this project's program with a model of its own in the base stack."""
    for name in ("components", "container", "rehearsal", ".venv"):
        (root / name).symlink_to(ROOT / name)
    for name in ("__main__.py", "Pulumi.yaml"):
        # Not a link: the engine looks for artifacts where its program really lies.
        shutil.copy(ROOT / name, root)
    config = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    config["config"] |= {
        "greenlight:model": MODEL,
        "greenlight:artifact": f"build/models/{MODEL}",
        "greenlight:initialInstanceCount": 1,
        "greenlight:deployment": {"mode": "ALL_AT_ONCE"},
    }
    (root / "Pulumi.dev.yaml").write_text(yaml.safe_dump(config))
    (root / "models").mkdir()
    iris = load_iris()
    header = [
        *(name.removesuffix(" (cm)").replace(" ", "_") for name in iris.feature_names),
        "label",
    ]
    rows = [
        [*map(str, row), NAMES[label]] for row, label in zip(iris.data, iris.target, strict=True)
    ]
    (root / "rows.csv").write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")
    return root


@pytest.fixture(scope="module")
def estimators() -> tuple[Any, Any]:
    rows, labels = load_iris(return_X_y=True)
    stump = DecisionTreeClassifier(max_depth=1, random_state=0).fit(rows, labels)
    return stump, RandomForestClassifier(n_estimators=5, random_state=0).fit(rows, labels)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, estimators: tuple[Any, Any]) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("registered")
    root = folder / "project"
    root.mkdir()
    with a_rehearsal(folder / "rehearsal", a_project(root)) as cloud:
        boto3.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName=MODEL)
        yield tell(Registry(root, cloud), *estimators)


def tell(registry: Registry, stump: Any, forest: Any) -> Story:
    registry.take_from({"modelPackage": MODEL})
    older = registry.register(stump, "PendingManualApproval")
    with pytest.raises(SourceError) as refused:
        registry.up()
    held_before = {held["type"] for held in registry.cloud.get("inventory")["resources"]}
    registry.judge(older, "Approved")
    newer = registry.register(forest, "PendingManualApproval")
    first = registry.up()
    first_answers = answers_of(first)
    registry.judge(newer, "Approved")
    second = registry.up()
    second_answers = answers_of(second)
    registry.take_from({"artifact": uri_of_artifact(second)})
    digests = {"the live artifact in S3": registry.digest()}
    registry.take_from({"modelPackage": MODEL})
    registry.judge(newer, "Rejected")
    digests["rejected"] = registry.digest()
    return Story(
        refused=str(refused.value),
        held_before=held_before,
        first=first,
        first_answers=first_answers,
        second=second,
        second_answers=second_answers,
        digests=digests,
    )


def answers_of(deployment: Deployment) -> list[str]:
    return [answer.label for answer in invoke(str(deployment.endpoint_name), QUESTIONS)]


def uri_of_artifact(deployment: Deployment) -> str:
    """Where the live model's artifact was uploaded to."""
    sagemaker = boto3.client("sagemaker")
    config = sagemaker.describe_endpoint_config(
        EndpointConfigName=str(deployment.endpoint_config_name)
    )
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    return str(model["PrimaryContainer"]["ModelDataUrl"])


def expected(estimator: Any) -> list[str]:
    return [NAMES[label] for label in estimator.predict(QUESTIONS)]


def test_what_nobody_approved_is_refused_before_anything_is_made(story: Story) -> None:
    assert "group flowers has no Approved version" in story.refused
    assert "aws sagemaker update-model-package" in story.refused
    assert story.held_before == {"bucket", "model-package", "model-package-group"}


def test_the_approved_version_and_no_newer_one_serves_and_answers_as_it_was_trained(
    story: Story, estimators: tuple[Any, Any]
) -> None:
    assert story.first.verdict is Verdict.PROMOTED
    assert story.first_answers == expected(estimators[0])


def test_a_newer_approved_version_is_swapped_in(story: Story, estimators: tuple[Any, Any]) -> None:
    assert story.second.verdict is Verdict.PROMOTED
    assert story.second.endpoint_name == story.first.endpoint_name
    assert story.second.endpoint_config_name != story.first.endpoint_config_name
    assert story.second_answers == expected(estimators[1]) != story.first_answers


def test_a_version_that_was_rejected_later_gives_way_to_the_one_before(story: Story) -> None:
    assert story.digests["rejected"] == story.first.artifact_digest != story.second.artifact_digest


def test_the_live_models_artifact_in_s3_is_the_same_model(story: Story) -> None:
    assert story.digests["the live artifact in S3"] == story.second.artifact_digest
