"""What a batch transform job is told of this server: how large and how many its requests may be.

Source: SageMaker Developer Guide, "Use your own inference code with batch transform"; botocore,
CreateTransformJobRequest (the product of both numbers is at most 100).
"""

from __future__ import annotations

from .settings import MEGABYTE, Settings

LARGEST_PRODUCT_MEGABYTES = 100


def execution_parameters(settings: Settings, workers: int) -> dict[str, int | str]:
    """Give the answer to /execution-parameters.

    A job counts in whole megabytes, and 0 means payloads of any size. Where less than one is taken,
    records are asked for one by one, so that each has a good chance to be small enough.

    Args:
        settings: the limit on bodies
        workers: processes that answer, which is what the guide recommends for requests at a time
    """
    megabytes = settings.max_body_bytes // MEGABYTE
    payload_megabytes = max(1, megabytes)
    return {
        "MaxConcurrentTransforms": max(
            1, min(workers, LARGEST_PRODUCT_MEGABYTES // payload_megabytes)
        ),
        "BatchStrategy": "MULTI_RECORD" if megabytes else "SINGLE_RECORD",
        "MaxPayloadInMB": payload_megabytes,
    }
