"""Passphrase secrets: what the official CLI wrote is read, and what is written is in its form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rehearsal.engine.secrets import Crypter, SecretsError, new_salt

# Written by the official CLI with the passphrase "rehearsal".
SALT = "v1:/W3ILUN0hSk=:v1:qUf8ZhDA5eSiPodn:FoIsXXjHkA/UIyryHDPtKqBgznGsNQ=="
HUNTER = "v1:uKVZjv4K1eniVfhi:CuZmdZ9Hf/WmfIfbGCQjBcal6P4l5pU="
X = "v1:4Ajy2QVabbU/79rt:/nBhaipn0HBwpLheKv2A/lM="
RIGHT = {"PULUMI_CONFIG_PASSPHRASE": "rehearsal"}


@pytest.fixture(scope="module")
def crypter() -> Crypter:
    return Crypter(SALT, RIGHT)


def test_secrets_of_the_official_cli_are_read(crypter: Crypter) -> None:
    assert crypter.decrypt(HUNTER) == "hunter2"
    assert crypter.decrypt(X) == "x"


def test_new_ciphertext_is_read_again(crypter: Crypter) -> None:
    sealed = crypter.encrypt("né", "a")

    assert re.fullmatch(r"v1:[A-Za-z0-9+/=]{16}:[A-Za-z0-9+/=]+", sealed)
    assert crypter.decrypt(sealed) == "né"


def test_unchanged_secret_keeps_its_ciphertext_and_a_changed_one_gets_another() -> None:
    crypter = Crypter(SALT, RIGHT)
    crypter.decrypt(HUNTER, "urn#inputs")

    assert crypter.encrypt("hunter2", "urn#inputs") == HUNTER
    assert crypter.encrypt("hunter2", "urn#outputs") != HUNTER
    assert crypter.encrypt("hunter3", "urn#inputs") != HUNTER


def test_wrong_passphrase_is_told_before_anything_is_decrypted() -> None:
    with pytest.raises(SecretsError, match=r"^incorrect passphrase$"):
        Crypter(SALT, {"PULUMI_CONFIG_PASSPHRASE": "wrong"}).check()


def test_missing_passphrase_names_both_variables() -> None:
    with pytest.raises(
        SecretsError, match="PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
    ):
        Crypter(SALT, {}).check()


def test_passphrase_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "phrase"
    file.write_text("rehearsal\n")

    assert Crypter(SALT, {"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}).decrypt(X) == "x"


def test_unreadable_passphrase_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecretsError, match="absent"):
        new_salt({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "absent")})


def test_empty_passphrase_counts_as_one_and_its_salt_proves_it() -> None:
    salt = new_salt({"PULUMI_CONFIG_PASSPHRASE": ""})

    Crypter(salt, {"PULUMI_CONFIG_PASSPHRASE": ""}).check()
    with pytest.raises(SecretsError, match=r"^incorrect passphrase$"):
        Crypter(salt, RIGHT).check()


def test_malformed_salt_and_damaged_text_are_refused(crypter: Crypter) -> None:
    with pytest.raises(SecretsError, match="malformed"):
        Crypter("v2:x", RIGHT).check()
    with pytest.raises(SecretsError, match="can't be decrypted"):
        crypter.decrypt(HUNTER[:-6] + "AAAAA=")
