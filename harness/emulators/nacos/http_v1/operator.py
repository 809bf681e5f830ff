"""`/v1/ns/operator`, `/v1/ns/health`, `/v1/core/cluster`: how the server is."""

from __future__ import annotations

from harness.emulators.nacos.http import instances, site_info
from harness.emulators.nacos.http.message import CONFIG_JSON, Response, as_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource, naming_resource
from harness.emulators.nacos.http_v1.instance import plain


def metrics(call: Call) -> Response:
    """`UP`, and with `onlyStatus=false` the counts."""
    return as_json(site_info.metrics(call))


def switches(call: Call) -> Response:
    """The switches as they stand."""
    return as_json(site_info.switches(call))


def turn_switch(call: Call) -> Response:
    """Turn a switch; raises NacosError (400) for a bad value."""
    call.domain.switches.turn(call.request.present("entry"), call.request.present("value"))
    return text("ok")


def push_state(call: Call) -> Response:
    """How pushing goes."""
    pushes = [push for push in call.site.connections.log if push.type == "NotifySubscriberRequest"]
    took = [push.acknowledged - push.sent for push in pushes if push.acknowledged is not None]
    detail = {
        "avgPushCost": int(sum(took) / len(took) * 1000) if took else 0,
        "maxPushCost": int(max(took) * 1000) if took else -1,
    }
    return as_json(
        {
            "succeed": len(took),
            "total": len(pushes),
            "ratio": len(took) / len(pushes) if pushes else 0,
            **({"detail": detail} if call.request.flag("detail", False) else {}),
            "reset": call.request.flag("reset", False),
        }
    )


def responsible(call: Call) -> Response:
    """Which server answers for a client: the only one."""
    call.request.present("ip")
    call.request.present("port")
    return as_json({"responsibleServer": call.site.identity.address})


def health(call: Call) -> Response:
    """The naming module's greeting."""
    total, port = len(call.domain.registry.services), call.site.identity.port
    return as_json({"msg": f"Hello! I am Nacos-Naming and healthy! total services: {total}, local port:{port}"})


def checkers(call: Call) -> Response:
    """The kinds of health checks."""
    return as_json(site_info.CHECKERS)


def nodes(call: Call) -> Response:
    """The members of the cluster whose address begins with `keyword`: one or none."""
    return call.rest_result(site_info.members(call, call.request.get("keyword")))


def node_self(call: Call) -> Response:
    """This node."""
    return call.rest_result(site_info.member(call))


def node_names(call: Call) -> Response:
    """The members' addresses."""
    return call.rest_result([call.site.identity.address])


def node_health(call: Call) -> Response:
    """This node's state."""
    return call.rest_result("UP")


def config_health(call: Call) -> Response:
    """A server that answers is up."""
    return text("UP") if call.domain.version.is_2 else Response(200, b"UP", CONFIG_JSON)


_ALIASES = ("operator", "ops")
_OPERATOR = tuple(
    Route(method, f"/v1/ns/{alias}/{path}", run, Family.NAMING)
    for alias in _ALIASES
    for method, path, run in (
        ("GET", "metrics", metrics),
        ("GET", "switches", switches),
        ("GET", "push/state", push_state),
        ("GET", "distro/client", responsible),
    )
)

ROUTES = (
    *_OPERATOR,
    *(
        Route("PUT", f"/v1/ns/{alias}/switches", turn_switch, Family.NAMING, "w", console_resource)
        for alias in _ALIASES
    ),
    Route("GET", "/v1/ns/health/server", health, Family.NAMING),
    Route("GET", "/v1/ns/health/checkers", checkers, Family.NAMING),
    Route("PUT", "/v1/ns/health", plain(instances.set_health), Family.NAMING, "w", naming_resource),
    Route("PUT", "/v1/ns/health/instance", plain(instances.set_health), Family.NAMING, "w", naming_resource),
    Route("GET", "/v1/core/cluster/nodes", nodes, Family.REST, "r", console_resource),
    Route("GET", "/v1/core/cluster/self", node_self, Family.REST, "r", console_resource),
    Route("GET", "/v1/core/cluster/simple/nodes", node_names, Family.REST, "r", console_resource),
    Route("GET", "/v1/core/cluster/health", node_health, Family.REST, "r", console_resource),
    Route("GET", "/v1/cs/health", config_health, Family.CONFIG),
)
