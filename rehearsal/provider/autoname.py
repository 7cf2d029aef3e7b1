"""Physical names made from logical ones, as bridged providers make them.

Source: pulumi-terraform-bridge, pkg/tfbridge/names.go and pkg/tfbridge/schema.go (`applyDefaults`).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import IntEnum

from rehearsal.provider.entry import Autoname

RANDOM_HEX_DIGITS = 7


class AutonamingMode(IntEnum):
    """What the stack's `pulumi:autonaming` setting asks of the provider."""

    PROPOSE = 0
    ENFORCE = 1
    DISABLE = 2


@dataclass(frozen=True, kw_only=True)
class ProposedName:
    """The engine's own proposal, made only if the stack configures autonaming."""

    text: str
    mode: AutonamingMode


class AutonamingDisabledError(ValueError):
    """A name is needed, none is given, and the stack forbids making one."""


def physical_name(
    rule: Autoname, logical_name: str, seed: bytes, proposed: ProposedName | None
) -> str:
    """The name a resource gets when the program gives none.

    Args:
        seed: random bytes of this run and resource; the same seed makes the same name

    Raises:
        AutonamingDisabledError: the stack's autonaming mode is `disabled`
    """
    if proposed is not None and rule.random:
        if proposed.mode is AutonamingMode.DISABLE:
            raise AutonamingDisabledError(
                f"automatic naming is disabled for this resource; give {rule.property!r} a value"
            )
        text = proposed.text
    elif not rule.random:
        text = logical_name
    else:
        room = rule.maximum_length - RANDOM_HEX_DIGITS - 1
        text = f"{logical_name[:room]}-{_hex_digits(seed, logical_name)}"
    return text.lower() if rule.lower_case else text


def _hex_digits(seed: bytes, logical_name: str) -> str:
    if not seed:
        return secrets.token_hex(RANDOM_HEX_DIGITS)[:RANDOM_HEX_DIGITS]
    return hashlib.sha256(seed + logical_name.encode()).hexdigest()[:RANDOM_HEX_DIGITS]
