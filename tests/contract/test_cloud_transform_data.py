"""What a transform job reads, sends and stores: objects, parameters, joins, captured data."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest

from tests.support.cloud import BUCKET, CloudUser, start_cloud
from tests.support.transform import create_job, data_log, output_of, wait_job
from tests.support.work import add_work_image, make_model, put, read

GUIDE = "DG batch-transform"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    started = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60.0)
    started.prepare()
    add_work_image(started)
    make_model(started, "sums", {"WORK_FROM": "model"})
    put(started, "rows/a.csv", b"1,2\n3,4\n")
    put(started, "rows/deep/b.csv", b"10,20\n")
    yield started
    started.cloud.stop()


@pytest.mark.source("DG your-algorithms-batch-code: environment")
def test_containers_are_told_what_the_user_set_and_nothing_else(user: CloudUser) -> None:
    put(user, "one/blob.bin", b"blob")
    plain = {"ContentType": "text/plain", "SplitType": "None"}

    create_job(
        user,
        "told",
        f"s3://{BUCKET}/one/",
        Environment={"WORK_FROM": "job"},
        MaxPayloadInMB=2,
        MaxConcurrentTransforms=3,
        BatchStrategy="SingleRecord",
        input_=plain,
    )
    create_job(user, "untold", f"s3://{BUCKET}/one/", input_=plain)
    wait_job(user, "told"), wait_job(user, "untold")
    told = json.loads(output_of(user, "told", "blob.bin") or b"")["environment"]
    untold = json.loads(output_of(user, "untold", "blob.bin") or b"")["environment"]

    assert told["WORK_FROM"] == "job"
    assert told["SAGEMAKER_BATCH"] == "true"
    assert told["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "2"
    assert told["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] == "3"
    assert told["SAGEMAKER_BATCH_STRATEGY"] == "SINGLE_RECORD"
    assert untold["WORK_FROM"] == "model"
    assert untold["SAGEMAKER_BATCH"] == "true"
    assert not any(name.startswith("SAGEMAKER_MAX") for name in untold)


@pytest.mark.source("DG your-algorithms-batch-code: precedence; data logs of real jobs")
def test_the_request_wins_over_the_container_and_that_over_the_default(user: CloudUser) -> None:
    told = {"MaxConcurrentTransforms": 4, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 1}
    make_model(user, "tuned", {"WORK_PARAMETERS": json.dumps(told)})

    create_job(user, "by-container", model="tuned")
    create_job(user, "by-request", model="tuned", MaxConcurrentTransforms=2)
    create_job(user, "by-default")
    for name in ("by-container", "by-request", "by-default"):
        wait_job(user, name)

    line = ":[sagemaker logs]: MaxConcurrentTransforms={}, MaxPayloadInMB={}, BatchStrategy={}"
    assert data_log(user, "by-container")[0].endswith(line.format(4, 1, "SINGLE_RECORD"))
    assert data_log(user, "by-request")[0].endswith(line.format(2, 1, "SINGLE_RECORD"))
    assert data_log(user, "by-default")[0].endswith(line.format(1, 6, "MULTI_RECORD"))


@pytest.mark.source("botocore TransformS3DataSource, TransformInput$CompressionType")
def test_a_manifest_names_objects_that_may_be_gzipped(user: CloudUser) -> None:
    put(user, "zipped/x.csv.gz", gzip.compress(b"5,6\n"))
    put(user, "zipped/y.csv.gz", gzip.compress(b"1,1\n"))
    manifest = json.dumps([{"prefix": f"s3://{BUCKET}/zipped/"}, "x.csv.gz"]).encode()
    uri = put(user, "manifests/some.json", manifest)

    create_job(user, "zipped", uri, data_type="ManifestFile", input_={"CompressionType": "Gzip"})
    seen = wait_job(user, "zipped")

    assert seen["TransformJobStatus"] == "Completed"
    assert output_of(user, "zipped", "x.csv.gz") == b"11\n"
    assert output_of(user, "zipped", "y.csv.gz") is None


@pytest.mark.source(f"{GUIDE}: one file is processed by one instance")
def test_objects_are_spread_over_the_instances(user: CloudUser) -> None:
    for number in range(4):
        put(user, f"many/{number}.bin", b"blob")

    create_job(
        user,
        "many",
        f"s3://{BUCKET}/many/",
        instance_count=2,
        input_={"ContentType": "text/plain", "SplitType": "None"},
    )
    wait_job(user, "many")
    answers = [json.loads(output_of(user, "many", f"{n}.bin") or b"") for n in range(4)]

    assert len({answer["pid"] for answer in answers}) == 2
    assert [answer["requests"] for answer in answers] == [1, 1, 2, 2]


@pytest.mark.source("DG batch-transform-data-processing: CSV example")
def test_an_id_column_is_kept_from_the_model_and_joined_to_its_answer(user: CloudUser) -> None:
    put(user, "ids/rows.csv", b"900,1,2\n901,3,4\n")

    create_job(
        user,
        "joined",
        f"s3://{BUCKET}/ids/",
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
    )
    seen = wait_job(user, "joined")

    assert seen["DataProcessing"]["OutputFilter"] == "$[0,-1]"
    assert output_of(user, "joined", "rows.csv") == b"900,3\n901,7\n"


@pytest.mark.source("DG batch-transform-data-processing: JSON example")
def test_json_lines_get_the_answer_under_a_key_of_its_own(user: CloudUser) -> None:
    lines = b'{"id": 7, "features": [1, 2]}\n{"id": 8, "features": [3]}\n'
    put(user, "json/lines.jsonl", lines)
    as_lines = "application/jsonlines"

    create_job(
        user,
        "jsonl",
        f"s3://{BUCKET}/json/",
        input_={"ContentType": as_lines},
        output={"Accept": as_lines},
        DataProcessing={
            "InputFilter": "$.features",
            "JoinSource": "Input",
            "OutputFilter": "$['id','SageMakerOutput']",
        },
    )
    wait_job(user, "jsonl")

    stored = (output_of(user, "jsonl", "lines.jsonl") or b"").splitlines()
    assert [json.loads(line) for line in stored] == [
        {"id": 7, "SageMakerOutput": {"label": 3.0}},
        {"id": 8, "SageMakerOutput": {"label": 3.0}},
    ]


@pytest.mark.source("DG model-monitor-data-capture-batch")
def test_captured_data_is_named_by_manifests_and_identified(user: CloudUser) -> None:
    create_job(
        user,
        "captured",
        DataCaptureConfig={
            "DestinationS3Uri": f"s3://{BUCKET}/captured",
            "GenerateInferenceId": True,
        },
    )
    wait_job(user, "captured")

    found = user.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="captured/")["Contents"]
    keys = {entry["Key"].split("/")[1]: entry["Key"] for entry in found}
    manifest = json.loads(read(user, f"s3://{BUCKET}/{keys['input']}") or b"")
    rows = (output_of(user, "captured", "a.csv") or b"").decode().splitlines()
    assert set(keys) == {"input", "output"}
    assert len(keys["input"].split("/")) == 7
    assert manifest == [{"prefix": f"s3://{BUCKET}/rows/"}, "a.csv", "deep/b.csv"]
    assert rows[0].startswith("3,")
    assert len({row.split(",")[1] for row in rows}) == 2
    assert rows[0].split(",")[2].endswith("Z")


@pytest.mark.source("botocore CreateTransformJobRequest$MaxPayloadInMB")
def test_payloads_of_any_size_are_sent_without_their_length(user: CloudUser) -> None:
    put(user, "large/blob.bin", b"x" * (7 * 1024 * 1024))
    plain = {"ContentType": "text/plain", "SplitType": "None"}

    create_job(user, "limited", f"s3://{BUCKET}/large/", input_=plain)
    create_job(user, "endless", f"s3://{BUCKET}/large/", input_=plain, MaxPayloadInMB=0)
    limited, endless = wait_job(user, "limited"), wait_job(user, "endless")
    seen = json.loads(output_of(user, "endless", "blob.bin") or b"")

    assert limited["FailureReason"] == "ClientError: See job logs for more information"
    assert "larger than MaxPayloadInMB" in data_log(user, "limited")[-1]
    assert endless["TransformJobStatus"] == "Completed"
    assert seen["length"] == 7 * 1024 * 1024
    assert seen["headers"]["transfer-encoding"] == "chunked"
    assert "content-length" not in seen["headers"]
