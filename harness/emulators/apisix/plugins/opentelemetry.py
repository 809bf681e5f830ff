"""opentelemetry: a span of each sampled request to an OTLP collector, and W3C's traceparent for the upstream."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.batch_queue import BatchQueue, SendFailed
from harness.emulators.apisix.plugins.log_entry import readable
from harness.emulators.apisix.plugins.otlp import Attribute, OtelSpan, export_request
from harness.emulators.apisix.plugins.senders import post
from harness.emulators.apisix.schema.validate import Validator
from harness.emulators.apisix.variables import getter

_SCALARS: Schema = {
    "type": "object",
    "additionalProperties": {"oneOf": [{"type": "boolean"}, {"type": "number"}, {"type": "string"}]},
}
_METADATA: Schema = {
    "type": "object",
    "properties": {
        "trace_id_source": {
            "type": "string",
            "enum": ["x-request-id", "random"],
            "description": "the source of trace id",
            "default": "random",
        },
        "resource": {"description": "additional resource", **_SCALARS},
        "collector": {
            "type": "object",
            "description": "opentelemetry collector",
            "properties": {
                "address": {"type": "string", "description": "host:port", "default": "127.0.0.1:4318"},
                "request_timeout": {"type": "integer", "description": "second uint", "default": 3},
                "request_headers": {"description": "http headers", **_SCALARS},
            },
            "default": {"address": "127.0.0.1:4318", "request_timeout": 3},
        },
        "batch_span_processor": {
            "type": "object",
            "description": "batch span processor",
            "properties": {
                "drop_on_queue_full": {
                    "type": "boolean",
                    "description": "if true, drop span when queue is full, otherwise force process batches",
                },
                "max_queue_size": {
                    "type": "integer",
                    "description": "maximum queue size to buffer spans for delayed processing",
                },
                "batch_timeout": {
                    "type": "number",
                    "description": "maximum duration for constructing a batch",
                },
                "inactive_timeout": {
                    "type": "number",
                    "description": "maximum duration for processing batches",
                },
                "max_export_batch_size": {
                    "type": "integer",
                    "description": "maximum number of spans to process in a single batch",
                },
            },
            "default": {},
        },
        "set_ngx_var": {"type": "boolean", "description": "set nginx variables", "default": False},
    },
}
_DEFAULTS = Validator(_METADATA)
_NAMES = ["always_on", "always_off", "trace_id_ratio"]


def _fraction(default: bool) -> Schema:
    options: Schema = {"type": "object", "properties": {"fraction": {"type": "number", "default": 0}}}
    return {**options, "default": {"fraction": 0}} if default else options


_ROOT: Schema = {
    "type": "object",
    "description": "parent_base root sampler",
    "properties": {
        "name": {"type": "string", "enum": _NAMES, "description": "sampling strategy", "default": "always_off"},
        "options": _fraction(True),
    },
    "default": {"name": "always_off", "options": {"fraction": 0}},
}
_OFF = {"fraction": 0, "root": {"name": "always_off"}}
_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")
_REQUEST_ID = re.compile(r"[0-9a-f]{32}\Z")
_SPAN = "opentelemetry"
_SERVER = 2
#: what the library's exporter does when metadata says nothing
_QUEUE = {"max_queue_size": 2048, "batch_timeout": 5, "inactive_timeout": 2, "max_export_batch_size": 256}


class Opentelemetry(Plugin):
    """Without plugin_metadata it does nothing, as the real one."""

    name = "opentelemetry"
    priority = 12009
    metadata_schema: ClassVar[Schema] = _METADATA
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "sampler": {
                "type": "object",
                "properties": {
                    "name": {
                        "type": "string",
                        "enum": [*_NAMES, "parent_base"],
                        "description": "sampling strategy",
                        "default": "always_off",
                    },
                    "options": {
                        "type": "object",
                        "properties": {
                            "fraction": {"type": "number", "description": "trace_id_ratio fraction", "default": 0},
                            "root": _ROOT,
                        },
                        "default": _OFF,
                    },
                },
                "default": {"name": "always_off", "options": _OFF},
            },
            "additional_attributes": {"type": "array", "items": {"type": "string", "minLength": 1}},
            "additional_header_prefix_attributes": {"type": "array", "items": {"type": "string", "minLength": 1}},
        },
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._seen: Mapping[str, Any] | None = None
        self._settings: dict[str, Any] = {}
        self._queue: BatchQueue | None = None
        self._more = [(name, getter(name)) for name in conf.get("additional_attributes", ())]

    # -- phases

    def rewrite(self, ctx: Context) -> None:
        """Begin the span, and tell the upstream of it."""
        metadata = self.scope.metadata(self.name)
        if metadata is None:
            self.scope.log("warn", "plugin_metadata is required for opentelemetry plugin to working properly")
            return
        if metadata is not self._seen:
            self._configure(metadata)
        trace_id, parent_id, parent_sampled = self._parent(ctx)
        sampled = self._samples(self.conf["sampler"], trace_id, parent_id, parent_sampled)
        span = OtelSpan(trace_id, self._id(64), parent_id, self._name(ctx), _SERVER, int(ctx.started * 1e9), 0)
        span.trace_state = ctx.headers.get("tracestate") or ""
        flags = "01" if sampled else "00"
        ctx.headers.set("traceparent", f"00-{trace_id}-{span.span_id}-{flags}")
        if self._settings["set_ngx_var"]:
            ctx.variables["opentelemetry_context_traceparent"] = f"00-{trace_id}-{span.span_id}-{flags}"
            ctx.variables["opentelemetry_trace_id"] = trace_id
            ctx.variables["opentelemetry_span_id"] = span.span_id
        if sampled:
            span.attributes = self._attributes(ctx)
            ctx.notes[_SPAN] = span

    def log(self, ctx: Context) -> None:
        """End the span and hand it to the exporter."""
        span: OtelSpan | None = ctx.notes.get(_SPAN)
        if span is None or self._queue is None:
            return
        source = "upstream" if ctx.from_upstream else "nginx" if ctx.tries else "apisix"
        span.attributes["apisix.response_source"] = source
        if ctx.status >= 500:
            span.error = f"{source} error: {ctx.status}"
        span.attributes["http.status_code"] = ctx.status
        span.attributes["http.response.status_code"] = ctx.status
        span.attributes.update(self._additional(ctx))
        span.end = int(self.scope.clock.time() * 1e9)
        self._queue.push(span, self._send)

    # -- settings

    def _configure(self, metadata: Mapping[str, Any]) -> None:
        settings = deepcopy(dict(metadata))
        _DEFAULTS.check(settings)
        self._seen, self._settings = metadata, settings
        steps = {**_QUEUE, **settings["batch_span_processor"]}
        conf = {
            "name": "opentelemetry",
            "batch_max_size": steps["max_export_batch_size"],
            "buffer_duration": steps["batch_timeout"],
            "inactive_timeout": steps["inactive_timeout"],
            "max_retry_count": 0,
            "retry_delay": 0,
        }
        key = f"opentelemetry:{settings['collector']['address']}:{sorted(conf.items())}"
        self._queue = self.scope.keep(key, lambda: BatchQueue(conf, self.scope, self.name))

    async def _send(self, spans: list[OtelSpan]) -> None:
        collector = self._settings["collector"]
        address = collector["address"]
        url = address if "://" in address else f"http://{address}"
        fields = [(name, to_text(value)) for name, value in (collector.get("request_headers") or {}).items()]
        body = export_request(self._resource(), "opentelemetry-lua", spans)
        fields.append(("Content-Type", "application/x-protobuf"))
        answer = await post(f"{url}/v1/traces", fields, body, collector["request_timeout"])
        if answer.status != 200:
            raise SendFailed(f"the collector answered {answer.status}")

    def _resource(self) -> dict[str, Attribute]:
        own = self._settings.get("resource")
        found: dict[str, Attribute] = {"hostname": socket.gethostname()}
        if own is not None:
            found.setdefault("service.name", "APISIX")
            numbers = {name: float(value) for name, value in own.items() if _is_number(value)}
            found.update({**own, **numbers})
        return found

    # -- the trace

    def _parent(self, ctx: Context) -> tuple[str, str, bool]:
        """(trace id, parent's span id or "", whether the parent is sampled)."""
        match = _PARENT.match(ctx.headers.get("traceparent") or "")
        if match and int(match[1], 16) and int(match[2], 16):
            return match[1], match[2], int(match[3], 16) & 1 == 1
        return self._new_trace(ctx), "", False

    def _new_trace(self, ctx: Context) -> str:
        if self._settings["trace_id_source"] == "x-request-id":
            given = (ctx.headers.get("x-request-id") or str(getter("request_id")(ctx))).lower()
            if _REQUEST_ID.match(given) and int(given, 16):
                return given
        return self._id(128)

    def _id(self, bits: int) -> str:
        return f"{self.scope.random.getrandbits(bits) or 1:0{bits // 4}x}"

    def _samples(self, sampler: Conf, trace_id: str, parent_id: str, parent_sampled: bool) -> bool:
        name, options = sampler["name"], sampler.get("options") or {}
        if name == "parent_base":
            root = options.get("root") or {"name": "always_off"}
            return parent_sampled if parent_id else self._samples(root, trace_id, "", False)
        if name == "trace_id_ratio":
            # the library compares the lower 8 bytes of the trace id with the fraction of their range
            return int(trace_id[16:], 16) >> 1 < float(options.get("fraction", 0)) * (1 << 63)
        return bool(name == "always_on")

    def _name(self, ctx: Context) -> str:
        path = (ctx.path_params or {}).get("_path")
        return f"{ctx.method} {readable(path)}" if path else ctx.method

    def _attributes(self, ctx: Context) -> dict[str, Attribute]:
        agent = readable(ctx.headers.get("user-agent") or "")
        scheme = ctx.client.scheme
        found: dict[str, Attribute] = {
            "net.host.name": readable(ctx.host),
            "http.method": ctx.method,
            "http.scheme": scheme,
            "http.target": readable(ctx.target),
            "http.user_agent": agent,
            "http.request.method": ctx.method,
            "url.scheme": scheme,
            "url.path": readable(ctx.uri),
            "user_agent.original": agent,
        }
        value: Mapping[str, Any] = getattr(ctx.route, "value", None) or {}
        if value:
            found["apisix.route_id"] = to_text(value.get("id", ""))
            found["apisix.route_name"] = value.get("name", "")
            found["http.route"] = readable((ctx.path_params or {}).get("_path", ""))
        service = to_text(value.get("service_id", "")) if value else ""
        if service:
            found["apisix.service_id"] = service
            found["apisix.service_name"] = (self.scope.stored("services", service) or {}).get("name", "")
        return found

    def _additional(self, ctx: Context) -> dict[str, Attribute]:
        found: dict[str, Attribute] = {}
        for name, get in self._more:
            value = get(ctx)
            if value is not None:
                found[name] = readable(to_text(value))
        for wanted in self.conf.get("additional_header_prefix_attributes", ()):
            prefix = wanted[:-1] if wanted.endswith("*") and len(wanted) > 1 else ""
            names = dict.fromkeys(lower for lower, _, _ in ctx.headers.items)
            for name in names:
                if name == wanted or (prefix and name.startswith(prefix)):
                    found[name] = readable(", ".join(ctx.headers.get_all(name)))
        return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
