"""S3 objects as an execution role may read and write them, and the keys they are encrypted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rehearsal.cloud.errors import SetupError


class Objects(Protocol):
    """Where objects lie."""

    def read(self, bucket: str, key: str) -> bytes | None:
        """Return an object's bytes, or None when there is no such object."""

    def keys(self, bucket: str, prefix: str) -> list[str] | None:
        """Return the keys with a prefix, or None when there is no such bucket."""

    def write(
        self, bucket: str, key: str, data: bytes, *, content_type: str, kms_key_id: str | None
    ) -> None:
        """Put an object; SetupError when there is no such bucket."""


class Permissions(Protocol):
    """What a role may do now."""

    def may_read(self, role_arn: str, bucket: str, key: str) -> bool:
        """Tell whether s3:GetObject is allowed."""

    def may_list(self, role_arn: str, bucket: str, prefix: str = "") -> bool:
        """Tell whether s3:ListBucket is allowed."""

    def may_write(
        self, role_arn: str, bucket: str, key: str, kms_key_id: str | None = None
    ) -> bool:
        """Tell whether s3:PutObject is allowed, and the use of the key that would encrypt it."""

    def may_decrypt(self, role_arn: str, bucket: str, key: str) -> bool:
        """Tell whether the role may use the key an object is encrypted with, if any."""


@dataclass(frozen=True, kw_only=True)
class RoleObjects:
    """Reads and writes for roles; what can't be done is a SetupError that says why."""

    objects: Objects
    permissions: Permissions

    def read(self, role_arn: str, bucket: str, key: str) -> bytes:
        """Return an object.

        Raises:
            SetupError: there is none, or the role may not read or decrypt it
        """
        if not self.permissions.may_read(role_arn, bucket, key):
            raise SetupError(f"{role_arn} may not read it")
        if not self.permissions.may_decrypt(role_arn, bucket, key):
            raise SetupError(f"{role_arn} may not decrypt it with its KMS key")
        found = self.objects.read(bucket, key)
        if found is None:
            raise SetupError("no such object")
        return found

    def keys(self, role_arn: str, bucket: str, prefix: str) -> list[str]:
        """Return the keys with a prefix; none where the role may not list them."""
        if not self.permissions.may_list(role_arn, bucket, prefix):
            return []
        found = self.objects.keys(bucket, prefix)
        return [] if found is None else found

    def write(
        self,
        role_arn: str,
        bucket: str,
        key: str,
        data: bytes,
        *,
        content_type: str,
        kms_key_id: str | None,
    ) -> None:
        """Put an object, encrypted where a key is named.

        Raises:
            SetupError: there is no bucket, or the role may not write there or use the key
        """
        encrypted_by = kms_key_id if kms_key_id else None
        if not self.permissions.may_write(role_arn, bucket, key, encrypted_by):
            raise SetupError(
                f"{role_arn} may not write it or use the KMS key it would be encrypted with, or "
                "there is no bucket"
            )
        self.objects.write(bucket, key, data, content_type=content_type, kms_key_id=encrypted_by)
