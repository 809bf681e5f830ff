"""The replica's own routes: health, metrics, echo, and the controls under /_stub/ that tests use."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from stubs.common.http import answer, caller_of, json_body, query
from stubs.common.identity import Caller
from stubs.common.knobs import KnobValues
from stubs.common.metrics import CONTENT_TYPE
from stubs.common.replica import Replica


class JournalFilter(BaseModel):
    """Which journal entries are wanted: all, or those of one request id."""

    model_config = ConfigDict(extra="forbid")

    request_id: str = ""


class Controls:
    """The handlers, bound to one replica."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def routes(self) -> list[BaseRoute]:
        """The routes that every replica has besides its service's own."""
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
            Route("/echo", Echo(self._replica)),
            Route("/echo/{rest:path}", Echo(self._replica)),
            Route("/_stub/journal", self.journal, methods=["GET"]),
            Route("/_stub/journal", self.clear_journal, methods=["DELETE"]),
            Route("/_stub/knobs", self.knobs, methods=["GET"]),
            Route("/_stub/knobs", self.set_knobs, methods=["PUT"]),
            Route("/_stub/knobs", self.reset_knobs, methods=["DELETE"]),
            Route("/_stub/reset", self.reset, methods=["POST"]),
            Route("/_stub/config", self.config, methods=["GET"]),
        ]

    def _state(self) -> dict[str, Any]:
        settings = self._replica.settings
        return {"service": settings.service, "replica": settings.replica_id, "deploy_env": settings.deploy_env}

    async def healthz(self, _: Request) -> Response:
        """200 while the process works, 503 when the knobs say unhealthy."""
        healthy = self._replica.knobs.values.healthy
        return answer({"status": "ok" if healthy else "unhealthy", **self._state()}, 200 if healthy else 503)

    async def readyz(self, _: Request) -> Response:
        """200 when the replica takes traffic: ports open and, with Nacos, registered."""
        replica = self._replica
        status = "ready" if replica.serving else f"waiting for {replica.waiting_for or 'health'}"
        return answer({"status": status, **self._state()}, 200 if replica.serving else 503)

    async def metrics(self, _: Request) -> Response:
        """The Prometheus text exposition."""
        return Response(self._replica.metrics.render(), headers={"content-type": CONTENT_TYPE})

    async def journal(self, request: Request) -> Response:
        """The requests received, oldest first."""
        wanted = query(request, JournalFilter).request_id
        found = self._replica.journal.as_json()
        if wanted:
            found["requests"] = [entry for entry in found["requests"] if entry["request_id"] == wanted]
        return answer({**self._state(), **found})

    async def clear_journal(self, _: Request) -> Response:
        """Forget the requests received."""
        self._replica.journal.clear()
        return Response(status_code=204)

    async def knobs(self, _: Request) -> Response:
        """The knobs in force."""
        return answer(self._replica.knobs.as_json())

    async def set_knobs(self, request: Request) -> Response:
        """Put knobs in force as a whole: what isn't named goes back to its default."""
        self._replica.knobs.set(await json_body(request, KnobValues))
        return await self.knobs(request)

    async def reset_knobs(self, _: Request) -> Response:
        """Put the knobs back to doing nothing."""
        self._replica.knobs.reset()
        return Response(status_code=204)

    async def reset(self, _: Request) -> Response:
        """Reset journal and knobs at once (between tests)."""
        self._replica.journal.clear()
        self._replica.knobs.reset()
        return Response(status_code=204)

    async def config(self, _: Request) -> Response:
        """The configuration in force (secrets masked), its MD5 and the last refusal."""
        settings = self._replica.settings
        place = {"data_id": settings.data_id, "group": settings.nacos_group, "namespace": settings.nacos_namespace}
        return answer({**place, **self._replica.config.as_json()})


def echo(replica: Replica, caller: Caller, seen: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """What arrived, and where: the same shape over HTTP and gRPC."""
    settings = replica.settings
    try:
        text = {"body": body.decode(), "body_base64": False}
    except UnicodeDecodeError:
        text = {"body": base64.b64encode(body).decode(), "body_base64": True}
    return {
        "service": settings.service,
        "replica": settings.replica_id,
        "version": settings.version,
        "zone": settings.zone,
        "request_id": caller.request_id,
        **seen,
        "headers": [list(pair) for pair in caller.headers],
        **text,
    }


class Echo:
    """Any method on /echo/**: an ASGI application, since a plain Starlette endpoint would be GET only."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200 with what arrived."""
        request = Request(scope, receive)
        query_string = scope["query_string"].decode("latin-1")
        raw_path = scope["raw_path"].decode("latin-1")
        client = scope["client"] or ("", 0)
        seen = {
            "method": request.method,
            "path": scope["path"],
            "raw_target": f"{raw_path}?{query_string}" if query_string else raw_path,
            "query": [list(pair) for pair in request.query_params.multi_items()],
            "http_version": scope["http_version"],
            "client": f"{client[0]}:{client[1]}",
        }
        content = echo(self._replica, caller_of(request), seen, await request.body())
        await answer(content)(scope, receive, send)
