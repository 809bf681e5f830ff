"""`/_harness/`: the harness' own endpoints, for loopback only. They work while the server is frozen.

    POST /_harness/reset                                  back to the state at start
    POST /_harness/snapshot                               -> {"id": "1"}
    POST /_harness/restore             {"id": "1"}
    POST /_harness/clock/advance       {"seconds": 30}
    GET  /_harness/connections                            -> [{"id", "ip", "port", "version", "module", "app", ...}]
    POST /_harness/connections/{id}/drop
    POST /_harness/connections/{id}/send-away             ask it to connect anew
    GET  /_harness/pushes                                 -> [{"connection", "type", "subject", "tries", "ack_ms"}]
    POST /_harness/freeze              POST /_harness/thaw
    POST /_harness/fail-next           {"type": "InstanceRequest", "times": 1, "status": 500, "message": "..."}

Success answers 200 with a JSON body (`{}` where there is nothing to tell), refusals `{"error": "..."}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from harness.emulators.nacos.controls import Controls
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http.message import Request, Response, as_json

PREFIX = "/_harness/"
Act = Callable[[Controls, dict[str, Any]], Any]


def answer(controls: Controls, request: Request, allowed: Sequence[str] = ()) -> Response:
    """Run one control call from the loopback, or from one of the `allowed` networks (CIDR)."""
    if not is_loopback(request.peer) and not _is_in(request.peer, allowed):
        return as_json({"error": "the control endpoints answer on the loopback only"}, 403)
    act, named = _find(request)
    if act is None:
        return as_json({"error": f"no control endpoint {request.method} {request.path}"}, 404)
    try:
        found = act(controls, {**_read(request), **named})
    except NacosError as error:
        return as_json({"error": error.detail}, error.status)
    except (KeyError, TypeError, ValueError) as error:
        return as_json({"error": f"bad control body: {type(error).__name__}: {error}"}, 400)
    return as_json({} if found is None else found)


def is_loopback(peer: str) -> bool:
    """Whether an address is this machine's own."""
    address = peer.removeprefix("::ffff:")
    return address == "::1" or address.startswith("127.")


def _is_in(peer: str, networks: Sequence[str]) -> bool:
    if not networks:
        return False
    import ipaddress  # only servers in containers need it

    return any(ipaddress.ip_address(peer) in ipaddress.ip_network(network) for network in networks)


def _find(request: Request) -> tuple[Act | None, dict[str, str]]:
    path = request.path.removeprefix(PREFIX)
    if path.startswith("connections/") and path.count("/") == 2:
        _, connection_id, act = path.split("/")
        return _ACTS.get((request.method, f"connections/{{id}}/{act}")), {"id": connection_id}
    return _ACTS.get((request.method, path)), {}


def _read(request: Request) -> dict[str, Any]:
    body = json.loads(request.body) if request.body.strip() else {}
    if not isinstance(body, dict):
        raise ValueError("a JSON object is expected")
    return body


_ACTS: dict[tuple[str, str], Act] = {
    ("POST", "reset"): lambda controls, body: controls.reset(),
    ("POST", "snapshot"): lambda controls, body: {"id": controls.snapshot()},
    ("POST", "restore"): lambda controls, body: controls.restore(str(body["id"])),
    ("POST", "clock/advance"): lambda controls, body: controls.advance(float(body["seconds"])),
    ("GET", "connections"): lambda controls, body: controls.connections(),
    ("POST", "connections/{id}/drop"): lambda controls, body: controls.drop(str(body["id"])),
    ("POST", "connections/{id}/send-away"): lambda controls, body: controls.send_away(str(body["id"])),
    ("GET", "pushes"): lambda controls, body: controls.pushes(),
    ("POST", "freeze"): lambda controls, body: controls.freeze(),
    ("POST", "thaw"): lambda controls, body: controls.thaw(),
    ("POST", "fail-next"): lambda controls, body: controls.fail_next(
        str(body["type"]), int(body.get("times", 1)), int(body.get("status", 500)), str(body.get("message", "failed"))
    ),
}
