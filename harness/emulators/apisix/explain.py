"""What would happen to a request: the route and the near misses, the plugins in their order, the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.match.router import Router
from harness.emulators.apisix.plans import Plan, Steps
from harness.emulators.apisix.proxy.nginx import Bad, normalise, valid_host

if TYPE_CHECKING:
    from harness.emulators.apisix.data_plane import DataPlane


class _Imagined:
    """The client of a request that nobody sent."""

    remote_addr = "127.0.0.1"
    remote_port = 0
    server_addr = "127.0.0.1"
    server_port = 9080
    scheme = "http"
    sni: str | None = None
    tls: Any = None


def explain(plane: DataPlane, asked: dict[str, Any]) -> dict[str, Any]:
    """The way of {"method", "uri", "headers"} through the gateway, as JSON can hold it; headers as pairs or an object.

    Nothing is sent and no plugin is run: the journal tells what plugins decided about real requests. Raises ValueError
    for what is no request.
    """
    ctx = _context(plane, asked)
    route = plane.router.match(ctx)
    misses = near_misses(plane.router, ctx)
    told: dict[str, Any] = {
        "request": {"method": ctx.method, "uri": ctx.target, "path": ctx.uri, "host": ctx.host},
        "route": None,
        "near_misses": misses,
    }
    if route is None:
        told["answer"] = {"status": 404, "why": "no route matches"}
        return told
    plan = plane.compiler.plan(route)
    told["route"] = {"id": route.id, "name": route.value.get("name"), "uris": route.uris, "hosts": route.hosts}
    told["path_params"] = ctx.path_params
    if plan.refusal is not None:
        told["answer"] = {"status": plan.refusal.status, "why": "the route names a resource that doesn't exist"}
        return told
    told["phases"] = _phases(plan)
    told["upstream"] = _upstream(plan)
    return told


def near_misses(router: Router, ctx: Context) -> list[dict[str, Any]]:
    """The routes that nearly took a request, and what kept each from it."""
    return [
        {"route": miss.route_id, "uri": miss.uri, "check": miss.check, "why": miss.why} for miss in router.explain(ctx)
    ]


def _context(plane: DataPlane, asked: dict[str, Any]) -> Context:
    target = str(asked.get("uri") or "/")
    fields = asked.get("headers") or {}
    headers = Headers.of([(str(n), str(v)) for n, v in (fields.items() if isinstance(fields, dict) else fields)])
    try:
        path, query = normalise(target)
    except Bad as bad:
        raise ValueError(f"{target!r} is no path") from bad
    if not target.startswith("/"):
        raise ValueError(f"a uri begins with a slash, {target!r} doesn't")
    return Context(
        _Imagined(),
        str(asked.get("method") or "GET"),
        target,
        path,
        query,
        (1, 1),
        headers,
        str(asked.get("remote_addr") or "127.0.0.1"),
        plane.clock.time(),
        host=valid_host(str(asked.get("host") or headers.get("host") or "")) or "_",
        body=str(asked.get("body") or "").encode(),
    )


def _phases(plan: Plan) -> list[dict[str, Any]]:
    phases: list[tuple[str, Steps]] = [
        ("global rewrite", plan.global_rewrite),
        ("rewrite", plan.rewrite),
        ("access", plan.access),
        ("before_proxy", plan.before_proxy),
        ("header_filter", plan.header_filter),
        ("body_filter", plan.body_filter),
        ("log", plan.log),
    ]
    return [{"phase": name, "plugins": [part.name for _, part in steps]} for name, steps in phases if steps]


def _upstream(plan: Plan) -> dict[str, Any]:
    upstream = plan.upstream
    if isinstance(upstream, Exit):
        return {"answer": upstream.status, "why": "the route has no upstream"}
    return {
        "key": upstream.key,
        "scheme": upstream.scheme,
        "tries": upstream.tries,
        "nodes": [
            {"address": node.address, "weight": node.weight, "priority": node.priority} for node in upstream.nodes
        ],
    }
