"""One packaged model in S3 and its SageMaker model. (Not a Model Registry model package.)"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import names
from components.artifact import Artifact
from components.foundation import FoundationOutputs
from components.settings import ModelRuntime

MODEL_PACKAGE_TYPE = "greenlight:components:ModelPackage"


@dataclass(frozen=True, kw_only=True)
class ModelPackageArgs:
    """What a model package is told.

    Args:
        model: the model's name.
        artifact: the archive to serve.
        foundation: where it is stored, the image that serves it and the role it runs with.
        runtime: what answers in the container, which decides the image.
        environment: environment variables of the container.
        tags: the tags of every resource.
    """

    model: str
    artifact: Artifact
    foundation: FoundationOutputs
    runtime: ModelRuntime
    environment: Mapping[str, pulumi.Input[str]]
    tags: Mapping[str, str]


class ModelPackage(pulumi.ComponentResource):
    """A packaged model ready to serve: its artifact in S3 and an immutable SageMaker model.

    Not the Model Registry's resource of that name.

    Attributes:
        artifact_uri: where the archive is.
        model_name: the SageMaker model; another one with every change.
    """

    artifact_uri: pulumi.Output[str]
    model_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: ModelPackageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(MODEL_PACKAGE_TYPE, name, None, opts)
        self.artifact_uri = self._artifact_uri(name, args)
        model = aws.sagemaker.Model(
            names.child_name(name, names.MODEL),
            execution_role_arn=args.foundation.role_arn,
            primary_container={
                "image": _image_uri(args),
                "mode": "SingleModel",
                "model_data_url": self.artifact_uri,
                "environment": dict(args.environment),
            },
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.model_name = model.name
        self.register_outputs({"artifactUri": self.artifact_uri, "modelName": self.model_name})

    def _artifact_uri(self, name: str, args: ModelPackageArgs) -> pulumi.Output[str]:
        artifact = args.artifact
        if artifact.path is None or artifact.digest is None:
            return pulumi.Output.from_input(str(artifact.uri))
        stored = aws.s3.BucketObjectv2(
            names.child_name(name, names.ARTIFACT),
            bucket=args.foundation.bucket_name,
            key=names.artifact_key(args.model, artifact.digest),
            source=pulumi.FileAsset(artifact.path.as_posix()),
            content_type="application/gzip",
            # A revert deploys an earlier artifact again; the key holds its digest, so it is the
            # same.
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        return pulumi.Output.concat("s3://", stored.bucket, "/", stored.key)


def _image_uri(args: ModelPackageArgs) -> pulumi.Output[str]:
    if args.runtime is ModelRuntime.ONNX:
        return args.foundation.image_uri
    return args.foundation.sklearn_image_uri.apply(lambda uri: with_sklearn(uri, args.model))


def with_sklearn(image_uri: str | None, model: str) -> str:
    """The image for a model that scikit-learn itself answers.

    Raises:
        pulumi.RunError: the Foundation has none.
    """
    if image_uri is None:
        raise pulumi.RunError(
            f"model {model!r} runs on scikit-learn itself, and the Foundation of its base stack "
            "has no image that holds it; set greenlight:sklearnImage to true in the base stack "
            "and deploy that first, or give this stack an imageUri"
        )
    return image_uri
