"""What requests run: plugins as parts of a plan, plans by route (and consumer), all made before a request comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Plugin
from harness.emulators.apisix.store import Entry
from harness.emulators.apisix.upstream import Upstream, timeouts_of

NO_UPSTREAM: Final = Exit(503)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One plugin of a plan: its object and what `_meta` says."""

    name: str
    plugin: Plugin
    priority: float
    error_response: Any = None
    condition: Callable[[Context], bool] | None = None
    #: whether the condition looks into the request's body
    reads_body: bool = False
    gathers: bool = False


Steps = tuple[tuple[Callable[..., Any], Part], ...]


class Plan:
    """All that requests of one route (and consumer) run, in the order of the phases."""

    __slots__ = (
        "access",
        "before_proxy",
        "body_filter",
        "consumer_rewrite",
        "consumers",
        "depends",
        "direct",
        "generation",
        "global_rewrite",
        "globals_only",
        "header_filter",
        "log",
        "parts",
        "refusal",
        "repeats",
        "rewrite",
        "rules",
        "straight",
        "unfiltered",
        "upstream",
        "websocket",
    )

    def __init__(self) -> None:
        self.generation = -1
        #: how often global rules had changed when it was made
        self.rules = -1
        #: (kind, id, the entry it was made from)
        self.depends: list[tuple[str, str, Entry | None]] = []
        self.parts: dict[str, Part] = {}
        self.refusal: Exit | None = None
        #: the global rules alone: their filters run when they answer before the route's plugins are reached
        self.globals_only: Plan = self
        self.global_rewrite: Steps = ()
        self.rewrite: Steps = ()
        self.consumer_rewrite: Steps = ()
        self.access: Steps = ()
        self.before_proxy: Steps = ()
        self.header_filter: Steps = ()
        self.body_filter: Steps = ()
        self.log: Steps = ()
        self.upstream: Upstream | Exit = NO_UPSTREAM
        self.websocket = False
        #: nothing of a plugin runs before or on the answer: the shortest way through the pipeline
        self.direct = False
        #: the upstream, where a request without a body needs nothing else to be thought of behind the access phase
        self.straight: Upstream | None = None
        #: what runs in the rewrite phase does the same to each request with the same head
        self.repeats = False
        #: no plugin looks at the upstream's answer
        self.unfiltered = True
        #: id of a consumer → the consumer, and the plan with its plugins
        self.consumers: dict[int, tuple[ConsumerEntry, Plan | Exit]] = {}


class Route:
    """A route: what the router reads of it, its value, and its plan once a request has asked for it."""

    __slots__ = (
        "entry",
        "filter_func",
        "hosts",
        "id",
        "methods",
        "plan",
        "priority",
        "remote_addrs",
        "status",
        "timeouts",
        "uris",
        "value",
        "vars",
    )

    def __init__(self, entry: Entry, service: Mapping[str, Any] | None) -> None:
        value = entry.value
        self.entry = entry
        self.value = value
        self.id = entry.id
        self.uris: list[str] = _listed(value, "uri", "uris") or []
        self.hosts: list[str] | None = _listed(value, "host", "hosts") or (service or {}).get("hosts")
        self.methods: list[str] | None = value.get("methods")
        self.remote_addrs: list[str] | None = _listed(value, "remote_addr", "remote_addrs")
        self.vars: Any = value.get("vars")
        self.filter_func: str | None = value.get("filter_func")
        self.priority = int(value.get("priority") or 0)
        self.status = int(value.get("status", 1))
        self.timeouts = timeouts_of(value.get("timeout"))
        self.plan: Plan | None = None


def _listed(value: Mapping[str, Any], one: str, many: str) -> list[str] | None:
    if value.get(one):
        return [value[one]]
    return value.get(many)
