"""The seam between the sockets and the applications on them: a plain HTTP request and its answer.

The Admin, Control and Prometheus APIs are functions of this shape (`App`); `proxy/` serves them with the same HTTP/1.1
code, and so with nginx's own refusals, as it serves the data plane.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from harness.emulators.apisix.headers import Headers


@dataclass(slots=True)
class Request:
    """One request, read whole: text is Latin-1, `path` decoded and normalised as nginx's $uri, `query` raw."""

    method: str
    target: str
    path: str
    query: str
    headers: Headers
    body: bytes = b""
    remote_addr: str = "127.0.0.1"
    #: where it came in: the listener's own port (0 for an unknown one)
    server_port: int = 0


@dataclass(slots=True)
class Response:
    """The answer: `chunked` sends it with Transfer-Encoding as Lua's ngx.say does, else with Content-Length.

    Server, Date (for our own answers) and Connection are added by the server; a body of None with a status of 400 or
    more is nginx's HTML page for that status.
    """

    status: int
    body: bytes | None = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunked: bool = False


App = Callable[[Request], Response | Awaitable[Response]]
