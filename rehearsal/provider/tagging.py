"""The provider's own settings about tags: which every resource gets, and which are not ours.

Source: pulumi-aws provider/tags.go (`applyTags`: Check puts `tagsAll` beside `tags`); its migration
guide to version 7 (`tags` are the resource's own alone); terraform-provider-aws `IgnoreConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.provider.value import UNKNOWN, Values, contains_unknown


@dataclass(frozen=True, kw_only=True)
class Tagging:
    """`defaultTags` and `ignoreTags`.

    Args:
        defaults: lie under every resource's own
        ignored_keys: tags neither set nor seen nor taken away
        ignored_prefixes: beginnings of the keys of such tags
    """

    defaults: Mapping[str, str] = field(default_factory=dict)
    ignored_keys: tuple[str, ...] = ()
    ignored_prefixes: tuple[str, ...] = ()

    def all_tags(self, own: Any) -> Any:
        """Every tag a resource shall have; unknown while its own are."""
        if own is UNKNOWN or contains_unknown(own):
            return UNKNOWN
        return self.seen({**self.defaults, **(own or {})})

    def seen(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The tags that are not ignored."""
        return {key: value for key, value in tags.items() if not self._is_ignored(key)}

    def split(self, found: Values, own: Mapping[str, str]) -> Values:
        """What was read, with `tags` as the resource's own and `tagsAll` as all there are.

        Args:
            own: the tags its program gives; a default tag given again stays its own
        """
        if "tags" not in found:
            return found
        every = self.seen(found["tags"])
        tags = {
            key: value
            for key, value in every.items()
            if key in own or self.defaults.get(key) != value
        }
        return {**found, "tags": tags, "tagsAll": every}

    def _is_ignored(self, key: str) -> bool:
        return key in self.ignored_keys or key.startswith(self.ignored_prefixes)


def as_told(values: Values) -> Values:
    """What AWS is told: all tags are a resource's tags there."""
    if "tagsAll" not in values:
        return values
    rest = {name: value for name, value in values.items() if name != "tagsAll"}
    return {**rest, "tags": values["tagsAll"]}
