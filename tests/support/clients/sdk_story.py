"""What a user of the SageMaker Python SDK writes, from a model to its deletion; prints JSON.

Runs in the clients' own environment, against whatever AWS_ENDPOINT_URL names. Nothing in it knows
of a rehearsal: waits use the SDK's own parameters, as its default of 30 seconds between looks is
for AWS.

Arguments: image URI, multi-model image URI, role ARN, path of model.tar.gz
"""

from __future__ import annotations

import json
import logging
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import boto3
import sagemaker
from sagemaker.async_inference import AsyncInferenceConfig, WaiterConfig
from sagemaker.deserializers import CSVDeserializer, JSONDeserializer
from sagemaker.model import Model
from sagemaker.model_monitor import DataCaptureConfig
from sagemaker.multidatamodel import MultiDataModel
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer, JSONSerializer
from sagemaker.serverless import ServerlessInferenceConfig

ROW = [5.0, 1.0]
INSTANCES = {"instances": [ROW]}
POLL_SECONDS = 1


class Story:
    """One user with one artifact; each method is a chapter that returns what it saw."""

    def __init__(self, image_uri: str, many_image_uri: str, role: str, archive: str) -> None:
        # Without a name the SDK asks the public STS host for one, whatever AWS_ENDPOINT_URL says.
        self.session = sagemaker.Session(
            boto_session=boto3.Session(), default_bucket="sagemaker-sdk"
        )
        self.bucket = self.session.default_bucket()
        self.image_uri = image_uri
        self.many_image_uri = many_image_uri
        self.role = role
        self.model_data = self.session.upload_data(archive, key_prefix="models/v1")

    def model(self, name: str) -> Model:
        return Model(
            image_uri=self.image_uri,
            model_data=self.model_data,
            role=self.role,
            name=name,
            predictor_cls=Predictor,
            sagemaker_session=self.session,
        )

    def deploy(self, name: str, **how: Any) -> Predictor:
        predictor: Predictor = self.model(name).deploy(
            endpoint_name=name,
            serializer=JSONSerializer(),
            deserializer=JSONDeserializer(),
            wait=False,
            **how,
        )
        self.session.wait_for_endpoint(name, poll=POLL_SECONDS)
        return predictor

    def real_time(self) -> dict[str, Any]:
        captured = f"s3://{self.bucket}/captured"
        predictor = self.deploy(
            "sdk-real-time",
            initial_instance_count=1,
            instance_type="ml.m5.large",
            data_capture_config=DataCaptureConfig(
                enable_capture=True, sampling_percentage=100, destination_s3_uri=captured
            ),
        )
        by_csv = Predictor(
            predictor.endpoint_name,
            sagemaker_session=self.session,
            serializer=CSVSerializer(),
            deserializer=CSVDeserializer(),
        )
        seen = {
            "json": predictor.predict(INSTANCES),
            "csv": by_csv.predict([ROW]),
            "captured": captured,
        }
        predictor.update_endpoint(
            initial_instance_count=2, instance_type="ml.m5.large", model_name="sdk-real-time",
            wait=False,
        )  # fmt: skip
        described = self.session.wait_for_endpoint(predictor.endpoint_name, poll=POLL_SECONDS)
        variants = described["ProductionVariants"]
        seen["updated"] = [variant["CurrentInstanceCount"] for variant in variants]
        predictor.delete_model()
        predictor.delete_endpoint()
        return seen

    def asynchronous(self) -> dict[str, Any]:
        output = f"s3://{self.bucket}/async"
        predictor: Any = self.deploy(
            "sdk-async",
            initial_instance_count=1,
            instance_type="ml.m5.large",
            async_inference_config=AsyncInferenceConfig(output_path=output),
        )
        response = predictor.predict_async(INSTANCES)
        # The SDK's look for a failure goes on to the last attempt and keeps the process so long.
        answer = response.get_result(WaiterConfig(max_attempts=15, delay=POLL_SECONDS))
        predictor.delete_model()
        predictor.delete_endpoint()
        return {"answer": answer, "output": response.output_path}

    def serverless(self) -> dict[str, Any]:
        config = ServerlessInferenceConfig(memory_size_in_mb=2048, max_concurrency=2)
        predictor = self.deploy("sdk-serverless", serverless_inference_config=config)
        answer = predictor.predict(INSTANCES)
        predictor.delete_model()
        predictor.delete_endpoint()
        return {"answer": answer}

    def many_models(self) -> dict[str, Any]:
        models = MultiDataModel(
            name="sdk-many",
            model_data_prefix=f"s3://{self.bucket}/many/",
            image_uri=self.many_image_uri,
            role=self.role,
            predictor_cls=Predictor,
            sagemaker_session=self.session,
        )
        predictor = models.deploy(
            initial_instance_count=1,
            instance_type="ml.m5.large",
            endpoint_name="sdk-many",
            wait=False,
        )
        self.session.wait_for_endpoint("sdk-many", poll=POLL_SECONDS)
        with tempfile.TemporaryDirectory() as directory:
            models.add_model(a_model_called("iris", Path(directory)), "iris/1.tar.gz")
        answer = predictor.predict(b"5.0,1.0", target_model="iris/1.tar.gz")
        listed = list(models.list_models())
        predictor.delete_model()
        predictor.delete_endpoint()
        return {"answer": json.loads(answer), "listed": listed}

    def batch(self) -> dict[str, Any]:
        rows = self.session.upload_string_as_file_body(
            "5.0,1.0\n15.0,1.0\n", bucket=self.bucket, key="batch/rows.csv"
        )
        model = self.model("sdk-batch")
        model.create(instance_type="ml.m5.large")
        transformer = sagemaker.transformer.Transformer(
            model_name="sdk-batch",
            instance_count=1,
            instance_type="ml.m5.large",
            strategy="SingleRecord",
            assemble_with="Line",
            accept="text/csv",
            output_path=f"s3://{self.bucket}/batch/out",
            sagemaker_session=self.session,
        )
        transformer.transform(
            rows, content_type="text/csv", split_type="Line", job_name="sdk-batch", wait=False
        )
        self.session.wait_for_transform_job("sdk-batch", poll=POLL_SECONDS)
        answer = self.session.read_s3_file(self.bucket, "batch/out/rows.csv.out")
        transformer.delete_model()
        return {"answer": answer.splitlines()}


def a_model_called(name: str, directory: Path) -> str:
    """Make a model of one file for the multi-model image; return its archive's path."""
    (directory / "name").write_text(name)
    archive = directory / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(directory / "name", "name")
    return str(archive)


def main() -> None:
    """Tell every chapter and print what was seen."""
    logging.disable(logging.WARNING)
    story = Story(*sys.argv[1:])
    chapters = (
        story.asynchronous,
        story.real_time,
        story.serverless,
        story.many_models,
        story.batch,
    )
    print(json.dumps({chapter.__name__: chapter() for chapter in chapters}))


if __name__ == "__main__":
    main()
