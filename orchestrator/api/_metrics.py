"""What Prometheus is told: how many of what in the record, how many requests, how long."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from starlette.types import Scope

from orchestrator.api._service import Service
from orchestrator.ledger import _tables as t

# From a read of one row to a long wait [s].
_BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
_STATES = (
    ("dotpilot_campaigns", "Campaigns by state.", t.campaign),
    ("dotpilot_trials", "Trials by state.", t.trial),
    ("dotpilot_leases", "Leases by state.", t.lease),
    ("dotpilot_workers", "Workers by state.", t.worker),
)


class _Record(Collector):
    """Counts rows of the record when it is asked."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        """Declare nothing ahead: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Count."""
        with self._service.ledger.engine.connect() as connection:
            for name, meaning, table in _STATES:
                family = GaugeMetricFamily(name, meaning, labels=["state"])
                query = select(table.c.state, func.count()).group_by(table.c.state)
                for state, count in connection.execute(query):
                    family.add_metric([state], count)
                yield family
            events = connection.execute(select(func.sum(t.campaign.c.event_count))).scalar()
        yield GaugeMetricFamily("dotpilot_events", "Events in the record.", value=events or 0)
        streams = self._service.streams
        yield GaugeMetricFamily("dotpilot_event_streams", "Open event streams.", value=streams)


class Metrics:
    """The metrics of one application."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Record(service))
        self._requests = Counter(
            "dotpilot_requests",
            "Requests by route, method and status.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "dotpilot_request_seconds",
            "Time until the end of the answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def seen(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one answer, by its route's template so that the labels stay few."""
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if route != "other" else "other"
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
