"""What a rule's target gets of an event: Input, InputPath, InputTransformer. Pure.

Source: EventBridge User Guide, "Amazon EventBridge input transformation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")


def target_text(target: Mapping[str, Any], rule_arn: str, event: Mapping[str, Any]) -> str:
    """Return the text that goes to a target, the whole event where it asks for nothing else."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(value_at(event, target["InputPath"]))
    transformer = target.get("InputTransformer")
    if transformer is None:
        return json.dumps(event)
    paths = transformer.get("InputPathsMap", {})
    values = {name: value_at(event, path) for name, path in paths.items()}
    values["aws.events.event.json"] = dict(event)
    values["aws.events.rule-arn"] = rule_arn
    values["aws.events.rule-name"] = rule_arn.rpartition("/")[2]
    return _filled(transformer["InputTemplate"], values)


def value_at(event: Mapping[str, Any], path: str) -> Any:
    """Follow a path of names and indexes, as `$.detail.ProductionVariants[0].VariantName`."""
    found: Any = event
    for name in re.findall(r"[^.\[\]$]+", path):
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """Put values in place of `<names>`: bare within a string, as JSON elsewhere."""
    parts: list[str] = []
    end = 0
    for match in PLACEHOLDER.finditer(template):
        if match[1] not in values:
            continue
        before = template[end : match.start()]
        parts.append(before)
        value = values[match[1]]
        inside = template[: match.start()].replace('\\"', "").count('"') % 2 == 1
        parts.append(value if inside and isinstance(value, str) else json.dumps(value))
        end = match.end()
    return "".join([*parts, template[end:]])
