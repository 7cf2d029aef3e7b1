"""Models and endpoint configurations: the calls that moto can't refuse."""

from __future__ import annotations

import pytest

from rehearsal.provider import lifecycle
from rehearsal.provider.entry import ProviderError, ResourceType
from rehearsal.provider.registry import AWS
from tests.support.scripted_aws import ScriptedAws, an_error

MODEL = AWS.types["aws:sagemaker/model:Model"]
CONFIGURATION = AWS.types["aws:sagemaker/endpointConfiguration:EndpointConfiguration"]
ROLE = "arn:aws:iam::123456789012:role/r"
REFUSED = an_error("ValidationException", "Could not assume role", "CreateModel")
DESCRIBED = {"ModelName": "wine", "ModelArn": "arn", "ExecutionRoleArn": ROLE}


def test_creating_a_model_is_repeated_while_the_role_is_not_known_yet() -> None:
    aws = ScriptedAws({"CreateModel": [REFUSED, REFUSED, {}], "DescribeModel": [DESCRIBED]})

    made = lifecycle.create(MODEL, aws, {"name": "wine", "executionRoleArn": ROLE})

    assert made.identifier == "wine"
    assert aws.times("CreateModel") == 3


def test_a_wrong_model_is_refused_after_two_minutes_in_the_services_words() -> None:
    aws = ScriptedAws({"CreateModel": [REFUSED]})

    with pytest.raises(ProviderError, match=r"creating SageMaker AI model: operation error.*role"):
        lifecycle.create(MODEL, aws, {"name": "wine", "executionRoleArn": ROLE})

    assert aws.times("CreateModel") == 13


def test_a_wrong_configuration_is_refused_at_once() -> None:
    refused = an_error("ValidationException", "Could not find model", "CreateEndpointConfig")
    aws = ScriptedAws({"CreateEndpointConfig": [refused]})

    with pytest.raises(ProviderError, match="creating SageMaker AI Endpoint Configuration"):
        lifecycle.create(CONFIGURATION, aws, {"name": "c", "productionVariants": []})

    assert aws.times("CreateEndpointConfig") == 1


def test_a_variant_without_a_name_gets_terraforms() -> None:
    variants = [{"modelName": "wine", "initialInstanceCount": 1, "volumeSizeInGb": 5}]
    described = {"EndpointConfigName": "c", "EndpointConfigArn": "a", "ProductionVariants": []}
    aws = ScriptedAws({"DescribeEndpointConfig": [described]})

    lifecycle.create(CONFIGURATION, aws, {"name": "c", "productionVariants": variants})

    (sent,) = aws.members_of("CreateEndpointConfig")["ProductionVariants"]
    assert sent["VariantName"].startswith("terraform-")
    assert sent["VolumeSizeInGB"] == 5


@pytest.mark.parametrize("entry", [MODEL, CONFIGURATION], ids=["model", "configuration"])
def test_deleting_what_is_gone_is_a_success(entry: ResourceType) -> None:
    gone = an_error("ValidationException", 'Could not find endpoint configuration "arn".')
    gone_model = an_error("ValidationException", 'Could not find model "arn".')
    aws = ScriptedAws({"DeleteModel": [gone_model], "DeleteEndpointConfig": [gone]})

    lifecycle.delete(entry, aws, "wine", {})

    assert aws.times("DeleteModel") + aws.times("DeleteEndpointConfig") == 1
