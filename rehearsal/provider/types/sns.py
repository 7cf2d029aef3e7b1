"""SNS topics.

Source: hashicorp/terraform-provider-aws internal/service/sns/topic.go (`topicSchema`,
`topicAttributeMap`).
"""

from __future__ import annotations

from rehearsal.provider.aws import Aws, AwsError
from rehearsal.provider.entry import Autoname, Change, ResourceType
from rehearsal.provider.schema import SchemaSource
from rehearsal.provider.tags import SNS, read_tags, tag_list, update_tags
from rehearsal.provider.value import Values

PACKAGE = "pulumi_aws.sns"
GONE = ("NotFound", "NotFoundException")
TEXTS = {
    "deliveryPolicy": "DeliveryPolicy",
    "displayName": "DisplayName",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "policy": "Policy",
    "tracingConfig": "TracingConfig",
}
NUMBERS = {"signatureVersion": "SignatureVersion"}
SWITCHES = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "fifoTopic": "FifoTopic",
}
ATTRIBUTES = {**TEXTS, **NUMBERS, **SWITCHES}
FEEDBACK = tuple(
    f"{protocol}{outcome}Feedback{member}"
    for protocol in ("application", "firehose", "http", "lambda", "sqs")
    for outcome, member in (
        ("Failure", "RoleArn"),
        ("Success", "RoleArn"),
        ("Success", "SampleRate"),
    )
)


class TopicOperations:
    """A topic; its id is its ARN."""

    def create(self, aws: Aws, values: Values) -> str:
        attributes = {
            ATTRIBUTES[name]: _text(value)
            for name, value in values.items()
            if name in ATTRIBUTES and value not in (False, "")
        }
        answer = aws.call(
            "sns",
            "CreateTopic",
            Name=values["name"],
            Attributes=attributes,
            Tags=tag_list(values.get("tags")),
        )
        return str(answer["TopicArn"])

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            found = aws.call("sns", "GetTopicAttributes", TopicArn=identifier)["Attributes"]
        except AwsError as err:
            if err.code in GONE:
                return None
            raise
        return {
            "arn": identifier,
            "name": identifier.rpartition(":")[2],
            "owner": found.get("Owner", ""),
            **{name: found.get(member, "") for name, member in TEXTS.items()},
            **{name: int(found.get(member, 0)) for name, member in NUMBERS.items()},
            **{name: found.get(member) == "true" for name, member in SWITCHES.items()},
            **read_tags(aws, SNS, identifier),
        }

    def update(self, aws: Aws, change: Change) -> None:
        for name in sorted(change.properties & ATTRIBUTES.keys()):
            value = _text(change.new.get(name, ""))
            aws.call(
                "sns",
                "SetTopicAttributes",
                TopicArn=change.identifier,
                AttributeName=ATTRIBUTES[name],
                AttributeValue=value,
            )
        update_tags(aws, SNS, change.identifier, change)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        try:
            aws.call("sns", "DeleteTopic", TopicArn=identifier)
        except AwsError as err:
            if err.code not in GONE:
                raise


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


TYPES = (
    ResourceType(
        token="aws:sns/topic:Topic",
        title="SNS Topic",
        source="terraform-provider-aws internal/service/sns/topic.go",
        schema=SchemaSource(package=PACKAGE, resource="Topic", arguments="TopicArgs"),
        operations=TopicOperations(),
        autoname=Autoname(maximum_length=256),
        replaces=frozenset({"name", "namePrefix", "fifoTopic"}),
        defaults={"contentBasedDeduplication": False, "fifoTopic": False},
        computed=frozenset({"policy", "signatureVersion", "tracingConfig"}),
        documents=frozenset({"policy", "deliveryPolicy"}),
        unsupported={
            "archivePolicy": "nothing is archived",
            "fifoThroughputScope": "throughput is not limited",
            "maximumMessageSize": "messages are not limited",
            "namePrefix": "give the topic a name, or none for an automatic one",
            **dict.fromkeys(FEEDBACK, "no delivery feedback is logged"),
        },
    ),
)
