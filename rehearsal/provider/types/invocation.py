"""The invokes (data sources) of the AWS stand-in.

Source: hashicorp/terraform-provider-aws internal/service/{sts/caller_identity,meta/region,
meta/partition}_data_source.go and ecr/authorization_token_data_source.go.
"""

from __future__ import annotations

import base64

from rehearsal.provider.aws import Aws
from rehearsal.provider.entry import Invocation, ProviderError
from rehearsal.provider.value import Values

DESCRIPTIONS = {
    "eu-central-1": "Europe (Frankfurt)",
    "eu-west-1": "Europe (Ireland)",
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-2": "US West (Oregon)",
}


def caller_identity(aws: Aws, arguments: Values) -> Values:
    """Who the cloud takes us for."""
    found = aws.call("sts", "GetCallerIdentity")
    account = found["Account"]
    return {"accountId": account, "arn": found["Arn"], "id": account, "userId": found["UserId"]}


def region(aws: Aws, arguments: Values) -> Values:
    """The region the provider is configured for; no call."""
    for name in ("region", "name"):
        wanted = arguments.get(name)
        if wanted is not None and wanted != aws.region:
            raise ProviderError(f"region {wanted!r} is not the rehearsal's; it has {aws.region!r}")
    endpoint = f"ec2.{aws.region}.amazonaws.com"
    if arguments.get("endpoint", endpoint) != endpoint:
        raise ProviderError(f"no region has endpoint {arguments['endpoint']!r}; it is {endpoint!r}")
    return {
        "description": DESCRIPTIONS.get(aws.region, aws.region),
        "endpoint": endpoint,
        "id": aws.region,
        "name": aws.region,
        "region": aws.region,
    }


def partition(aws: Aws, arguments: Values) -> Values:
    """AWS's commercial partition; no call."""
    return {
        "dnsSuffix": "amazonaws.com",
        "id": "aws",
        "partition": "aws",
        "reverseDnsPrefix": "com.amazonaws",
    }


def authorization_token(aws: Aws, arguments: Values) -> Values:
    """A login for the account's container registry."""
    registry = arguments.get("registryId")
    identifiers = None if registry is None else [registry]
    answer = aws.call("ecr", "GetAuthorizationToken", registryIds=identifiers)
    data = answer["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {
        "authorizationToken": data["authorizationToken"],
        "expiresAt": data["expiresAt"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": aws.region,
        "password": password,
        "proxyEndpoint": data["proxyEndpoint"],
        "region": aws.region,
        "registryId": registry,
        "userName": user,
    }


INVOCATIONS = (
    Invocation(
        token="aws:index/getCallerIdentity:getCallerIdentity",
        source="terraform-provider-aws internal/service/sts/caller_identity_data_source.go",
        arguments=frozenset({"id"}),
        call=caller_identity,
    ),
    Invocation(
        token="aws:index/getRegion:getRegion",
        source="terraform-provider-aws internal/service/meta/region_data_source.go",
        arguments=frozenset({"endpoint", "id", "name", "region"}),
        call=region,
    ),
    Invocation(
        token="aws:index/getPartition:getPartition",
        source="terraform-provider-aws internal/service/meta/partition_data_source.go",
        arguments=frozenset({"id"}),
        call=partition,
    ),
    Invocation(
        token="aws:ecr/getAuthorizationToken:getAuthorizationToken",
        source="terraform-provider-aws internal/service/ecr/authorization_token_data_source.go",
        arguments=frozenset({"region", "registryId"}),
        call=authorization_token,
    ),
)
