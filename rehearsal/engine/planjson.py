"""`preview --json`: the events of a preview as one document."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.display import PHYSICAL, STACK_TYPE, Event, is_internal
from rehearsal.engine.state import Deployment, hidden_secret, resource_to_json
from rehearsal.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY


class PlanDocument:
    """Collects a preview's steps and messages."""

    def __init__(self, deployment: Deployment) -> None:
        """Take the state before the preview, whose resources the document shows whole."""
        live = (resource for resource in deployment.resources if not resource.delete)
        self._old = {resource.urn: resource for resource in live}
        self._steps: list[Event] = []
        self._messages: list[Event] = []
        self._summary: Event = {}

    def handle(self, event: Event) -> None:
        """Take one event."""
        told = event.get("resourcePreEvent")
        if told is not None:
            metadata = told["metadata"]
            quiet = metadata["op"] == "same" and metadata["type"] != STACK_TYPE
            if not (quiet or metadata["op"] in PHYSICAL or is_internal(metadata)):
                self._steps.append(self._step(metadata))
        message = event.get("diagnosticEvent", {"severity": "debug"})
        if message["severity"] != "debug":
            wanted = ("urn", "prefix", "message", "severity")
            self._messages.append({key: message[key] for key in wanted if message.get(key)})
        self._summary = event.get("summaryEvent", self._summary)

    def document(self) -> dict[str, Any]:
        """Return the document as it stands."""
        document: dict[str, Any] = {"steps": self._steps}
        if self._messages:
            document["diagnostics"] = self._messages
        document["duration"] = self._summary.get("durationSeconds", 0) * 1_000_000_000
        document["changeSummary"] = self._summary.get("resourceChanges", {})
        return document

    def _step(self, metadata: Event) -> Event:
        step: Event = {"op": metadata["op"], "urn": metadata["urn"]}
        if metadata.get("provider"):
            step["provider"] = metadata["provider"]
        old = self._old.get(metadata["urn"]) if metadata.get("old") else None
        if old is not None:
            gone = {"delete": True} if metadata["old"].get("delete") else {}
            step["oldState"] = resource_to_json(old, hidden_secret) | gone
        if metadata.get("new"):
            times = {name: getattr(old, name) for name in ("created", "modified") if old}
            state = {"custom": False, **metadata["new"], **times}
            step["newState"] = {
                key: _hide(item) for key, item in state.items() if item or key == "custom"
            }
        for name, member in (("diffReasons", "diffs"), ("replaceReasons", "keys")):
            if metadata.get(member):
                step[name] = metadata[member]
        detailed = metadata.get("detailedDiff")
        step["detailedDiff"] = detailed and {
            path: {"kind": change["diffKind"], "inputDiff": change["inputDiff"]}
            for path, change in detailed.items()
        }
        return step


def _hide(value: Any) -> Any:
    if isinstance(value, list):
        return [_hide(item) for item in value]
    if isinstance(value, dict):
        secret = value.get(SIGNATURE_KEY) == SECRET_SIGNATURE
        return "[secret]" if secret else {key: _hide(item) for key, item in value.items()}
    return value
