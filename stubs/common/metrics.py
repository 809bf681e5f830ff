"""The replica's own metrics for /metrics, in its own registry (a fork must not share its parent's)."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Requests, durations and those in flight per protocol, and how configuration changes went."""

    def __init__(self, service: str, replica: str, version: str, zone: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        info = Info("stub", "The replica", registry=self.registry)
        info.info({"service": service, "replica": replica, "version": version, "zone": zone})
        labels = ("protocol", "method", "route", "status")
        self._requests = Counter("stub_requests", "Requests answered", labels, registry=self.registry)
        self._seconds = Histogram(
            "stub_request_duration_seconds",
            "From a request's arrival to the end of its answer",
            ("protocol", "method", "route"),
            registry=self.registry,
            buckets=BUCKETS,
        )
        self.in_flight = Gauge("stub_requests_in_flight", "Requests being answered", registry=self.registry)
        self._config = Counter("stub_config_changes", "Configurations received", ("result",), registry=self.registry)
        self.ready = Gauge("stub_ready", "1 when the replica takes traffic", registry=self.registry)

    def observe(self, protocol: str, method: str, route: str, status: str, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(protocol, method, route, status).inc()
        self._seconds.labels(protocol, method, route).observe(seconds)

    def config_change(self, result: str) -> None:
        """Count one received configuration: `applied`, `refused` or `removed`."""
        self._config.labels(result).inc()

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)
