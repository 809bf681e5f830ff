"""What a plugin is: a name, a priority, schemas, and a method per phase it takes part in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from harness.clock import Clock
from harness.emulators.apisix.context import Context, MaybeVerdict

if TYPE_CHECKING:
    from harness.emulators.apisix.consumers import ConsumerEntry, ConsumerIndex
    from harness.emulators.apisix.exchange import App, Response
    from harness.emulators.apisix.upstream import Upstream

Schema = dict[str, Any]
T = TypeVar("T")
Conf = Mapping[str, Any]


class Shared(Protocol):
    """A named store that outlives reconfigurations and is common to all workers, as nginx's lua_shared_dict.

    Keys are text; values numbers, text or bytes; `ttl` in seconds by the gateway's clock, 0 for ever.
    """

    def get(self, key: str) -> Any:
        """The value, or None when it is missing or expired."""
        ...

    def set(self, key: str, value: Any, ttl: float = 0) -> None:
        """Store a value."""
        ...

    def add(self, key: str, value: Any, ttl: float = 0) -> bool:
        """Store a value unless a live one is there; tells whether it did."""
        ...

    def incr(self, key: str, by: float, init: float | None = None, init_ttl: float = 0) -> float | None:
        """Add and return the new value; a missing key starts at `init` with `init_ttl`, without `init` gives None."""
        ...

    def count(self, key: str, by: float, ttl: float) -> tuple[float, float]:
        """What `incr(key, by, 0, ttl)` and then `ttl(key)` give, in one step (0 for a ttl that just ran out)."""
        ...

    def ttl(self, key: str) -> float | None:
        """Seconds left, 0 for a key without expiry, None for a missing one."""
        ...

    def delete(self, key: str) -> None:
        """Forget a key."""
        ...


class Scope(Protocol):
    """What the gateway lends to a plugin instance when it is built (at configuration time, never per request)."""

    clock: Clock
    random: Random
    #: kind and id of the resource that carries the configuration ("routes", "1"), and its modifiedIndex
    resource: tuple[str, str, int]
    #: plugin_attr.<name> of config.yaml
    attr: Mapping[str, Any]
    #: the plugins that are switched on, by name
    plugins: Mapping[str, type[Plugin]]

    def stored(self, kind: str, id_: str) -> Mapping[str, Any] | None:
        """The value of a resource ("services", "1") as it is now, or None."""
        ...

    def stored_below(self, kind: str, id_: str, part: str) -> list[Mapping[str, Any]]:
        """The values kept below a resource, as they are now ("services", "1", "graphql_cost_decorations")."""
        ...

    @property
    def https_port(self) -> int | None:
        """The port of the gateway's TLS listener, None without one."""
        ...

    def shared(self, name: str) -> Shared:
        """The shared store of that name, made at first use."""
        ...

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """The object of that name: made at first use, kept in this worker over reconfigurations (queues, metrics)."""
        ...

    def metadata(self, plugin: str) -> Mapping[str, Any] | None:
        """plugin_metadata/<plugin> as it is now (ask per request if it may change), or None."""
        ...

    def consumers(self, plugin: str) -> ConsumerIndex:
        """The consumers that have the auth plugin, as they are now (ask per request)."""
        ...

    def consumer(self, name: str, plugin: str = "") -> ConsumerEntry | None:
        """A consumer by username (for anonymous_consumer), as it is now."""
        ...

    def secret(self, value: Any) -> Any:
        """`value` with $env:// and $secret:// references resolved, in depth."""
        ...

    def upstream(self, which: str | Mapping[str, Any]) -> Upstream | None:
        """The upstream to put into `ctx.upstream`: by id, as it is now (None: there is none of that id), or one of the
        plugin's own, made from its configuration when the plugin is built (health checks included).
        """
        ...

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        within: float = 3.0,
        ssl_verify: bool = True,
        keepalive: bool = True,
    ) -> Response:
        """An HTTP request of the plugin's own; raises OSError, or TimeoutError after `within` seconds."""
        ...

    def log(self, level: str, message: str) -> None:
        """A line in the gateway's error log; level as nginx's (error, warn, info …)."""
        ...


class Plugin:
    """Base of all plugins; one subclass a file, one object per configuration.

    A subclass defines only the phases it has, as methods (see `PHASES`): the compiler collects the bound methods, so an
    absent phase costs nothing. `rewrite`, `access` and `before_proxy` may return an `Exit` or an awaitable of one.
    """

    name: ClassVar[str]
    priority: ClassVar[int]
    version: ClassVar[float] = 0.1
    #: "auth" for the plugins that find the consumer
    type: ClassVar[str] = ""
    #: "global" for the plugins that stand in plugins of config.yaml alone, whatever a route says
    reach: ClassVar[str] = ""
    schema: ClassVar[Schema] = {"type": "object", "properties": {}}
    consumer_schema: ClassVar[Schema | None] = None
    metadata_schema: ClassVar[Schema | None] = None
    #: members of the configuration kept encrypted in etcd, dotted ("redis_password"), and those of consumer_schema
    encrypt_fields: ClassVar[tuple[str, ...]] = ()
    consumer_encrypt_fields: ClassVar[tuple[str, ...]] = ()
    #: the member of auth_conf that identifies a consumer (auth plugins)
    consumer_key: ClassVar[str] = ""
    #: plugin.lua's run_policy: "prefer_route" runs a global rule's copy only when the route has none
    run_policy: ClassVar[str] = ""
    #: the rewrite phase does the same to each request with the same head as long as the configuration stays, or as
    #: `ctx.holds_from` and `ctx.holds_until` say: it reads no clock (else), no chance, no counter, no body, no address
    repeats: ClassVar[bool] = False
    #: gather the response's body before body_filter sees it (one call with last=True)
    gathers_response: ClassVar[bool] = False

    def __init__(self, conf: Conf, scope: Scope) -> None:
        """Build from a checked configuration with the schema's defaults filled in."""
        self.conf = conf
        self.scope = scope

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """What the schema can't say: the error's text, or None. Runs after the schema, with defaults filled in."""
        return None

    @classmethod
    def check_beside(cls, conf: dict[str, Any], metadata: Mapping[str, Any]) -> str | None:
        """What is wrong with a configuration beside the plugin's metadata; asked where an Admin API takes it."""
        return None

    @classmethod
    def reword(cls, problem: str, conf: dict[str, Any]) -> str:
        """What to say when the schema refused `conf` with `problem`; limit-count alone has words of its own."""
        return problem

    @classmethod
    def check_consumer(cls, conf: dict[str, Any]) -> str | None:
        """As `check`, for the configuration on a consumer or credential."""
        return None

    @classmethod
    def control_api(cls, scope: Scope) -> Mapping[tuple[str, str], App]:
        """(method, path) → handler of the plugin's own end-points on the Control API."""
        return {}

    @classmethod
    def public_api(cls, scope: Scope) -> Mapping[tuple[str, str], App]:
        """(method, path) → handler that the plugin public-api can expose on the data plane."""
        return {}


class Phases(Protocol):
    """The signatures of the phase methods, for reference; a plugin has those it needs."""

    def rewrite(self, ctx: Context) -> MaybeVerdict: ...
    def access(self, ctx: Context) -> MaybeVerdict: ...
    def before_proxy(self, ctx: Context) -> MaybeVerdict: ...
    def header_filter(self, ctx: Context) -> None: ...
    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes: ...
    def log(self, ctx: Context) -> None: ...


#: in the order they run
PHASES = ("rewrite", "access", "before_proxy", "header_filter", "body_filter", "log")
