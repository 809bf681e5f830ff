"""/status and /status/ready of apisix.status: whether the gateway runs, and whether it has its configuration."""

from __future__ import annotations

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.standalone import StandaloneTable
from harness.emulators.apisix.store import Store

_WAITS = "worker id: 0 has not received configuration"


def make_status(store: Store | StandaloneTable) -> App:
    """The two pages on a store that has started: etcd is read by then, a configuration given whole may be missing."""

    def answer(request: Request) -> Response:
        if request.path not in ("/status", "/status/ready") or request.method not in ("GET", "HEAD"):
            return Response(404, None)
        waits = request.path == "/status/ready" and store.revision == 0
        told = {"status": "error", "error": _WAITS} if waits else {"status": "ok"}
        return Response(503 if waits else 200, lua_json.encode(told), [("Content-Type", "text/plain")], chunked=True)

    return answer
