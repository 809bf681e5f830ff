"""What only an emulator offers, on the control port under /_harness/: journal, explain, reset, clock, seed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from harness.clock import ManualClock, ShiftedClock
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.explain import explain
from harness.emulators.apisix.workers import CrewClock

if TYPE_CHECKING:
    from harness.emulators.apisix.gateway import Gateway

_LOOPBACK = ("127.0.0.0/8", "::1/128")


Call = Callable[[Request], Response | Awaitable[Response]]


class HarnessApi:
    """The Control API with the harness's own end-points before it, for callers on the loopback."""

    def __init__(self, gateway: Gateway, control: App) -> None:
        self._gateway = gateway
        self._control = control
        self._allowed = [ip_network(text) for text in (*_LOOPBACK, *gateway.settings.control_from)]
        self._calls: dict[tuple[str, str], Call] = {
            ("GET", "journal"): self._journal,
            ("POST", "explain"): self._explain,
            ("POST", "reset"): self._reset,
            ("POST", "clock/advance"): self._advance,
            ("POST", "seed"): self._seed,
        }

    def app(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a request to the control port."""
        if not request.path.startswith("/_harness/"):
            return self._control(request)
        if not any(ip_address(request.remote_addr) in network for network in self._allowed):
            return _json({"error": "the harness's end-points are for the loopback only"}, 403)
        call = self._calls.get((request.method, request.path.removeprefix("/_harness/")))
        if call is None:
            known = ", ".join(f"{method} /_harness/{path}" for method, path in self._calls)
            return _json({"error": f"no such end-point; there are {known}"}, 404)
        return _settled(call, request)

    async def _journal(self, request: Request) -> Response:
        """GET journal?last=20&request_id=…: {"entries": […]}, oldest first, of all workers."""
        query = parse_qs(request.query)
        last = int(query.get("last", ["20"])[0])
        request_id = query.get("request_id", [""])[0]
        crew = self._gateway.crew_calls
        if crew is None:
            return _json({"entries": self._gateway.plane.journal.last(last, request_id)[::-1]})
        told = await crew.ask("journal", last=last, request_id=request_id)
        entries = sorted((entry for entries in told for entry in entries), key=lambda entry: entry["time"])
        return _json({"entries": entries[-last:]})

    def _explain(self, request: Request) -> Response:
        """POST explain {"method", "uri", "headers", "host"}: the way the request would take, without sending it on."""
        return _json(explain(self._gateway.plane, _body(request)))

    async def _reset(self, request: Request) -> Response:
        """POST reset {"revision"?}: counters, journal and clock as at the start, etcd seen up to the revision."""
        revision = int(_body(request).get("revision") or 0)
        if revision:
            await self._gateway.store.reached(revision)
        if self._gateway.crew_calls is not None:
            await self._gateway.crew_calls.ask("reset", revision=revision)
        else:
            self._gateway.reset()
        return _json({"revision": self._gateway.store.revision})

    def _advance(self, request: Request) -> Response:
        """POST clock/advance {"seconds"}."""
        clock = self._gateway.clock
        if not isinstance(clock, ShiftedClock | ManualClock | CrewClock):
            return _json({"error": "this gateway's clock can't be moved"}, 409)
        clock.advance(float(_body(request)["seconds"]))
        return _json({"time": clock.time()})

    async def _seed(self, request: Request) -> Response:
        """POST seed {"seed"}: balancing and sampling repeat from here, in each worker by itself."""
        seed = _body(request)["seed"]
        if self._gateway.crew_calls is not None:
            await self._gateway.crew_calls.ask("seed", seed=seed)
        else:
            self._gateway.plane.random.seed(seed)
        return _json({})


async def _settled(call: Call, request: Request) -> Response:
    try:
        answer = call(request)
        return answer if isinstance(answer, Response) else await answer
    except (ValueError, KeyError, TypeError) as error:
        return _json({"error": f"bad request: {error}"}, 400)


def _body(request: Request) -> dict[str, Any]:
    value = json.loads(request.body or b"{}")
    if not isinstance(value, dict):
        raise ValueError("a JSON object is wanted")
    return value


def _json(value: Any, status: int = 200) -> Response:
    return Response(status, json.dumps(value).encode() + b"\n", [("Content-Type", "application/json")])
