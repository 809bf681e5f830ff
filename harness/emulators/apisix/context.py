"""One request on its way through the gateway: what the phases read, change and decide."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harness.emulators.apisix.headers import Headers

if TYPE_CHECKING:
    from harness.emulators.apisix.consumers import ConsumerEntry
    from harness.emulators.apisix.plans import Plan, Route
    from harness.emulators.apisix.upstream import Upstream


@dataclass(slots=True, frozen=True)
class Exit:
    """A decision to answer here and now: what `core.response.exit` does in APISIX.

    A dict or list body goes out as JSON and a newline, text and bytes as they are; None with a status of 400 or more
    is nginx's HTML page. `headers` are set on the answer.
    """

    status: int
    body: str | bytes | dict[str, Any] | list[Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()


#: What a phase function returns: None to go on, an Exit to answer, or an awaitable of either if it must wait.
Verdict = Exit | None
MaybeVerdict = Verdict | Awaitable[Verdict]


def bytes_of(body: str | bytes | dict[str, Any] | list[Any] | None) -> bytes:
    """A body as it goes out."""
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("latin-1", "surrogateescape") if body.isascii() else body.encode()
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class Client(Protocol):
    """The connection a request came on (one object for all its requests).

    `remote_addr` is the peer's own address, before real-ip ($realip_remote_addr).
    """

    remote_addr: str
    remote_port: int
    server_addr: str
    server_port: int
    scheme: str  # http | https
    sni: str | None
    tls: Any  # the ssl object, or None


#: (chunk, last) → what goes out of it
Encoder = Callable[[bytes, bool], bytes]


class Exchange(Protocol):
    """The transport's side of one request: where its body comes from."""

    async def read_body(self, limit: int) -> bytes:
        """The whole body; raises ExitNow(413) when it is longer than `limit` bytes (0: no limit)."""
        ...


class ExitNow(Exception):
    """Raised out of a phase function's depths to answer at once, as `ngx.exit` does from within a call."""

    def __init__(self, verdict: Exit) -> None:
        self.verdict = verdict
        super().__init__(f"exit {verdict.status}")


@dataclass(slots=True)
class Try:
    """One attempt at an upstream node; times in seconds, `status` None until (or unless) it answered."""

    address: str
    status: int | None = None
    connect_time: float | None = None
    header_time: float | None = None
    response_time: float | None = None
    error: str = ""


class Context:
    """The state of one request. Text is Latin-1 (one character a byte); bodies are bytes.

    What a request rarely has stays with the class until somebody sets it, so that making one costs little; what each
    request reads or sets is the object's own, since Python finds such members several times faster.
    """

    # by the gateway's clock, from when until when the rewrite phase would come to the same: plugins narrow it
    holds_from: float = float("-inf")
    holds_until: float = float("inf")

    # where it goes: plugins overwrite these
    upstream_uri: str = ""  # path (and query) to send instead of the client's; "" leaves it
    upstream_host: str = ""
    upstream_scheme: str = ""
    upstream_method: str = ""

    # a last try was begun and no node found for it: nginx counts that as one without a peer
    gave_up: bool = False

    # whether the body is gathered before the upstream is asked (proxy-control)
    request_buffering: bool = True
    # the most bytes that the body may have, 0 for any (client-control)
    max_body: int = 0

    # a gRPC answer's trailers, known when body_filter gets the last piece
    trailers: list[tuple[str, str]] | None = None

    # what ran, and how long the whole request took, in seconds (once it is over)
    plan: Plan | None = None
    seconds: float | None = None

    # the journal's lines: (phase, plugin, what it decided)
    trace: list[tuple[str, str, str]] | None = None
    # what plugins do to the gateway's own answers (exit-transformer), not to errors of the proxying
    on_exit: list[Callable[[Exit], Exit]] | None = None
    # what the user's Lua wrote without ending the request: the answer begins with it
    said: Exit | None = None
    # asked once all header filters have run: nginx's own gzip filter, which encodes what the body filters leave
    compress: Callable[[Context], Encoder | None] | None = None
    # plugins that workflow and the like already ran: they are passed over from here on
    skipped: set[str] | None = None

    def __init__(
        self,
        client: Client,
        method: str,
        target: str,  # as it came: $request_uri
        uri: str,  # decoded and normalised: $uri
        query: str,  # raw, without "?": $args
        version: tuple[int, int],
        headers: Headers,  # the request's; what plugins leave here goes to the upstream
        remote_addr: str,  # after real-ip
        started: float,  # clock.time()
        **given: Any,
    ) -> None:
        """`given` are values for the other members; raises TypeError for another name."""
        self.client = client
        self.method = method
        self.target = target
        self.uri = uri
        self.query = query
        self.version = version
        self.headers = headers
        self.remote_addr = remote_addr
        self.started = started
        # $host: the Host header in lower case without port and trailing dot, or "_"
        self.host = "_"
        self.exchange: Exchange | None = None
        self.request_length = 0
        # matched and merged
        self.route: Route | None = None
        self.path_params: dict[str, str] | None = None
        self.consumer: ConsumerEntry | None = None
        # where it goes, None for the route's own
        self.upstream: Upstream | None = None
        self.tries: list[Try] = []
        # the request's body, when somebody gathered it (`await ctx.read_body()`) or replaced it
        self.body: bytes | None = None
        # the answer
        self.status = 0
        self.from_upstream = False
        self.bytes_sent = 0
        self.body_bytes_sent = 0
        self.response = Headers()
        # plugins' own notes, by plugin name; variables set by plugins (ctx.var.x = ...)
        self.notes: dict[str, Any] = {}
        self.variables: dict[str, str] = {}
        if given:
            for name, value in given.items():
                if not hasattr(self, name):
                    raise TypeError(f"a context has no {name!r}")
                setattr(self, name, value)

    async def read_body(self) -> bytes:
        """The request's whole body, gathered once; raises ExitNow(413) when it exceeds `max_body`."""
        if self.body is None:
            self.body = await self.exchange.read_body(self.max_body) if self.exchange else b""
        return self.body
