"""Pulumi's passphrase secrets, in the official CLI's own form.

Source: observed against the official CLI: PBKDF2-HMAC-SHA256 with 1,000,000 rounds, AES-256-GCM
without associated data.
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
SALT_BYTES, NONCE_BYTES, KEY_BYTES = 8, 12, 32
CHECK_TEXT = "pulumi"
_ADVICE = (
    "please set PULUMI_CONFIG_PASSPHRASE to the correct passphrase or set "
    "PULUMI_CONFIG_PASSPHRASE_FILE to a file containing the passphrase"
)


class SecretsError(EngineError):
    """A secret can't be read or written."""


class Crypter:
    """Encrypts and decrypts the secrets of one salt.

    The key takes most of a second to derive, so it is derived at the first use. A ciphertext that
    was read at a place is written again there as long as its plaintext stays the same, so that
    files change only where values do.
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
        text = _open(self._key("failed to decrypt: incorrect passphrase, " + _ADVICE), ciphertext)
        self._known[place, text] = ciphertext
        return text

    def state_secret(self, text: str, place: str) -> dict[str, str]:
        """Write a secret as the state file keeps it."""
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": self.encrypt(text, place)}

    def check(self) -> None:
        """Fail now if the passphrase is absent or wrong."""
        self._key()

    def _key(self, problem: str = "incorrect passphrase") -> Any:
        if self._cipher is None:
            version, _, rest = self.salt.partition(":")
            salt, _, check = rest.partition(":")
            if version != "v1" or not check:
                raise SecretsError(f"the encryption salt {self.salt!r} is malformed (v1:<salt>:…)")
            cipher = _cipher(self._environ, base64.b64decode(salt))
            try:
                _open(cipher, check)
            except SecretsError as err:
                raise SecretsError(problem) from err
            self._cipher = cipher
        return self._cipher


def new_salt(environ: Mapping[str, str]) -> str:
    """Make the salt of a new stack: `v1:<salt>:<a text that proves the passphrase>`."""
    salt = os.urandom(SALT_BYTES)
    return f"v1:{base64.b64encode(salt).decode()}:{_seal(_cipher(environ, salt), CHECK_TEXT)}"


def _cipher(environ: Mapping[str, str], salt: bytes) -> Any:
    """Derive the key; an empty passphrase counts, a missing one doesn't."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    phrase, file = (environ.get(f"PULUMI_CONFIG_PASSPHRASE{end}") for end in ("", "_FILE"))
    if phrase is None and file:
        try:
            phrase = Path(file).read_text(encoding="utf-8").strip()
        except OSError as err:
            raise SecretsError(f"PULUMI_CONFIG_PASSPHRASE_FILE can't be read: {err}") from err
    if phrase is None:
        raise SecretsError(
            "passphrase must be set with PULUMI_CONFIG_PASSPHRASE or "
            "PULUMI_CONFIG_PASSPHRASE_FILE environment variables"
        )
    return AESGCM(hashlib.pbkdf2_hmac("sha256", phrase.encode(), salt, ROUNDS, KEY_BYTES))


def _seal(cipher: Any, text: str) -> str:
    nonce = os.urandom(NONCE_BYTES)
    parts = (nonce, cipher.encrypt(nonce, text.encode(), None))
    return ":".join(["v1", *(base64.b64encode(part).decode() for part in parts)])


def _open(cipher: Any, ciphertext: str) -> str:
    from cryptography.exceptions import InvalidTag

    try:
        _version, *parts = ciphertext.split(":")
        nonce, sealed = (base64.b64decode(part) for part in parts)
        return str(cipher.decrypt(nonce, sealed, None), "utf-8")
    except (ValueError, InvalidTag) as err:
        raise SecretsError(f"a secret can't be decrypted ({err!r}); has it another salt?") from err
