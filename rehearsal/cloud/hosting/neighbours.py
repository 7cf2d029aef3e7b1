"""What hosting asks of the services beside it, as protocols: it never imports them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from rehearsal.cloud.fleets.images import Image


class Checks(Protocol):
    """What hosting asks of the other services: each answer is SageMaker's refusal, or None."""

    def role_problem(self, role_arn: str) -> str | None:
        """Say why SageMaker can't assume a role."""

    def execution_role_problem(self, role_arn: str) -> str | None:
        """Say the same of a role that CreateModel took, as a FailureReason."""

    def image_problem(self, role_arn: str, container: Mapping[str, Any]) -> str | None:
        """Say why CreateModel refuses a container's image."""

    def label_problem(self, container: Mapping[str, Any], *, in_pipeline: bool) -> str | None:
        """Say which labels an image lacks for what its model wants of it."""

    def data_problem(self, role_arn: str, url: str, *, is_prefix: bool) -> str | None:
        """Say why CreateModel refuses a container's model data."""

    def key_problem(self, key_id: str) -> str | None:
        """Say why a KMS key can't encrypt anything."""

    def alarm_problem(self, role_arn: str, alarm_names: Iterable[str]) -> str | None:
        """Say which alarm of a rollback the role may not look at."""

    def image(self, uri: str) -> Image | None:
        """Return the image behind a URI, or None."""

    def topic_problem(self, role_arn: str, topic_arns: Iterable[str]) -> str | None:
        """Say which topic of an asynchronous endpoint the role can't publish to."""


class ScalableTargets(Protocol):
    """What hosting asks of Application Auto Scaling."""

    def registered_variants(self, endpoint_name: str) -> frozenset[str]:
        """Return the variants registered as scalable targets."""
