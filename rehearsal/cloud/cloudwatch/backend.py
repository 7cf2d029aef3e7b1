"""CloudWatch with moto's wire and our data: exact series, rehearsal time, alarms that evaluate."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, MetricDatumBase

from rehearsal.cloud.clock import Clock, datetime_from_epoch
from rehearsal.cloud.cloudwatch.alarm import AlarmRule, AlarmState, evaluate, reason_for
from rehearsal.cloud.cloudwatch.metrics import Bucket, MetricStore, SeriesKey, series_key
from rehearsal.cloud.record import Record

MAXIMUM_DATAPOINTS = 1_440
INTERVAL_SECONDS = 60


class RehearsedCloudWatch(CloudWatchBackend):
    """moto's backend with its data and its alarm states replaced."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.store = MetricStore()
        self.lock = threading.RLock()
        self._clock: Clock | None = None
        self._record: Record | None = None
        self._before_query: Callable[[], None] = lambda: None
        self._evaluated: dict[str, int] = {}

    def attach(self, clock: Clock, record: Record, before_query: Callable[[], None]) -> None:
        """Give the backend its time and its record; moto builds backends without arguments.

        Args:
            before_query: called before data is read, to bring in what was measured since
        """
        self._clock = clock
        self._record = record
        self._before_query = before_query

    @property
    def clock(self) -> Clock:
        assert self._clock is not None
        return self._clock

    # ---- alarms

    def put_metric_alarm(self, name: str, *args: Any, **kwargs: Any) -> Alarm:
        """Create or change an alarm: a new one knows nothing, a changed one keeps its state."""
        period = kwargs.get("period")
        if period is not None and int(period) < INTERVAL_SECONDS:
            raise ValidationError(
                f"the rehearsal cloud does not do alarms with a period of {period} seconds; "
                "use 60 or a multiple of it"
            )
        if kwargs.get("metric_data_queries") or kwargs.get("rule"):
            raise ValidationError(
                f"the rehearsal cloud does not do metric math or composite alarms; give alarm "
                f"{name} a MetricName"
            )
        with self.lock:
            before = self.alarms.get(name)
            alarm = super().put_metric_alarm(name, *args, **kwargs)
            now = datetime_from_epoch(self.clock.now())
            alarm.configuration_updated_timestamp = now
            if before is None:
                alarm.state_value = AlarmState.INSUFFICIENT_DATA.value
                alarm.state_updated_timestamp = now
                self._evaluated[name] = self._round()
            else:
                for member in ("state_value", "state_reason", "state_reason_data"):
                    setattr(alarm, member, getattr(before, member))
                alarm.state_updated_timestamp = before.state_updated_timestamp
            return alarm

    def set_alarm_state(
        self, alarm_name: str, reason: str, reason_data: str, state_value: str
    ) -> None:
        with self.lock:
            super().set_alarm_state(alarm_name, reason, reason_data, state_value)
            alarm = self.alarms[alarm_name]
            alarm.state_updated_timestamp = datetime_from_epoch(self.clock.now())
            self._evaluated[alarm_name] = self._round()
            self._tell(alarm, "set by SetAlarmState")

    def states(self) -> dict[str, str]:
        """Return every alarm's state by name."""
        with self.lock:
            return {name: str(alarm.state_value) for name, alarm in self.alarms.items()}

    def evaluate_alarms(self) -> list[Alarm]:
        """Evaluate what is due; return the alarms evaluated now."""
        with self.lock:
            due = []
            for name, alarm in self.alarms.items():
                current_round = self._round()
                if self._evaluated.get(name) != current_round:
                    self._evaluated[name] = current_round
                    self._evaluate(alarm)
                    due.append(alarm)
            return due

    def _round(self) -> int:
        """Number the evaluation: alarms are evaluated once a minute."""
        return math.floor(self.clock.now() / INTERVAL_SECONDS)

    def _evaluate(self, alarm: Alarm) -> None:
        rule = rule_from_alarm(alarm)
        period = int(alarm.period)
        end = self._round() * INTERVAL_SECONDS
        key = series_key(alarm.namespace, alarm.metric_name, dimensions_of(alarm))
        statistic = alarm.statistic if alarm.statistic else str(alarm.extended_statistic)
        datapoints = [
            _statistic(self.store.period(key, end - back * period, period), statistic)
            for back in range(rule.range_periods, 0, -1)
        ]
        before = AlarmState(alarm.state_value)
        state = evaluate(rule, datapoints, before)
        if state is not before:
            reason = reason_for(rule, datapoints, state)
            alarm.update_state(reason, "{}", state.value)
            alarm.state_updated_timestamp = datetime_from_epoch(self.clock.now())
            self._tell(alarm, reason)

    def _tell(self, alarm: Alarm, reason: str) -> None:
        if self._record is not None:
            dimensions = dimensions_of(alarm)
            self._record.event(
                "alarm_state",
                endpoint_name=dimensions.get("EndpointName"),
                alarm_name=alarm.name,
                state=str(alarm.state_value),
                reason=reason,
            )

    # ---- metric data

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        for index, metric in enumerate(metric_data):
            self._validate_parameters_put_metric_data(metric, index + 1)
        for metric in metric_data:
            stamp = metric.get("Timestamp")
            moment = _epoch(stamp) if stamp is not None else self.clock.now()
            key = series_key(namespace, metric["MetricName"], _dimensions(metric))
            unit = metric.get("Unit", "")
            if metric.get("StatisticValues"):
                self.store.put_bucket(key, moment, _bucket(metric["StatisticValues"], unit))
            elif metric.get("Values"):
                counts = metric.get("Counts") or [1] * len(metric["Values"])
                for value, count in zip(metric["Values"], counts, strict=True):
                    self.store.put(key, moment, float(value), count=float(count), unit=unit)
            else:
                self.store.put(key, moment, float(metric.get("Value", 0)), unit=unit)

    def get_metric_statistics(  # type: ignore[override]
        self,
        namespace: str,
        metric_name: str,
        start_time: datetime,
        end_time: datetime,
        period: int,
        stats: list[str],
        dimensions: list[dict[str, str]],
        unit: str | None = None,
        extended_stats: Iterable[str] = (),
    ) -> list[dict[str, Any]]:
        """Return one datapoint per period that has data, periods on the minute boundary."""
        if start_time >= end_time:
            raise InvalidParameterValue(
                "The parameter StartTime must be less than the parameter EndTime."
            )
        self._before_query()
        key = series_key(namespace, metric_name, _pairs(dimensions))
        datapoints = []
        for moment, bucket in self._buckets(key, start_time, end_time, int(period)):
            if unit and bucket.unit != unit:
                continue
            point: dict[str, Any] = {name: bucket.statistic(name) for name in stats}
            extended = {name: bucket.statistic(name) for name in extended_stats}
            if extended:
                point["ExtendedStatistics"] = extended
            datapoints.append(
                {"Timestamp": datetime_from_epoch(moment), "Unit": bucket.unit or "None", **point}
            )
        return datapoints

    def get_metric_data(
        self,
        queries: list[dict[str, Any]],
        start_time: datetime,
        end_time: datetime,
        scan_by: str = "TimestampDescending",
    ) -> list[dict[str, Any]]:
        """Answer each MetricStat by its exact series."""
        if start_time >= end_time:
            raise ValidationError("The parameter EndTime must be greater than StartTime.")
        if any("Expression" in query for query in queries):
            raise ValidationError(
                "the rehearsal cloud does not do metric math or Metrics Insights; use MetricStat"
            )
        self._before_query()
        results = [self._metric_stat(query, start_time, end_time, scan_by) for query in queries]
        return [
            result
            for query, result in zip(queries, results, strict=True)
            if query.get("ReturnData", True)
        ]

    def _metric_stat(
        self, query: Mapping[str, Any], start: datetime, end: datetime, scan_by: str
    ) -> dict[str, Any]:
        stat = query["MetricStat"]
        metric = stat["Metric"]
        key = series_key(metric["Namespace"], metric["MetricName"], _dimensions(metric))
        found = [
            (datetime_from_epoch(moment), bucket.statistic(stat["Stat"]))
            for moment, bucket in self._buckets(key, start, end, int(stat["Period"]))
        ]
        if scan_by != "TimestampAscending":
            found.reverse()
        label = f"{metric['MetricName']} {stat['Stat']}"
        return _result(query, label, [moment for moment, _ in found], [value for _, value in found])

    def _buckets(
        self, key: SeriesKey, start: datetime, end: datetime, period: int
    ) -> list[tuple[float, Bucket]]:
        first = math.floor(_epoch(start) / period) * period
        count = math.ceil((_epoch(end) - first) / period)
        if count > MAXIMUM_DATAPOINTS:
            raise InvalidParameterValue(
                f"You have requested up to {count} datapoints, which exceeds the limit of "
                f"{MAXIMUM_DATAPOINTS}. You may reduce the datapoints requested by increasing "
                "Period, or decreasing the time range."
            )
        found = []
        for index in range(count):
            moment = first + index * period
            bucket = self.store.period(key, moment, period)
            if bucket is not None:
                found.append((float(moment), bucket))
        return found

    def get_all_metrics(self) -> list[MetricDatumBase]:
        """Return one datum per series, which is all moto's ListMetrics looks at."""
        self._before_query()
        return [
            MetricDatumBase(
                key.namespace,
                key.name,
                [{"Name": name, "Value": value} for name, value in key.dimensions],
                None,
            )
            for key in self.store.keys()  # noqa: SIM118 - a method of ours, no mapping
        ]


def rule_from_alarm(alarm: Alarm) -> AlarmRule:
    """Return the part of a moto alarm that decides its state."""
    needed = alarm.datapoints_to_alarm
    return AlarmRule(
        comparison_operator=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        evaluation_periods=int(alarm.evaluation_periods),
        datapoints_to_alarm=int(needed) if needed is not None else None,
        treat_missing_data=alarm.treat_missing_data or "missing",
    )


def dimensions_of(alarm: Alarm) -> dict[str, str]:
    """Return an alarm's dimensions by name."""
    return {str(d.name): str(d.value) for d in alarm.dimensions}


def _statistic(bucket: Bucket | None, name: str) -> float | None:
    return bucket.statistic(name) if bucket is not None else None


def _result(
    query: Mapping[str, Any], label: str, timestamps: list[Any], values: list[Any]
) -> dict[str, Any]:
    return {
        "id": query["Id"],
        "label": query.get("Label") or label,
        "values": values,
        "timestamps": timestamps,
        "status_code": "Complete",
    }


def _bucket(statistics: Mapping[str, Any], unit: str) -> Bucket:
    return Bucket(
        sample_count=float(statistics["SampleCount"]),
        total=float(statistics["Sum"]),
        minimum=float(statistics["Minimum"]),
        maximum=float(statistics["Maximum"]),
        unit=unit or None,
    )


def _dimensions(metric: Mapping[str, Any]) -> dict[str, str]:
    return _pairs(metric.get("Dimensions", ()))


def _pairs(dimensions: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {entry["Name"]: entry["Value"] for entry in dimensions or ()}


def _epoch(moment: datetime) -> float:
    """Return epoch seconds; moto's parser gives UTC with or without saying so."""
    return moment.replace(tzinfo=UTC).timestamp() if moment.tzinfo is None else moment.timestamp()
