"""Pulumi's passphrase secrets, in the official CLI's own form.

Source: observed against the official CLI (PBKDF2-HMAC-SHA256, 1,000,000 rounds, AES-256-GCM
without associated data).
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.engine.errors import EngineError
from rehearsal.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY

ROUNDS = 1_000_000
SALT_BYTES = 8
NONCE_BYTES = 12
KEY_BYTES = 32
CHECK_TEXT = "pulumi"


class SecretsError(EngineError):
    """A secret can't be read or written."""


class Crypter:
    """Encrypts and decrypts the secrets of one salt.

    The key takes most of a second to derive, so it is derived at the first use. A ciphertext that
    was read at a place is written again at that place as long as its plaintext stays the same, so
    that files change only where values do.
    """

    def __init__(self, salt: str, environ: Mapping[str, str]) -> None:
        self.salt = salt
        self._environ = environ
        self._cipher: Any = None
        self._known: dict[tuple[str, str], str] = {}

    def encrypt(self, text: str, place: str = "") -> str:
        """Return `v1:<nonce>:<ciphertext>` of a text."""
        if (place, text) not in self._known:
            self._known[place, text] = _seal(self._key(), text)
        return self._known[place, text]

    def decrypt(self, ciphertext: str, place: str = "") -> str:
        """Return the text of a `v1:<nonce>:<ciphertext>`.

        Raises:
            SecretsError: wrong passphrase, or a damaged text.
        """
        text = _open(self._key(), ciphertext)
        self._known[place, text] = ciphertext
        return text

    def state_secret(self, text: str, place: str) -> dict[str, str]:
        """Write a secret as the state file keeps it."""
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": self.encrypt(text, place)}

    def check(self) -> None:
        """Fail now if the passphrase is absent or wrong."""
        self._key()

    def _key(self) -> Any:
        if self._cipher is None:
            try:
                version, salt, check = self.salt.split(":", 2)
            except ValueError:
                version, salt, check = "", "", ""
            if version != "v1":
                raise SecretsError(
                    f"the encryption salt {self.salt!r} is malformed; it starts with v1:"
                )
            cipher = _cipher(passphrase(self._environ), base64.b64decode(salt))
            try:
                right = _open(cipher, check) == CHECK_TEXT
            except SecretsError:
                right = False
            if not right:
                raise SecretsError("incorrect passphrase")
            self._cipher = cipher
        return self._cipher


def new_salt(environ: Mapping[str, str]) -> str:
    """Make the salt of a new stack: `v1:<salt>:<a text that proves the passphrase>`."""
    salt = os.urandom(SALT_BYTES)
    check = _seal(_cipher(passphrase(environ), salt), CHECK_TEXT)
    return f"v1:{base64.b64encode(salt).decode()}:{check}"


def passphrase(environ: Mapping[str, str]) -> str:
    """Return the passphrase from the environment; an empty one counts, a missing one doesn't.

    Raises:
        SecretsError: neither variable is set, or the file can't be read.
    """
    if "PULUMI_CONFIG_PASSPHRASE" in environ:
        return environ["PULUMI_CONFIG_PASSPHRASE"]
    file = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if not file:
        raise SecretsError(
            "passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE "
            "environment variables"
        )
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as err:
        raise SecretsError(
            f"PULUMI_CONFIG_PASSPHRASE_FILE names {file}, which can't be read: {err}"
        ) from err


def _cipher(phrase: str, salt: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(hashlib.pbkdf2_hmac("sha256", phrase.encode(), salt, ROUNDS, KEY_BYTES))


def _seal(cipher: Any, text: str) -> str:
    nonce = os.urandom(NONCE_BYTES)
    sealed = cipher.encrypt(nonce, text.encode(), None)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"


def _open(cipher: Any, ciphertext: str) -> str:
    from cryptography.exceptions import InvalidTag

    try:
        version, nonce, sealed = ciphertext.split(":")
        if version != "v1":
            raise ValueError(f"version {version!r}")
        plain: bytes = cipher.decrypt(base64.b64decode(nonce), base64.b64decode(sealed), None)
    except (ValueError, InvalidTag) as err:
        raise SecretsError(
            f"a secret can't be decrypted ({type(err).__name__}); is its salt another one?"
        ) from err
    return plain.decode()
