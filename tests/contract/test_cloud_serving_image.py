"""Our own serving image behind a transform job and an asynchronous endpoint: iris, end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.cloud import ACCOUNT, BUCKET, REGION, ROLE_ARN, CloudUser, start_cloud
from tests.support.container_process import CONTAINER
from tests.support.onnx_models import CLASSES, FittedModel, an_iris_classifier, packed
from tests.support.transform import create_job, data_log, output_of, wait_job
from tests.support.work import invoke_later, make_async_config, put, wait_read

IMAGE_URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/iris:1"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def user(fitted: FittedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60.0)
    started.prepare()
    started.client("ecr").create_repository(repositoryName="iris")
    made = started.tell("images", {"image_uri": IMAGE_URI, "context": str(CONTAINER)})
    made.raise_for_status()
    started.sagemaker.create_model(
        ModelName="iris",
        ExecutionRoleArn=ROLE_ARN,
        PrimaryContainer={
            "Image": IMAGE_URI,
            "ModelDataUrl": put(started, "iris/model.tar.gz", packed(fitted.directory)),
        },
    )
    yield started
    started.cloud.stop()


def test_a_transform_job_labels_every_flower_beside_its_id(
    user: CloudUser, fitted: FittedModel
) -> None:
    flowers = fitted.rows[::15]
    rows = [f"{number},{','.join(map(str, row))}" for number, row in enumerate(flowers)]
    put(user, "flowers/some.csv", "\n".join(rows).encode())

    create_job(
        user,
        "label",
        f"s3://{BUCKET}/flowers/",
        model="iris",
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,5]"},
    )
    seen = wait_job(user, "label")

    classes = ("setosa", "versicolor", "virginica")
    wanted = [f"{n},{classes[c]}" for n, c in enumerate(fitted.estimator.predict(flowers))]
    assert seen["TransformJobStatus"] == "Completed"
    assert (output_of(user, "label", "some.csv") or b"").decode().splitlines() == wanted


def test_mini_batches_of_csv_and_json_lines_are_answered_row_by_row_as_by_scikit_learn(
    user: CloudUser, fitted: FittedModel
) -> None:
    random = np.random.default_rng(7)
    # Thresholds of a forest lie on a grid; rows off it leave no tie to how a number is written.
    rows = (random.uniform(0, 8, size=(30_000, 4)).round(3) + 0.0004).astype(np.float32)
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    csv_body = "\n".join(lines).encode()
    put(user, "many/rows.csv", csv_body)
    put(user, "many-lines/rows.jsonl", "\n".join(f"[{line}]" for line in lines).encode())
    json_lines = "application/jsonlines"

    create_job(user, "csv", f"s3://{BUCKET}/many/", model="iris", MaxPayloadInMB=1)
    create_job(
        user,
        "json-lines",
        f"s3://{BUCKET}/many-lines/",
        model="iris",
        MaxPayloadInMB=1,
        input_={"ContentType": json_lines},
        output={"Accept": json_lines},
    )
    seen = [wait_job(user, name) for name in ("csv", "json-lines")]

    assert [job["TransformJobStatus"] for job in seen] == ["Completed"] * 2, seen
    wanted = fitted.estimator.predict_proba(rows)
    classes = [CLASSES[index] for index in fitted.estimator.predict(rows)]
    by_csv = (output_of(user, "csv", "rows.csv") or b"").decode().splitlines()
    cells = [line.split(",") for line in by_csv]
    assert [line[0] for line in cells] == classes
    given = np.array([line[1:] for line in cells], dtype=np.float64)
    np.testing.assert_allclose(given, wanted, atol=1e-5)
    by_line = (output_of(user, "json-lines", "rows.jsonl") or b"").decode().splitlines()
    answers = [json.loads(line) for line in by_line]
    assert [answer["predicted_class"] for answer in answers] == classes
    given = np.array([list(answer["probabilities"].values()) for answer in answers])
    np.testing.assert_allclose(given, wanted, atol=1e-5)
    assert len(by_csv) == len(by_line) == len(rows)
    assert "MaxPayloadInMB=1, BatchStrategy=MULTI_RECORD" in data_log(user, "csv")[0]
    assert len(csv_body) > 2 * 1024 * 1024  # too many rows for one request, or two


def test_an_asynchronous_endpoint_answers_in_s3_as_a_realtime_one_does(
    user: CloudUser, fitted: FittedModel
) -> None:
    make_async_config(user, "iris-later", model="iris")
    user.make_endpoint("iris-later", "iris-later")
    flower = fitted.rows[0].tolist()

    answer = invoke_later(
        user,
        "iris-later",
        Body=json.dumps({"instances": [flower]}).encode(),
        ContentType="application/json",
    )

    predictions = json.loads(wait_read(user, answer["OutputLocation"]))["predictions"]
    assert predictions[0]["predicted_class"] == "setosa"
