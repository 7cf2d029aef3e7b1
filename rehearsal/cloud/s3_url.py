"""Where an object of S3 lies, however its URL is written: pure."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

# Of a host that begins with the bucket: S3's endpoint, with its region or without.
ENDPOINT = re.compile(r"\.s3[.-]")


def bucket_and_key(url: str) -> tuple[str, str]:
    """Split an s3:// URL, or an https:// URL of S3 with the bucket in the path or the host.

    The key of an s3:// URL is all that follows the bucket: `?`, `#` and `%` belong to it.
    """
    if not url.startswith("https://"):
        bucket, _, key = url.partition("://")[2].partition("/")
        return bucket, key
    parts = urlsplit(url, allow_fragments=False)
    query = f"?{parts.query}" if parts.query else ""
    path = unquote((parts.path + query).removeprefix("/"))
    if parts.netloc.startswith(("s3.", "s3-")):
        bucket, _, key = path.partition("/")
        return bucket, key
    return ENDPOINT.split(parts.netloc, maxsplit=1)[0], path
