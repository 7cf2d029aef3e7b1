"""AWS's own managed policies, which moto knows and leaves out."""

from __future__ import annotations

import json
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy


def install_managed_policies(iam: Any) -> None:
    """Make AmazonSageMakerFullAccess and the others attachable in one of moto's IAM backends."""
    for name, data in json.loads(aws_managed_policies_data).items():
        policy = AWSManagedPolicy.from_data(name, iam.account_id, iam.region_name, data)
        iam.aws_managed_policies.append(policy)
        iam.managed_policies[policy.arn] = policy
