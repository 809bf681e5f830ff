"""Fuzzy watches over gRPC (3.x clients): start and stop watching a pattern; what matches comes as pushes."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos.auth.gate import Resource
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.grpc.body import Body
from harness.emulators.nacos.grpc.calls import Call, Failed, Handler
from harness.emulators.nacos.watches import MATCHES_OVER_LIMIT, PATTERN_OVER_LIMIT, PatternsFull, Watches

WATCH, CANCEL = "WATCH", "CANCEL_WATCH"


def watch_services(call: Call) -> dict[str, Any]:
    """Watch services by a pattern, or stop."""
    kind = call.body.text("watchType")
    if kind not in (WATCH, CANCEL):
        raise NacosError(400, f"Unsupported request type {kind}")
    return _run(call, call.domain.service_watches, kind)


def watch_configs(call: Call) -> dict[str, Any]:
    """Watch configurations by a pattern, or stop; another type is passed over, as on the server."""
    return _run(call, call.domain.config_watches, call.body.text("watchType"))


def _run(call: Call, watches: Watches, kind: str) -> dict[str, Any]:
    pattern, client = call.body.text("groupKeyPattern"), call.connection.id
    if kind == WATCH:
        try:
            watches.watch(pattern, client)
        except PatternsFull:
            raise Failed(*PATTERN_OVER_LIMIT) from None
        watches.asked(client, pattern, call.body.texts("receivedGroupKeys"), call.body.flag("initializing", False))
        if watches.is_full(pattern):
            raise Failed(*MATCHES_OVER_LIMIT)
    elif kind == CANCEL:
        watches.cancel(pattern, client)
    return {}


def services(body: Body) -> Resource:
    """A watch of services is judged by its namespace field; the pattern has no say (`NamingGrpcResourceParser`)."""
    return Resource(body.text("namespace"), body.text("groupName"), "naming", body.text("serviceName"))


def configs(body: Body) -> Resource:
    """A watch of configurations names no tenant, group or dataId (`ConfigGrpcResourceParser`)."""
    return Resource("", "", "config", "")


HANDLERS = (
    Handler("NamingFuzzyWatchRequest", "NamingFuzzyWatchResponse", watch_services, "r", services),
    Handler("ConfigFuzzyWatchRequest", "ConfigFuzzyWatchResponse", watch_configs, "r", configs),
)
