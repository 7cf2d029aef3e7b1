"""The SageMaker control plane's operations: names to functions, validated input to output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud import operation as operations
from rehearsal.cloud.errors import validation_exception
from rehearsal.cloud.fleets.definition import MULTI_MODEL, definitions_of
from rehearsal.cloud.fleets.images import reference_from_uri
from rehearsal.cloud.fleets.launch import artifact_url
from rehearsal.cloud.hosting import messages
from rehearsal.cloud.hosting.catalog import CONFIG, ENDPOINT, MODEL, Entry
from rehearsal.cloud.hosting.config_rules import check_config
from rehearsal.cloud.hosting.endpoints import Endpoints
from rehearsal.cloud.hosting.listing import Row, page
from rehearsal.cloud.hosting.model_rules import check_model
from rehearsal.cloud.hosting.tags import tag_list, tag_page
from rehearsal.cloud.hosting.variants import DEFAULT_WEIGHT, all_variants
from rehearsal.cloud.http import Request, Response

OWN_KINDS = (MODEL, CONFIG, ENDPOINT)
RECORDED = {
    "endpoint_name": "EndpointName",
    "endpoint_config_name": "EndpointConfigName",
    "model_name": "ModelName",
}


@dataclass
class HostingApi:
    """Answers `X-Amz-Target: SageMaker.<Operation>` for the hosting operations."""

    endpoints: Endpoints

    def __post_init__(self) -> None:
        self.operations: operations.Operations = {
            "CreateModel": self._create_model,
            "DescribeModel": self._describe_model,
            "DeleteModel": self._delete_model,
            "ListModels": self._list_models,
            "CreateEndpointConfig": self._create_config,
            "DescribeEndpointConfig": self._describe_config,
            "DeleteEndpointConfig": self._delete_config,
            "ListEndpointConfigs": self._list_configs,
            "CreateEndpoint": self.endpoints.create,
            "UpdateEndpoint": self.endpoints.update,
            "UpdateEndpointWeightsAndCapacities": self.endpoints.scale,
            "DescribeEndpoint": self.endpoints.describe,
            "DeleteEndpoint": self.endpoints.delete,
            "ListEndpoints": self.endpoints.list,
            "AddTags": self._add_tags,
            "ListTags": self._list_tags,
            "DeleteTags": self._delete_tags,
        }
        self._catalog = self.endpoints.engine.catalog

    def handles(self, operation: str, request: Request) -> bool:
        """Tell whether an operation is ours; of tags those of our resources are."""
        return operations.handles(self.operations, OWN_KINDS, operation, request)

    def __call__(self, operation: str, request: Request) -> Response:
        """Answer one request; a refusal is the caller's to turn into bytes."""
        engine = self.endpoints.engine
        return operations.answer(self.operations, engine, operation, request, RECORDED)

    # ---- models

    def _create_model(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        check_model(asked)
        name = asked["ModelName"]
        if name in self._catalog.models:
            raise messages.already_exists(MODEL, self._catalog.arn(MODEL, name))
        role = asked.get("ExecutionRoleArn")
        if role is None:
            raise validation_exception("ExecutionRoleArn must be specified for a hosted model.")
        self._check_role(role)
        containers = definitions_of(asked)
        for container in containers:
            self._check_container(container, role)
            in_pipeline = len(containers) > 1
            _refuse(self.endpoints.checks.label_problem(container, in_pipeline=in_pipeline))
        entry = self._create(MODEL, name, asked)
        return {"ModelArn": entry.arn}

    def _check_role(self, role: str) -> None:
        _refuse(self.endpoints.checks.role_problem(role))

    def _check_container(self, container: Mapping[str, Any], role: str) -> None:
        checks, image = self.endpoints.checks, container.get("Image")
        _refuse(checks.image_problem(role, container))
        if image is not None and checks.image(image) is None:
            raise messages.not_rehearsed(
                f"image {image}, whose build context it doesn't know", _how_to_know(image)
            )
        url = artifact_url(dict(container))
        source = container.get("ModelDataSource", {}).get("S3DataSource", {})
        many = container.get("Mode") == MULTI_MODEL or source.get("S3DataType") == "S3Prefix"
        if url is not None:
            _refuse(checks.data_problem(role, url, is_prefix=many))

    def _describe_model(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        entry = self._catalog.get(MODEL, asked["ModelName"])
        answer = {**entry.members, "ModelArn": entry.arn, "CreationTime": entry.creation_time}
        answer.setdefault("EnableNetworkIsolation", False)
        return answer

    def _delete_model(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._catalog.delete(MODEL, asked["ModelName"])
        return {}

    def _list_models(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return page(self._rows(MODEL, "Model"), asked, result_key="Models")

    # ---- endpoint configs

    def _create_config(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        name = asked["EndpointConfigName"]
        check_config(asked, self._catalog.models)
        if name in self._catalog.configs:
            raise messages.already_exists(CONFIG, self._catalog.arn(CONFIG, name))
        for variant in all_variants(asked):
            if "ModelName" in variant:
                self._catalog.get(MODEL, variant["ModelName"])
        weighed = {
            key: [{"InitialVariantWeight": DEFAULT_WEIGHT, **v} for v in asked[key]]
            for key in ("ProductionVariants", "ShadowProductionVariants")
            if key in asked
        }
        if "KmsKeyId" in asked:
            _refuse(self.endpoints.checks.key_problem(asked["KmsKeyId"]))
        entry = self._create(CONFIG, name, {**asked, **weighed})
        return {"EndpointConfigArn": entry.arn}

    def _describe_config(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        entry = self._catalog.get(CONFIG, asked["EndpointConfigName"])
        return {
            **entry.members,
            "EndpointConfigArn": entry.arn,
            "CreationTime": entry.creation_time,
        }

    def _delete_config(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._catalog.delete(CONFIG, asked["EndpointConfigName"])
        return {}

    def _list_configs(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return page(self._rows(CONFIG, "EndpointConfig"), asked, result_key="EndpointConfigs")

    # ---- tags

    def _add_tags(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        arn = self._existing_arn(asked)
        self._catalog.put_tags(arn, asked["Tags"])
        return {"Tags": tag_list(self._catalog.tags.get(arn, {}))}

    def _list_tags(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return tag_page(self._catalog.tags.get(self._existing_arn(asked), {}), asked)

    def _delete_tags(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        tags = self._catalog.tags.get(self._existing_arn(asked), {})
        for key in asked["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _existing_arn(self, asked: Mapping[str, Any]) -> str:
        arn = str(asked["ResourceArn"])
        kind, _, name = arn.split(":")[-1].partition("/")
        found = self.endpoints.get(name) if kind == ENDPOINT else self._catalog.get(kind, name)
        if found.arn != arn:
            raise messages.not_found(kind, arn)
        return arn

    # ---- shared

    def _create(self, kind: str, name: str, asked: Mapping[str, Any]) -> Entry:
        return self._catalog.create(kind, name, asked, self.endpoints.engine.clock.now())

    def _rows(self, kind: str, prefix: str) -> list[Row]:
        return [
            Row(
                name=entry.name,
                times={"CreationTime": entry.creation_time},
                summary={
                    f"{prefix}Name": entry.name,
                    f"{prefix}Arn": entry.arn,
                    "CreationTime": entry.creation_time,
                },
            )
            for entry in self._catalog.entries(kind)
        ]


def _how_to_know(image: str) -> str:
    if reference_from_uri(image) is not None:
        return "make it known with greenlight rehearsal image add"
    return "run it with --runtime docker, which finds an image outside ECR by its own name"


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise validation_exception(problem)
