"""ECR repositories and their lifecycle policies.

Source: hashicorp/terraform-provider-aws internal/service/ecr/{repository,lifecycle_policy}.go;
pulumi/pulumi-aws provider/resources.go (repository names are lower case).
"""

from __future__ import annotations

from rehearsal.provider.aws import Aws, AwsError
from rehearsal.provider.entry import Autoname, Change, ProviderError, ResourceType, Rule
from rehearsal.provider.schema import SchemaSource
from rehearsal.provider.tags import ECR, read_tags, tag_list, update_tags
from rehearsal.provider.value import Values

PACKAGE = "pulumi_aws.ecr"
GONE = ("RepositoryNotFoundException",)


class RepositoryOperations:
    """A private repository."""

    def create(self, aws: Aws, values: Values) -> str:
        encryption = values.get("encryptionConfigurations") or []
        scanning = values.get("imageScanningConfiguration")
        aws.call(
            "ecr",
            "CreateRepository",
            repositoryName=values["name"],
            imageTagMutability=values["imageTagMutability"],
            imageScanningConfiguration=scanning,
            encryptionConfiguration=encryption[0] if encryption else None,
            tags=tag_list(values.get("tags"), ECR),
        )
        return str(values["name"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            answer = aws.call("ecr", "DescribeRepositories", repositoryNames=[identifier])
        except AwsError as err:
            if err.code in GONE:
                return None
            raise
        found = answer["repositories"][0]
        encryption = found.get("encryptionConfiguration", {"encryptionType": "AES256"})
        return {
            "name": found["repositoryName"],
            "arn": found["repositoryArn"],
            "registryId": found["registryId"],
            "repositoryUrl": found["repositoryUri"],
            "imageTagMutability": found.get("imageTagMutability", "MUTABLE"),
            "imageScanningConfiguration": found.get("imageScanningConfiguration"),
            "encryptionConfigurations": [{"kmsKey": "", **encryption}],
            **read_tags(aws, ECR, found["repositoryArn"]),
        }

    def update(self, aws: Aws, change: Change) -> None:
        name, new = change.identifier, change.new
        if change.touches("imageTagMutability"):
            mutability = new["imageTagMutability"]
            aws.call(
                "ecr", "PutImageTagMutability", repositoryName=name, imageTagMutability=mutability
            )
        if change.touches("imageScanningConfiguration"):
            scanning = new.get("imageScanningConfiguration", {"scanOnPush": False})
            aws.call(
                "ecr",
                "PutImageScanningConfiguration",
                repositoryName=name,
                imageScanningConfiguration=scanning,
            )
        update_tags(aws, ECR, change.old["arn"], change)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        force = bool(known.get("forceDelete"))
        try:
            aws.call("ecr", "DeleteRepository", repositoryName=identifier, force=force)
        except AwsError as err:
            if err.code == "RepositoryNotEmptyException":
                raise ProviderError(
                    f"ECR Repository ({identifier}) not empty, consider using forceDelete: {err}"
                ) from err
            if err.code not in GONE:
                raise


class LifecyclePolicyOperations:
    """Which images a repository drops by itself."""

    def create(self, aws: Aws, values: Values) -> str:
        self._put(aws, values["repository"], values)
        return str(values["repository"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            found = aws.call("ecr", "GetLifecyclePolicy", repositoryName=identifier)
        except AwsError as err:
            if err.code in (*GONE, "LifecyclePolicyNotFoundException"):
                return None
            raise
        return {
            "repository": found["repositoryName"],
            "registryId": found["registryId"],
            "policy": found["lifecyclePolicyText"],
        }

    def update(self, aws: Aws, change: Change) -> None:
        self._put(aws, change.identifier, change.new)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        try:
            aws.call("ecr", "DeleteLifecyclePolicy", repositoryName=identifier)
        except AwsError as err:
            if err.code not in (*GONE, "LifecyclePolicyNotFoundException"):
                raise

    def _put(self, aws: Aws, repository: str, values: Values) -> None:
        policy = values["policy"]
        aws.call("ecr", "PutLifecyclePolicy", repositoryName=repository, lifecyclePolicyText=policy)


TYPES = (
    ResourceType(
        token="aws:ecr/repository:Repository",
        title="ECR Repository",
        source="terraform-provider-aws internal/service/ecr/repository.go",
        schema=SchemaSource(package=PACKAGE, resource="Repository", arguments="RepositoryArgs"),
        operations=RepositoryOperations(),
        autoname=Autoname(lower_case=True),
        replaces=frozenset({"name", "encryptionConfigurations"}),
        defaults={"imageTagMutability": "MUTABLE"},
        state_only=frozenset({"forceDelete"}),
        computed=frozenset({"encryptionConfigurations"}),
        rules={
            "name": Rule(minimum=2, maximum=256),
            "imageTagMutability": Rule(choices=("MUTABLE", "IMMUTABLE")),
        },
        unsupported={"imageTagMutabilityExclusionFilters": "make every tag mutable or none"},
    ),
    ResourceType(
        token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        title="ECR Lifecycle Policy",
        source="terraform-provider-aws internal/service/ecr/lifecycle_policy.go",
        schema=SchemaSource(
            package=PACKAGE, resource="LifecyclePolicy", arguments="LifecyclePolicyArgs"
        ),
        operations=LifecyclePolicyOperations(),
        replaces=frozenset({"repository"}),
        documents=frozenset({"policy"}),
        taggable=False,
    ),
)
