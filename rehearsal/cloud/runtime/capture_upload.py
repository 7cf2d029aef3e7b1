"""Uploads captured calls beside the invocations, by rehearsal time and when an endpoint goes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.runtime.capture import Capturer, PutObject, settings_from_config
from rehearsal.cloud.runtime.routing import Route
from rehearsal.cloud.settings import INVOCATION_TIMEOUT_WALL_SECONDS

logger = logging.getLogger(__name__)

LOOK_WALL_SECONDS = 0.1
# A request that was let in before its endpoint went may still end so much later.
FORGET_WALL_SECONDS = INVOCATION_TIMEOUT_WALL_SECONDS + 10

Key = tuple[str, str, str]


def anyone_may_write(role_arn: str, bucket: str, key: str) -> bool:
    """Allow every upload: where no policies are evaluated."""
    return True


class Captures:
    """Every capturer there is, and the thread that uploads what they keep.

    Args:
        routes: where requests go now; a capturer that no route names any more uploads at once
    """

    def __init__(
        self, clock: Clock, put: PutObject, routes: Callable[[], Mapping[str, Route]]
    ) -> None:
        # Whether a role may put an object; the cloud sets what evaluates its policies.
        self.may_write: Callable[[str, str, str], bool] = anyone_may_write
        self._clock = clock
        self._put = put
        self._routes = routes
        self._lock = threading.Lock()
        self._capturers: dict[Key, Capturer] = {}
        self._gone_since: dict[Key, float] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def of(
        self, endpoint_name: str, variant_name: str, config_name: str, config: Mapping[str, Any]
    ) -> Capturer | None:
        """Return the capturer of a lane, made on first use; None where nothing is captured."""
        settings = settings_from_config(config.get("DataCaptureConfig"))
        if settings is None:
            return None
        key = (endpoint_name, variant_name, config_name)
        with self._lock:
            known = self._capturers.get(key)
            if known is None or known.settings != settings:
                known = self._capturers[key] = Capturer(endpoint_name, variant_name, settings)
            self._gone_since.pop(key, None)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cloud-capture", daemon=True)
                self._thread.start()
        return known

    def pending(self, endpoint_name: str) -> int:
        """Return how many captured calls of an endpoint wait for their upload."""
        with self._lock:
            mine = [each for key, each in self._capturers.items() if key[0] == endpoint_name]
        return sum(capturer.pending for capturer in mine)

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_WALL_SECONDS):
            # A thread's edge: one bad round must not end capture.
            try:
                self.look()
            except Exception:
                logger.exception("data capture failed")

    def look(self) -> None:
        """Upload once what is due; capturers whose endpoint is gone are due at any time."""
        live = {
            id(lane.capturer)
            for route in list(self._routes().values())
            for variant in route.variants
            for lane in variant.lanes
        }
        now, wall = self._clock.now(), time.monotonic()
        with self._lock:
            capturers = dict(self._capturers)
        for key, capturer in capturers.items():
            is_live = id(capturer) in live
            capturer.upload(now, self._put_as_role, at_once=not is_live)
            with self._lock:
                if is_live:
                    self._gone_since.pop(key, None)
                elif wall - self._gone_since.setdefault(key, wall) > FORGET_WALL_SECONDS:
                    self._capturers.pop(key, None)
                    self._gone_since.pop(key, None)

    def _put_as_role(
        self, bucket: str, key: str, body: bytes, kms_key_id: str | None, role_arn: str | None
    ) -> None:
        if role_arn is not None and not self.may_write(role_arn, bucket, key):
            raise SetupError(f"{role_arn} may not s3:PutObject {key} into {bucket}")
        self._put(bucket, key, body, kms_key_id)
