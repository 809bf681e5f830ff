"""prometheus: statuses, latencies and bandwidth of each route, exported on a port of its own or through public-api."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.metrics import Cell, Labels, Metrics
from harness.emulators.apisix.variables import getter

_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000)
_LLM = ("request_type", "request_llm_model", "llm_model")
_WHO = ("consumer", "node", *_LLM)
_STATUS = ("code", "route", "matched_uri", "matched_host", "service", *_WHO, "response_source")
_TYPED = ("type", "route", "service", *_WHO)
_BY_ID = ("route_id", "service_id", *_WHO)
_BOTH = ("route", "route_id", "service", "service_id", *_WHO)
#: the labels that metadata may switch off, by metric; a metric's own kind (`code`, `type`, `layer`) may not be
_OPTIONAL: Mapping[str, Labels] = {
    "http_status": _STATUS[1:],
    "http_latency": _TYPED[1:],
    "bandwidth": _TYPED[1:],
    "llm_latency": _BY_ID,
    "llm_prompt_tokens": _BY_ID,
    "llm_completion_tokens": _BY_ID,
    "llm_active_connections": ("route", "route_id", "matched_uri", "matched_host", "service", "service_id", *_WHO),
    "llm_prompt_tokens_dist": _BY_ID,
    "llm_completion_tokens_dist": _BY_ID,
    "ai_cache_hits_total": _BOTH,
    "ai_cache_misses_total": _BOTH,
    "ai_cache_bypasses_total": _BOTH,
    "ai_cache_embedding_latency": _BOTH,
}
#: how long a worker keeps its figures to itself, in seconds
_PUBLISH_AFTER = 0.2
_MOST_KEPT = 10_000
DEFAULT_EXPORT_URI = "/apisix/prometheus/metrics"


class _Cells:
    """Where one combination of labels is counted."""

    __slots__ = ("apisix", "egress", "ingress", "request", "status", "upstream")

    def __init__(self, status: Cell, request: Cell, apisix: Cell, ingress: Cell, egress: Cell) -> None:
        self.status = status
        self.request = request
        self.apisix = apisix
        self.ingress = ingress
        self.egress = egress
        self.upstream: Cell | None = None


class Prometheus(Plugin):
    name = "prometheus"
    priority = 500
    version = 0.2
    run_policy = "prefer_route"
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"prefer_name": {"type": "boolean", "default": False}},
    }
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "disabled_labels": {
                "type": "object",
                "properties": {
                    metric: {"type": "array", "items": {"type": "string", "enum": list(labels)}}
                    for metric, labels in _OPTIONAL.items()
                },
                "additionalProperties": False,
            },
        },
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._prefer_name: bool = conf["prefer_name"]
        self._metrics = metrics = metrics_of(scope)
        self._buckets = tuple(metrics.attr.get("default_buckets", _BUCKETS))
        self._extra = {name: _extra_labels(metrics.attr, name) for name in ("http_status", "http_latency", "bandwidth")}
        self._has_extra = any(self._extra.values())
        self._cells: dict[Any, _Cells] = {}
        self._valid: tuple[Any, int] = (None, metrics.generation)
        self._now = scope.clock.time

    def log(self, ctx: Context) -> None:
        """Count the request; the cells of a combination of labels are looked up once and kept."""
        metrics = self._metrics
        metadata = self.scope.metadata("prometheus")
        valid = self._valid
        if metadata is not valid[0] or metrics.generation != valid[1]:
            self._cells.clear()
            self._valid = (metadata, metrics.generation)
        tries, route, consumer, params = ctx.tries, ctx.route, ctx.consumer, ctx.path_params
        key: Any = (
            ctx.status,
            route.id if route is not None else None,
            consumer.name if consumer is not None else "",
            tries[-1].address if tries else "",
            ctx.from_upstream,
            params.get("_path") if params else None,
            ctx.host if route is not None and route.hosts else "",
        )
        if self._has_extra:
            key = (key, self._extra_values(ctx))
        if self._prefer_name:
            key = (key, self._names(ctx))
        cells = self._cells.get(key)
        if cells is None:
            if len(self._cells) > _MOST_KEPT:  # a wildcard host lets clients make up as many as they like
                self._cells.clear()
            cells = self._cells[key] = self._look_up(ctx)
        cells.status[0] += 1
        cells.ingress[0] += ctx.request_length
        cells.egress[0] += ctx.bytes_sent
        latency = own = (self._now() - ctx.started) * 1000
        buckets = self._buckets
        if tries:
            spent = 0.0
            for attempt in tries:
                spent += attempt.response_time or 0.0
            spent *= 1000
            own = latency - spent if latency > spent else 0.0
            cell = cells.upstream or self._upstream(ctx, cells)
            cell[bisect_left(buckets, spent)] += 1
            cell[-1] += spent
        cell = cells.request
        cell[bisect_left(buckets, latency)] += 1
        cell[-1] += latency
        cell = cells.apisix
        cell[bisect_left(buckets, own)] += 1
        cell[-1] += own
        if not metrics.dirty:
            _publish_later(metrics)

    def _look_up(self, ctx: Context) -> _Cells:
        route, service = self._names(ctx)
        params = ctx.path_params or {}
        consumer = ctx.consumer.name if ctx.consumer is not None else ""
        node = ctx.tries[-1].address.rpartition(":")[0] if ctx.tries else ""
        kind = ctx.variables.get("request_type", "traditional_http")
        who = (consumer, node, kind, *(ctx.variables.get(name, "")[:128] for name in _LLM[1:]))
        place = (route, params.get("_path", ""), _matched_host(ctx), service)
        status = self._cell(ctx, "http_status", (str(ctx.status), *place, *who, _source(ctx)))
        typed = (route, service, *who)
        return _Cells(
            status,
            self._cell(ctx, "http_latency", ("request", *typed)),
            self._cell(ctx, "http_latency", ("apisix", *typed)),
            self._cell(ctx, "bandwidth", ("ingress", *typed)),
            self._cell(ctx, "bandwidth", ("egress", *typed)),
        )

    def _upstream(self, ctx: Context, cells: _Cells) -> Cell:
        route, service = self._names(ctx)
        consumer = ctx.consumer.name if ctx.consumer is not None else ""
        node = ctx.tries[-1].address.rpartition(":")[0]
        kind = ctx.variables.get("request_type", "traditional_http")
        models = (ctx.variables.get(name, "")[:128] for name in _LLM[1:])
        labels = ("upstream", route, service, consumer, node, kind, *models)
        cells.upstream = self._cell(ctx, "http_latency", labels)
        return cells.upstream

    def _names(self, ctx: Context) -> tuple[str, str]:
        """The labels of route and service: their ids, or with `prefer_name` their names where they have any."""
        value: Mapping[str, Any] = getattr(ctx.route, "value", None) or {}
        route, service = str(value.get("id", "")), str(value.get("service_id", ""))
        if not self._prefer_name:
            return route, service
        held = (self.scope.stored("services", service) if service else None) or {}
        return value.get("name") or route, held.get("name") or service

    def _cell(self, ctx: Context, metric: str, values: Labels) -> Cell:
        names = _STATUS if metric == "http_status" else _TYPED
        disabled = ((self._valid[0] or {}).get("disabled_labels") or {}).get(metric, ())
        if disabled:
            values = tuple("" if name in disabled else value for name, value in zip(names, values, strict=True))
        extra = self._extra[metric]
        labels = names + tuple(name for name, _ in extra)
        values += tuple(_text(get(ctx)) for _, get in extra)
        help, kind, buckets = _FAMILIES[metric]
        family = self._metrics.family(metric, help, kind, labels, self._buckets if buckets else ())
        return family.cell(values)

    def _extra_values(self, ctx: Context) -> Labels:
        return tuple(_text(get(ctx)) for extra in self._extra.values() for _, get in extra)

    @classmethod
    def public_api(cls, scope: Scope) -> Mapping[tuple[str, str], App]:
        """Nothing while the export server is on, as in the real one: then it alone tells the metrics."""
        if scope.attr.get("enable_export_server", True):
            return {}
        uri = scope.attr.get("export_uri", DEFAULT_EXPORT_URI)
        return {("GET", uri): export_app(metrics_of(scope), uri)}


_FAMILIES = {
    "http_status": ("HTTP status codes per service in APISIX", "counter", False),
    "http_latency": ("HTTP request latency in milliseconds per service in APISIX", "histogram", True),
    "bandwidth": ("Total bandwidth in bytes consumed per service in APISIX", "counter", False),
}


def metrics_of(scope: Scope) -> Metrics:
    """The gateway's metrics; `scope.attr` must be plugin_attr.prometheus. The server sets their `facts`."""
    return scope.keep("prometheus", lambda: Metrics(scope.shared("prometheus-metrics"), scope.clock, scope.attr))


def export_app(metrics: Metrics, uri: str = DEFAULT_EXPORT_URI) -> App:
    """The export server: the exposition at `uri`, nginx's 404 everywhere else."""

    def answer(request: Request) -> Response:
        if request.method != "GET" or request.path != uri:
            return Response(404, None)
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        return Response(200, metrics.text().encode("latin-1", "replace"), headers, chunked=True)

    return answer


def _matched_host(ctx: Context) -> str:
    """The pattern among the route's hosts under which it was found: the host itself, else the longest wildcard."""
    hosts = (ctx.route.hosts if ctx.route is not None else None) or ()
    if ctx.host in hosts:
        return ctx.host
    fitting = [host for host in hosts if host.startswith("*") and ctx.host.endswith(host[1:].lower())]
    return max(fitting, key=len, default="")


def _source(ctx: Context) -> str:
    """Who made the answer (core.response.get_response_source)."""
    if ctx.from_upstream:
        return "upstream"
    return "nginx" if ctx.tries else "apisix"


def _extra_labels(attr: Mapping[str, Any], metric: str) -> list[tuple[str, Callable[[Context], Any]]]:
    pairs = ((attr.get("metrics") or {}).get(metric) or {}).get("extra_labels") or ()
    return [(name, getter(str(variable)[1:])) for pair in pairs for name, variable in pair.items()]


def _text(value: Any) -> str:
    return "" if value is None else to_text(value)


def _publish_later(metrics: Metrics) -> None:
    """Tell the other workers soon; outside of a loop nobody asks for the sums of several workers."""
    metrics.dirty = True
    try:
        asyncio.get_running_loop().call_later(_PUBLISH_AFTER, metrics.publish)
    except RuntimeError:
        metrics.publish()
