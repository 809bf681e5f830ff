"""Configuration turned into flat tuples of bound functions, when it changes and not when a request comes."""

from __future__ import annotations

import copy
import inspect
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.match.body import is_body_variable
from harness.emulators.apisix.match.expression import ExpressionError, compile_expression
from harness.emulators.apisix.plans import NO_UPSTREAM, Part, Plan, Route, Steps
from harness.emulators.apisix.plugins.base import PHASES, Plugin
from harness.emulators.apisix.schema.validate import Validator
from harness.emulators.apisix.secret_managers.book import references
from harness.emulators.apisix.store import Entry
from harness.emulators.apisix.upstream import Upstream
from harness.emulators.apisix.variables import getter

if TYPE_CHECKING:
    from harness.emulators.apisix.data_plane import DataPlane

log = logging.getLogger(__name__)

#: A plan remembers its merging with so many consumers.
MOST_CONSUMERS: Final = 10_000
_NO_SERVICE: Final = Exit(404)
_NO_UPSTREAM_OBJECT: Final = Exit(502)
_NO_PLUGIN_CONFIG: Final = Exit(503)
_NO_GROUP: Final = Exit(503)
_NO_CLIENT_CERTIFICATE: Final = Exit(502)


class Compiler:
    """Makes plans, and keeps what several of them share: plugin objects and upstreams."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._store = plane.store
        #: changes whenever a plan may be out of date
        self.generation = 0
        self._rules = 0
        self._parts: dict[tuple[str, str, str], tuple[Any, Part | None]] = {}
        self._upstreams: dict[tuple[str, str], tuple[Any, Upstream]] = {}
        self._validators: dict[tuple[str, bool], Validator] = {}
        #: the parts whose configuration has references to secrets
        self._with_secrets: set[tuple[str, str, str]] = set()
        self._unmatched: Plan | None = None

    def changed(self, kind: str, id_: str, gone: bool) -> None:
        """A resource changed: plans look at what they were made from before they are used again."""
        self.generation += 1
        if kind == "global_rules":
            self._rules += 1
        if gone:
            for key in [key for key in self._parts if key[0] == kind and key[1] == id_]:
                del self._parts[key]
            held = self._upstreams.pop((kind, id_), None)
            if held:
                held[1].close()
                self._plane.checkers.drop(held[1].key)

    def secrets_changed(self) -> None:
        """References stand for other values: plugins that were made with some are made anew, and plans with them."""
        for key in self._with_secrets:
            self._parts.pop(key, None)
        self._with_secrets.clear()
        for _, upstream in self._upstreams.values():
            upstream.tls = None
        self.generation += 1
        self._rules += 1  # no plan is as good as it was

    def forget_health(self) -> None:
        """All checkers have been stopped: each upstream has a new one made at its next request."""
        for _, upstream in self._upstreams.values():
            upstream.forget_health()

    # -- plans

    def unmatched(self) -> Plan:
        """What runs for a request without a route: the global rules."""
        plan = self._unmatched
        if plan is None or plan.generation != self.generation:
            plan = self._unmatched = Plan()
            rules = self._globals({})
            self._lay_out(plan, rules, [])
            plan.generation = self.generation
        return plan

    def plan(self, route: Route) -> Plan:
        """The plan of a route, made anew unless all that it was made from is still in force."""
        plan = route.plan
        if plan is None or not self._still_good(plan):
            plan = route.plan = self._build(route)
        plan.generation = self.generation
        return plan

    def _still_good(self, plan: Plan) -> bool:
        return plan.rules == self._rules and all(
            self._store.get(kind).get(id_) is entry for kind, id_, entry in plan.depends
        )

    def _need(self, plan: Plan, kind: str, id_: Any) -> Entry | None:
        entry = self._store.get(kind).get(str(id_))
        plan.depends.append((kind, str(id_), entry))
        return entry

    def _build(self, route: Route) -> Plan:
        plan = Plan()
        plan.rules = self._rules
        value = route.value
        plugins: dict[str, tuple[Entry, Any]] = {}
        service = None
        if value.get("service_id") is not None:
            service = self._need(plan, "services", value["service_id"])
        config = None
        if value.get("plugin_config_id") is not None:
            config = self._need(plan, "plugin_configs", value["plugin_config_id"])
            if config is None:
                plan.refusal = _NO_PLUGIN_CONFIG
                return plan
        if value.get("service_id") is not None and service is None:
            plan.refusal = _NO_SERVICE
            return plan
        # a route's own plugin wins over its plugin_config's, and that over its service's
        for entry in (service, config, route.entry):
            if entry is not None:
                plugins.update({name: (entry, conf) for name, conf in (entry.value.get("plugins") or {}).items()})
        parts = self._resource_parts(plugins)
        rules = self._globals(plugins)
        self._lay_out(plan, rules, parts)
        plan.parts = {part.name: part for part in parts}
        websocket = value.get("enable_websocket")
        if websocket is None and service is not None:
            websocket = service.value.get("enable_websocket")
        plan.websocket = bool(websocket)
        plan.upstream = self._upstream_for(plan, route.entry, service)
        early = (plan.global_rewrite, plan.rewrite, plan.access, plan.before_proxy)
        plan.direct = plan.unfiltered and not any(early) and not plan.log
        upstream = plan.upstream
        if isinstance(upstream, Upstream) and upstream.straight and not plan.websocket and not plan.before_proxy:
            plan.straight = upstream
        return plan

    def _upstream_for(self, plan: Plan, route: Entry, service: Entry | None) -> Upstream | Exit:
        for holder in (route, service):
            if holder is None:
                continue
            if holder.value.get("upstream_id") is not None:
                return self._with_certificate(plan, self._upstream_by_id(plan, holder.value["upstream_id"]))
            if holder.value.get("upstream"):
                made = self.upstream(holder.kind, holder.id, holder.value["upstream"])
                return self._with_certificate(plan, made)
        return NO_UPSTREAM

    def _with_certificate(self, plan: Plan, upstream: Upstream | Exit) -> Upstream | Exit:
        """The upstream, or 502 when the `ssl` resource that its `tls` names is not there or no client's (init.lua)."""
        if isinstance(upstream, Exit):
            return upstream
        tls = upstream.conf.get("tls") or {}
        if tls.get("client_cert_id") is not None:
            held = self._need(plan, "ssls", tls["client_cert_id"])
            if held is None or held.value.get("type") != "client":
                why = "ssl type should be 'client'" if held else f"ssl id [{tls['client_cert_id']}] not exits"
                log.error("failed to get ssl cert: %s", why)
                return _NO_CLIENT_CERTIFICATE
            upstream.show(held)
        elif not tls.get("client_cert"):
            return upstream
        return self._with_readable_certificate(upstream)

    def _with_readable_certificate(self, upstream: Upstream) -> Upstream | Exit:
        try:
            self._plane.upstream_tls(upstream)
        except (ssl.SSLError, ValueError) as error:
            log.error("failed to set the client's certificate of %s: %s", upstream.key, error)
            return NO_UPSTREAM
        return upstream

    def _upstream_by_id(self, plan: Plan, id_: Any) -> Upstream | Exit:
        entry = self._need(plan, "upstreams", id_)
        if entry is None:
            return _NO_UPSTREAM_OBJECT
        return self.upstream("upstreams", entry.id, entry.value)

    def upstream_by_id(self, id_: Any) -> Upstream | Exit:
        """The upstream of that id as it is now, or the answer when there is none."""
        entry = self._store.get("upstreams").get(str(id_))
        return self.upstream("upstreams", entry.id, entry.value) if entry else _NO_UPSTREAM_OBJECT

    def upstream(self, kind: str, id_: str, conf: Mapping[str, Any]) -> Upstream:
        """The upstream in a resource's value, the same object as long as the configuration is the same."""
        held = self._upstreams.get((kind, id_))
        if held is not None and held[0] is conf:
            return held[1]
        if held is not None:
            held[1].close()
        made = Upstream(conf, f"/apisix/{kind}/{id_}", self._plane)
        self._upstreams[kind, id_] = (conf, made)
        return made

    def with_consumer(self, plan: Plan, consumer: ConsumerEntry) -> Plan | Exit:
        """The plan with the consumer's (and its group's) plugins; the same plan when it has none."""
        if not consumer.plugins and not consumer.group_id:
            return plan
        held = plan.consumers.get(id(consumer))
        if held is not None and held[0] is consumer:
            known = held[1]
            if known is plan or isinstance(known, Exit) or self._still_good(known):
                return known
        merged = self._merge_consumer(plan, consumer)
        if len(plan.consumers) > MOST_CONSUMERS:
            plan.consumers.clear()
        plan.consumers[id(consumer)] = (consumer, merged)
        return merged

    def _merge_consumer(self, plan: Plan, consumer: ConsumerEntry) -> Plan | Exit:
        merged = Plan()
        plugins: dict[str, tuple[Entry, Any]] = {}
        if consumer.group_id:
            group = self._need(merged, "consumer_groups", consumer.group_id)
            if group is None:
                return _NO_GROUP
            plugins.update({name: (group, conf) for name, conf in (group.value.get("plugins") or {}).items()})
        holder = Entry("consumers", consumer.name, {}, consumer.modified_index, consumer.modified_index)
        plugins.update({name: (holder, conf) for name, conf in consumer.plugins.items()})
        if not plugins:
            return plan
        own = {part.name: part for part in self._resource_parts(plugins)}
        if all(part.plugin.type == "auth" and _only_rewrites(part) for part in own.values()):
            return plan  # the consumer's credentials alone: they have done their work
        parts = [part for name, part in plan.parts.items() if name not in plugins] + list(own.values())
        self._lay_out(merged, list(plan.globals_only.parts.values()), _sorted(parts))
        # run again are only those that the route did not have (plugin.lua, merge_consumer_route)
        fresh = [part for name, part in own.items() if name not in plan.parts and part.plugin.type != "auth"]
        merged.consumer_rewrite = _steps(_sorted(fresh), "rewrite")
        merged.repeats = plan.repeats and _repeat(merged.consumer_rewrite)
        merged.parts = {part.name: part for part in parts}
        merged.upstream = plan.upstream
        merged.websocket = plan.websocket
        merged.straight = None if merged.before_proxy else plan.straight
        merged.generation = plan.generation
        return merged

    def _globals(self, of_route: Mapping[str, tuple[Entry, Any]]) -> list[Part]:
        """The global rules' parts, less those that leave precedence to the route's own plugin."""
        rules: dict[str, tuple[Entry, Any]] = {}
        for entry in self._store.get("global_rules").values():
            rules.update({name: (entry, conf) for name, conf in (entry.value.get("plugins") or {}).items()})
        parts = self._resource_parts(rules)
        return [part for part in parts if not (part.plugin.run_policy == "prefer_route" and _on(of_route, part.name))]

    def _lay_out(self, plan: Plan, rules: list[Part], parts: list[Part]) -> None:
        plan.global_rewrite = _steps(rules, "rewrite")
        plan.rewrite = _steps(parts, "rewrite")
        both = [*rules, *parts]
        plan.repeats = _repeat(plan.global_rewrite) and _repeat(plan.rewrite)
        plan.access = _steps(both, "access")
        plan.before_proxy = _steps(both, "before_proxy")
        plan.header_filter = _steps(both, "header_filter")
        plan.body_filter = _steps(both, "body_filter")
        plan.log = _steps(both, "log")
        plan.unfiltered = not plan.header_filter and not plan.body_filter
        alone = plan.globals_only = Plan()
        if rules:
            alone.parts = {part.name: part for part in rules}
            alone.header_filter = _steps(rules, "header_filter")
            alone.body_filter = _steps(rules, "body_filter")
            alone.log = _steps(rules, "log")
            alone.unfiltered = not alone.header_filter and not alone.body_filter

    # -- parts

    def _resource_parts(self, plugins: Mapping[str, tuple[Entry, Any]]) -> list[Part]:
        found = [self._part(entry, name, conf) for name, (entry, conf) in plugins.items()]
        return _sorted([part for part in found if part is not None])

    def _part(self, entry: Entry, name: str, conf: Any) -> Part | None:
        key = (entry.kind, entry.id, name)
        held = self._parts.get(key)
        if held is not None and held[0] is conf:
            return held[1]
        part = self.make_part(entry, name, conf)
        self._parts[key] = (conf, part)
        return part

    def make_part(self, entry: Entry, name: str, conf: Any) -> Part | None:
        """A plugin's object for a configuration, None when it is off, unknown or wrong (which is logged)."""
        kind = self._plane.plugins.get(name)
        if kind is None or not isinstance(conf, dict):
            return None
        own = copy.deepcopy(conf)
        meta = own.pop("_meta", None) or {}
        if meta.get("disable"):
            return None
        scope = self._plane.scope(kind, (entry.kind, entry.id, entry.modified_index))
        if any(references(own)):
            self._with_secrets.add((entry.kind, entry.id, name))
        own = scope.secret(own)
        problem = self.validator(kind).check(own)
        if problem:
            log.error("plugin %s of %s/%s: %s", name, entry.kind, entry.id, problem)
            return None
        return Part(
            name,
            kind(own, scope),
            meta.get("priority", kind.priority),
            meta.get("error_response"),
            _condition(meta.get("filter")),
            _reads_body(meta.get("filter")),
            kind.gathers_response,
        )

    def validator(self, kind: type[Plugin], *, consumer: bool = False) -> Validator:
        """The compiled schema of a plugin (or of its consumers)."""
        key = (kind.name, consumer)
        found = self._validators.get(key)
        if found is None:
            schema = kind.consumer_schema if consumer and kind.consumer_schema is not None else kind.schema
            found = self._validators[key] = Validator(schema)
        return found


def _only_rewrites(part: Part) -> bool:
    return not any(hasattr(part.plugin, phase) for phase in PHASES if phase != "rewrite")


def _on(plugins: Mapping[str, tuple[Entry, Any]], name: str) -> bool:
    held = plugins.get(name)
    return held is not None and not (held[1].get("_meta") or {}).get("disable")


def _sorted(parts: list[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: -part.priority)


def _condition(rule: Any) -> Callable[[Context], bool] | None:
    if not rule:
        return None
    try:
        return compile_expression(rule, getter)
    except ExpressionError as error:
        log.warning("failed to get the 'vars' expression: %s", error)
        return None


def _reads_body(rule: Any) -> bool:
    if isinstance(rule, list):
        return any(_reads_body(inner) for inner in rule)
    return isinstance(rule, str) and is_body_variable(rule)


def _steps(parts: list[Part], phase: str) -> Steps:
    assert phase in PHASES
    return tuple((_bound(part, phase), part) for part in parts if getattr(part.plugin, phase, None))


def _repeat(steps: Steps) -> bool:
    return all(part.plugin.repeats and part.condition is None for _, part in steps)


def condition_note(part: Part) -> str:
    """Under which name a request keeps whether a part's _meta.filter holds."""
    return f"_meta.filter {id(part)}"


def _bound(part: Part, phase: str) -> Callable[..., Any]:
    """The plugin's function, behind its `_meta.filter` if it has one, which is judged once per request."""
    function: Callable[..., Any] = getattr(part.plugin, phase)
    condition = part.condition
    if condition is None:
        return function
    note = condition_note(part)

    def holds(ctx: Context) -> bool:
        verdict = ctx.notes.get(note)
        if verdict is None:
            verdict = ctx.notes[note] = condition(ctx)
        return bool(verdict)

    async def later(ctx: Context) -> Any:
        await ctx.read_body()
        verdict = function(ctx) if holds(ctx) else None
        return await verdict if inspect.isawaitable(verdict) else verdict

    if part.reads_body and phase in ("rewrite", "access", "before_proxy"):
        return later
    if phase == "body_filter":
        return lambda ctx, chunk, last: function(ctx, chunk, last) if holds(ctx) else chunk
    return lambda ctx: function(ctx) if holds(ctx) else None
