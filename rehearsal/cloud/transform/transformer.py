"""Transforms one object at one instance: read, split, ask, join, assemble."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.fleets.instance import Instance
from rehearsal.cloud.runtime.connection import CHUNKED, Answer
from rehearsal.cloud.runtime.forward import forward
from rehearsal.cloud.transform.errors import Fault, TransformError
from rehearsal.cloud.transform.parameters import SINGLE, Parameters
from rehearsal.cloud.transform.processing import (
    Format,
    Processing,
    filtered_input,
    finished_output,
    format_of,
)
from rehearsal.cloud.transform.records import Record, assemble, batches, split

DEFAULT_TIMEOUT_SECONDS = 600
DEFAULT_RETRIES = 3
RETRY_PAUSE_WALL_SECONDS = 0.1


class Stopped(Exception):
    """The job was told to stop."""


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """One instance's work on the objects it was dealt.

    Args:
        asked: CreateTransformJobRequest
        requests: runs the requests, as many at a time as the parameters say
        stopping: set when the job was told to stop
    """

    instance: Instance
    asked: Mapping[str, Any]
    parameters: Parameters
    processing: Processing
    requests: Executor
    stopping: threading.Event

    def transform(self, data: bytes) -> bytes:
        """Return the output of one object.

        Raises:
            TransformError: a request failed, or the data doesn't fit
            Stopped: the job was told to stop
        """
        data = self._decompressed(data)
        split_type = self.asked["TransformInput"].get("SplitType", "None")
        form = format_of(self.asked["TransformInput"].get("ContentType"))
        # JSON Lines that aren't split still are records to a filter.
        whole_lines = split_type == "None" and form is Format.JSON_LINES and self._is_processed
        records = split(data, "Line" if whole_lines else split_type)
        sent = [self._filtered(record, form) for record in records]
        is_single = self.parameters.strategy == SINGLE and split_type != "None"
        maximum = self.parameters.maximum_bytes
        payloads = (
            [(len(sent), b"".join(record.raw for record in sent))]
            if whole_lines
            else batches(sent, is_single=is_single, maximum_bytes=maximum)
        )
        if whole_lines and len(payloads[0][1]) > maximum:
            raise TransformError(f"The object is larger than MaxPayloadInMB, {maximum} bytes")
        # In order, whatever the order they are answered in.
        answers = list(self.requests.map(self._ask, [payload for _, payload in payloads]))
        outputs: list[bytes] = []
        position = 0
        for (count, _), answer in zip(payloads, answers, strict=True):
            part = records[position : position + count]
            outputs.extend(self._finished(part, answer, form))
            position += count
        with_lines = self.asked["TransformOutput"].get("AssembleWith", "None") == "Line"
        return assemble(outputs, with_lines=with_lines or whole_lines)

    @property
    def _is_processed(self) -> bool:
        return self.processing.filters_input or self.processing.changes_output

    def _decompressed(self, data: bytes) -> bytes:
        if self.asked["TransformInput"].get("CompressionType", "None") != "Gzip":
            return data
        try:
            return gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as err:
            raise TransformError(f"The object is not gzip: {err}") from err

    def _filtered(self, record: Record, form: Format | None) -> Record:
        if not self.processing.filters_input or form is None:
            return record
        payload = filtered_input(self.processing, record.payload, form)
        return Record(raw=payload + b"\n", payload=payload)

    def _ask(self, payload: bytes) -> Answer:
        """Send a payload, again when nothing or a 5xx comes back (assumed which are tried)."""
        config = self.asked.get("ModelClientConfig", {})
        retries = config.get("InvocationsMaxRetries", DEFAULT_RETRIES)
        timeout = config.get("InvocationsTimeoutInSeconds", DEFAULT_TIMEOUT_SECONDS)
        for attempt in range(retries + 1):
            if self.stopping.wait(RETRY_PAUSE_WALL_SECONDS if attempt else 0):
                raise Stopped
            outcome = forward(
                self.instance, headers=self._headers(), body=payload, timeout_seconds=timeout
            )
            answer = outcome.answer
            if answer is not None and outcome.is_good:
                return answer
            if 400 <= outcome.status < 500:
                break
        if self.stopping.is_set():
            raise Stopped
        if answer is None:
            raise TransformError("Unable to get response from algorithm", fault=Fault.INTERNAL)
        said = answer.body.decode("utf-8", "replace")
        if answer.status < 500:
            raise TransformError(f"ClientError: {answer.status}", "", "Message:", said)
        head = f"Bad HTTP status received from algorithm: {answer.status}"
        raise TransformError(head, "", "Message:", said, fault=Fault.ALGORITHM)

    def _headers(self) -> list[tuple[str, str]]:
        found = (
            ("Content-Type", self.asked["TransformInput"].get("ContentType")),
            ("Accept", self.asked["TransformOutput"].get("Accept")),
        )
        headers = [(name, value) for name, value in found if value is not None]
        return headers if self.parameters.payload_mb else [*headers, CHUNKED]

    def _finished(self, records: list[Record], answer: Answer, form: Format | None) -> list[bytes]:
        """Return what is stored for a request's records."""
        if not self.processing.changes_output:
            return [answer.body]
        accept = self.asked["TransformOutput"].get("Accept", answer.headers.get("content-type"))
        answered = format_of(accept)
        if answered is None:
            raise TransformError(f"Output of {accept} can't be joined or filtered")
        if answered is Format.JSON:
            parts = [answer.body]
        else:
            lines = answer.body.split(b"\n")
            parts = [line.rstrip(b"\r") for line in lines if line.strip()]
        if len(parts) != len(records):
            raise TransformError(
                "Fail to join data: mismatched line count between the input and the output: "
                f"{len(records)} and {len(parts)}"
            )
        # Without a format of the input only the output is looked at.
        of_input = answered if form is None else form
        return [
            finished_output(self.processing, record.payload, part, form=of_input, answered=answered)
            for record, part in zip(records, parts, strict=True)
        ]
