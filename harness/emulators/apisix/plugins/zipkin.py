"""zipkin: spans of a request to a Zipkin collector, and B3 headers for the upstream."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.batch_queue import BatchQueue, SendFailed
from harness.emulators.apisix.plugins.log_entry import readable
from harness.emulators.apisix.plugins.senders import post

_TRACE = "zipkin"
_TRACE_ID = re.compile(r"[0-9a-fA-F]{16}(?:[0-9a-fA-F]{16})?\Z")
_SPAN_ID = re.compile(r"[0-9a-fA-F]{16}\Z")
_QUEUE = {
    "name": "zipkin_report",
    "retry_delay": 1,
    "batch_max_size": 1000,
    "max_retry_count": 0,
    "buffer_duration": 60,
    "inactive_timeout": 5,
}


@dataclass(slots=True)
class Span:
    """A piece of a request's time; seconds since the epoch."""

    name: str
    identity: str
    parent: str | None
    start: float
    kind: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    peer: dict[str, Any] | None = None


@dataclass(slots=True)
class Trace:
    """The spans of one request that are still open."""

    identity: str
    request: Span
    sampled: bool
    proxy: Span | None = None
    response: Span | None = None


@dataclass(frozen=True, slots=True)
class B3:
    """What a request says of the trace it belongs to."""

    trace: str | None = None
    span: str | None = None
    sampled: str | None = None
    parent: str | None = None


class Zipkin(Plugin):
    name = "zipkin"
    priority = 12011
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "endpoint": {"type": "string"},
            "sample_ratio": {"type": "number", "minimum": 0.00001, "maximum": 1},
            "service_name": {
                "type": "string",
                "description": "service name for zipkin reporter",
                "default": "APISIX",
            },
            "server_addr": {
                "type": "string",
                "description": "default is $server_addr, you can specify your external ip address",
                "pattern": "^[0-9]{1,3}.[0-9]{1,3}.[0-9]{1,3}.[0-9]{1,3}$",
            },
            "span_version": {"enum": [1, 2], "default": 2},
        },
        "required": ["endpoint", "sample_ratio"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._queue = scope.keep(f"zipkin:{conf['endpoint']}", lambda: BatchQueue(_QUEUE, scope, self.name))
        self._old = conf["span_version"] == 1

    # -- phases

    def rewrite(self, ctx: Context) -> Exit | None:
        """Join the client's trace or begin one, and decide whether it is sampled."""
        headers = ctx.headers
        ratio = 1.0 if headers.get("x-b3-flags") == "1" else float(self.conf["sample_ratio"])
        b3 = self._read(ctx)
        if b3 is None:
            return Exit(400)
        if b3.sampled in ("1", "true"):
            ratio = 1.0
        elif b3.sampled in ("0", "false"):
            ratio = 0.0
        sampled = self.scope.random.random() < ratio
        ctx.notes[_TRACE] = self._begin(ctx, b3, sampled)
        return None

    def _read(self, ctx: Context) -> B3 | None:
        """The B3 headers, the single one first (which isn't passed on); None for a broken one."""
        headers = ctx.headers
        single = headers.get("b3")
        if single is None:
            names = ("x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-parentspanid")
            return B3(*(headers.get(name) for name in names))
        headers.remove("b3")
        if single == "0":
            return B3(sampled="0")
        trace, *rest = single.split("-", 3)
        span, sampled, parent = (*rest, None, None, None)[:3]
        if not trace or not span:
            self.scope.log("error", f"invalid b3 header: {single}, ignored: missing span_id")
            return None
        if sampled == "d":
            headers.set("x-b3-flags", "1")
            sampled = "1"
        return B3(trace, span, sampled, parent)

    def _begin(self, ctx: Context, b3: B3, sampled: bool) -> Trace:
        joins = _valid(b3)
        trace = b3.trace if joins and b3.trace else self._id(128)
        request = self._span("apisix.request", b3.span if joins else None, ctx.started)
        if sampled:
            request.kind = "SERVER"
            request.tags = {
                "component": "apisix",
                "http.method": ctx.method,
                "http.url": readable(ctx.target),
            }
            request.peer = {"ipv4": ctx.remote_addr, "port": ctx.client.remote_port}
        begun = Trace(trace, request, sampled)
        if sampled and self._old:
            self._report(ctx, begun, self._span("apisix.rewrite", request.identity, ctx.started))
        elif sampled:
            begun.proxy = self._span("apisix.proxy", request.identity, ctx.started)
        return begun

    def access(self, ctx: Context) -> None:
        """The trace's headers for the upstream."""
        trace: Trace = ctx.notes[_TRACE]
        now = self.scope.clock.time()
        if trace.sampled and self._old:
            self._report(ctx, trace, self._span("apisix.access", trace.request.identity, now))
            trace.proxy = self._span("apisix.proxy", trace.request.identity, now)
        span = trace.proxy or trace.request
        ctx.headers.set("x-b3-traceid", trace.identity)
        if span.parent:
            ctx.headers.set("x-b3-parentspanid", span.parent)
        ctx.headers.set("x-b3-spanid", span.identity)
        ctx.headers.set("x-b3-sampled", "1" if trace.sampled else "0")

    def header_filter(self, ctx: Context) -> None:
        """The upstream has answered."""
        trace: Trace | None = ctx.notes.get(_TRACE)
        if trace is None or not trace.sampled or trace.proxy is None:
            return
        now = self.scope.clock.time()
        if self._old:
            trace.response = self._span("apisix.body_filter", trace.proxy.identity, now)
            return
        self._report(ctx, trace, trace.proxy)
        trace.proxy = None
        trace.response = self._span("apisix.response_span", trace.request.identity, now)

    def log(self, ctx: Context) -> None:
        """Close what is open."""
        trace: Trace | None = ctx.notes.get(_TRACE)
        if trace is None or not trace.sampled:
            return
        for span in (trace.response, trace.proxy if self._old else None):
            if span is not None:
                self._report(ctx, trace, span)
        source = "upstream" if ctx.from_upstream else "nginx" if ctx.tries else "apisix"
        trace.request.tags.update({"http.status_code": str(ctx.status), "apisix.response_source": source})
        self._report(ctx, trace, trace.request)

    # -- spans

    def _span(self, name: str, parent: str | None, start: float) -> Span:
        return Span(name, self._id(64), parent, start)

    def _id(self, bits: int) -> str:
        return f"{self.scope.random.getrandbits(bits):0{bits // 4}x}"

    def _report(self, ctx: Context, trace: Trace, span: Span) -> None:
        """A finished span, as Zipkin's API v2 takes it."""
        told: dict[str, Any] = {
            "traceId": trace.identity,
            "name": span.name,
            "id": span.identity,
            "timestamp": round(span.start * 1_000_000),
            "duration": int((self.scope.clock.time() - span.start) * 1_000_000),
            "localEndpoint": {
                "serviceName": self.conf["service_name"],
                "ipv4": self.conf.get("server_addr") or ctx.client.server_addr,
                "port": ctx.client.server_port,
            },
            "remoteEndpoint": span.peer,
            "tags": span.tags,
        }
        if span.parent:
            told["parentId"] = span.parent
        if span.kind:
            told["kind"] = span.kind
        self._queue.push(told, self._send, ctx)

    async def _send(self, spans: list[Any]) -> None:
        fields = [("Content-Type", "application/json")]
        answer = await post(self.conf["endpoint"], fields, lua_json.encode(spans), 60.0)
        if not 200 <= answer.status < 300:
            raise SendFailed(f"failed: {self.conf['endpoint']} {answer.status} {answer.reason}")


def _valid(b3: B3) -> bool:
    """Whether the request names a trace, and all ids that it names are ids."""
    if b3.trace is None or not _TRACE_ID.match(b3.trace):
        return False
    return all(identity is None or _SPAN_ID.match(identity) for identity in (b3.span, b3.parent))
