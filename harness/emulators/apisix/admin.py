"""The Admin API: who may, what is asked, how it is answered (apisix/admin/init.lua)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from harness.clock import Clock, SystemClock
from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.access import ROOT, Access, Unauthorised, refused_key
from harness.emulators.apisix.etcd import EtcdError
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.resources import configs
from harness.emulators.apisix.resources.call import NO_BODY, Call, Outcome
from harness.emulators.apisix.resources.kind import Refused
from harness.emulators.apisix.resources.listing import BadPage, select
from harness.emulators.apisix.resources.operations import Crashed, Operations
from harness.emulators.apisix.resources.plugin_pages import PluginPages
from harness.emulators.apisix.resources.prepare import make_desk
from harness.emulators.apisix.resources.registry import BY_DIRECTORY, SCHEMAS
from harness.emulators.apisix.resources.v2 import reshape
from harness.emulators.apisix.settings import Settings
from harness.emulators.apisix.store import Store

log = logging.getLogger("harness.apisix.admin")

#: 1.5 MiB
LARGEST_BODY = 1_572_864

#: kinds that live below another: (owner, member in the path)
_BELOW = (("consumers", "credentials"), ("services", "graphql_cost_decorations"))


def make_admin(store: Store, settings: Settings, clock: Clock | None = None) -> App:
    """The Admin API on a started store."""
    return Admin(store, settings, clock or SystemClock()).answer


class Admin:
    """One Admin API: a function of requests over its store."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._access = Access(settings)
        self._desk = make_desk(store, settings)
        self._catalogue = self._desk.plugins
        self._v2 = settings.admin_api_version == "v2"
        self._version = ("X-API-VERSION", "v2" if self._v2 else "v3")
        self._operations = Operations(store, self._desk, clock.time, v2=self._v2)
        self._methods: dict[str, Callable[[Call], Awaitable[Outcome]]] = {
            "GET": self._operations.get,
            "PUT": self._operations.put,
            "POST": self._operations.post,
            "DELETE": self._operations.delete,
            "PATCH": self._operations.patch,
        }
        self._plugin_pages = PluginPages(self._catalogue, self._desk.streams)
        self._settings = settings
        self._store = store

    async def answer(self, request: Request) -> Response:
        """Any request; problems come as the real one's answers, never as exceptions."""
        early = self._access.early(request)
        if early is not None:
            return early
        if request.method not in self._methods or not request.path.startswith(ROOT + "/"):
            return self._access.missing()
        try:
            self._access.check(request)
            return await self._dispatch(request)
        except Unauthorised as error:
            return self._access.json(401, refused_key(error))
        except Crashed:
            return self._access.crashed()

    async def _dispatch(self, request: Request) -> Response:
        segments = [part for part in request.path.removeprefix(ROOT).split("/") if part]
        special = self._special(request, segments)
        if special is not None:
            return await special(request)
        if not segments:
            raise Crashed
        return await self._resource(request, segments)

    def _special(self, request: Request, segments: list[str]) -> Callable[[Request], Awaitable[Response]] | None:
        """The end-points that are no resources."""
        match request.method, segments:
            case "POST", ["configs", "validate"]:
                return self._validate_configs
            case "GET", ["plugins", "list"]:
                return self._plugin_list
            case "POST", ["schema", "validate", *_]:
                return self._validate_schema
            case _, ["plugins", "reload"]:
                return self._reload
        return None

    async def _plugin_list(self, request: Request) -> Response:
        names = self._plugin_pages.names(uri_args.parse(request.query).get("subsystem", "http"))
        if names is None:
            return self._access.answer(400, b"invalid subsystem passed", ())
        return self._access.json(200, names)

    async def _reload(self, request: Request) -> Response:
        """The list of plugins is fixed by the settings, so there is nothing to load; etcd learns of it all the same."""
        if request.method != "PUT":
            text = f"please use PUT method to reload the plugins, {request.method} method is not allowed."
            return self._access.json(405, {"error_msg": text})
        listed: list[dict[str, Any]] = [{"name": name} for name in self._catalogue.enabled]
        listed += [{"name": name, "stream": True} for name in self._desk.streams.enabled]
        await self._store.etcd.put(f"{self._store.prefix}/plugins", lua_json.encode(listed))
        return self._access.answer(200, b"done", ())

    async def _validate_schema(self, request: Request) -> Response:
        segments = [part for part in request.path.removeprefix(ROOT).split("/") if part]
        if len(segments) < 3:
            raise Crashed
        kind = BY_DIRECTORY.get(segments[2])
        if kind is None:
            return self._access.json(404, {"error_msg": f"Unsupported resource type: {segments[2]}"})
        try:
            body = _body(request)
        except Refused as refused:
            return self._access.json(refused.status, refused.body)
        if not kind.schema or body is NO_BODY:
            raise Crashed
        reason = kind.validator.check(body)
        return self._access.answer(200, b"", ()) if reason is None else self._access.json(400, {"error_msg": reason})

    async def _validate_configs(self, request: Request) -> Response:
        try:
            found = await configs.problems(configs.read(request), self._desk)
        except Refused as refused:
            return self._access.json(refused.status, refused.body)
        if found:
            return self._access.json(400, {"error_msg": "Configuration validation failed", "errors": found})
        return self._access.json(200, {})

    async def _resource(self, request: Request, segments: list[str]) -> Response:
        try:
            call = self._call(request, segments)
        except Refused as refused:
            return self._access.json(refused.status, refused.body)
        try:
            outcome = await self._perform(request, call)
            if isinstance(call, Call):
                outcome = self._shape(request, call, outcome)
            return self._access.json(outcome.status, outcome.body, self._version)
        except BadPage as error:
            return self._access.answer(400, str(error).encode(), (self._version,))
        except Refused as refused:
            return self._access.json(refused.status, refused.body, self._version)
        except EtcdError as error:
            return self._access.json(503, {"error_msg": str(error)}, self._version)

    def _shape(self, request: Request, call: Call, outcome: Outcome) -> Outcome:
        """The outcome as the version of the API shows it. Raises BadPage."""
        if self._v2:
            return reshape(request.method, outcome)
        if isinstance(outcome.body, dict) and "list" in outcome.body:
            return Outcome(200, select(outcome.body["list"], uri_args.parse(request.query), call.kind))
        return outcome

    async def _perform(self, request: Request, call: Call | Outcome) -> Outcome:
        if isinstance(call, Outcome):
            return call
        return await self._methods[request.method](call)

    def _call(self, request: Request, segments: list[str]) -> Call | Outcome:
        """What is asked of which kind, or at once the answer of the pages on plugins and schemas."""
        name, *path = segments
        if name == "stream_routes" and self._settings.proxy_mode == "http":
            raise Refused("stream mode is disabled, can not add stream routes")
        if name in ("plugins", "schema"):
            return self._page(request, name, path)
        parent = ""
        for owner, member in _BELOW:
            if name == owner and len(path) > 1 and path[1] == member:
                parent, name, path = path[0], member, path[2:]
        kind = BY_DIRECTORY.get(name)
        if kind is None:
            raise Refused(f"Unsupported resource type: {name}", 404)
        if kind.directory in dict(_BELOW).values() and not parent:
            raise Crashed if kind.directory == "credentials" else Refused("missing service id")
        body = _body(request)
        return Call(kind, tuple(path), body, _args(request), parent)

    def _page(self, request: Request, name: str, path: list[str]) -> Outcome:
        if request.method != "GET":
            raise Refused("not found", 404)
        if name == "schema" and path[:1] == ["plugins"] and len(path) > 1:
            name, path = "plugins", path[1:]
        if name == "plugins":
            return self._plugin_pages.schema(path[0] if path else "", uri_args.parse(request.query))
        if not path:
            raise Crashed
        schema = SCHEMAS.get(path[0])
        return Outcome(200, schema) if schema else Outcome(400, {"error_msg": f"not found schema: {path[0]}"})


def _args(request: Request) -> dict[str, uri_args.Arg]:
    args = uri_args.parse(request.query)
    ttl = args.get("ttl")
    if ttl is not None:
        try:
            float(ttl if isinstance(ttl, str) else "")
        except ValueError:
            raise Refused("invalid argument ttl: should be a number") from None
    return args


def _body(request: Request) -> Any:
    """The decoded body, NO_BODY without one. Raises Refused."""
    size = len(request.body)
    if size > LARGEST_BODY:
        text = f"request size {size} is greater than the maximum size {LARGEST_BODY} allowed"
        raise Refused(f"invalid request body: {text}")
    if not request.body:
        return NO_BODY
    try:
        return lua_json.decode(request.body)
    except ValueError as error:
        refused = Refused(f"invalid request body: {error}")
        refused.body["req_body"] = request.body.decode("utf-8", "surrogateescape")
        raise refused from error
