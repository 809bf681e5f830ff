"""The Control API: what the data plane holds, how its upstreams fare, which schemas it knows (control/v1.lua)."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from typing import Any, Protocol

from harness.clock import Clock
from harness.emulators.apisix import lua_json
from harness.emulators.apisix.discovery.dns import is_name
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.plugins.registry import BY_NAME
from harness.emulators.apisix.resources.plugin_pages import PluginPages
from harness.emulators.apisix.resources.prepare import make_catalogue
from harness.emulators.apisix.resources.registry import MAIN_SCHEMAS
from harness.emulators.apisix.resources.stream_plugins import StreamCatalogue
from harness.emulators.apisix.resources.upstream import parse_address
from harness.emulators.apisix.settings import Settings
from harness.emulators.apisix.store import Entry, Table


class Checker(Protocol):
    """The health of one upstream's nodes."""

    def told(self) -> list[dict[str, Any]]:
        """Per node: ip, port, hostname, status, counter."""
        ...


class Plane(Protocol):
    """What the data plane tells the Control API; all of it may be missing where there is no data plane."""

    def checker(self, key: str) -> Checker | None:
        """The checker of "/apisix/upstreams/1", once a request has made it."""
        ...

    def discovery_dumps(self) -> Mapping[str, Any]:
        """Name of a discovery → what it knows."""
        ...

    def plugin_apis(self) -> Mapping[tuple[str, str], App]:
        """(method, path) → end-point of a plugin's own."""
        ...


#: (status, body): JSON for objects and lists, text else
Answer = tuple[int, Any]
#: the rest of the path behind the end-point's own
Handler = Callable[[Request, str], Answer]


def make_control(store: Table, settings: Settings, clock: Clock | None = None, plane: Plane | None = None) -> App:
    """The Control API on a table of entries and, where there is one, its data plane."""
    return Control(store, settings, plane).answer


class Control:
    """One Control API; `clock` is part of the makers' common signature and not needed here."""

    def __init__(self, store: Table, settings: Settings, plane: Plane | None) -> None:
        self._store = store
        self._plane = plane
        self._prefix = "" if settings.standalone else settings.etcd_prefix
        self._catalogue = make_catalogue(settings, BY_NAME)
        self._pages = PluginPages(self._catalogue, StreamCatalogue(settings.stream_plugins))
        self._apis = plane.plugin_apis() if plane else {}
        self._handlers: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/v1/schema", self._schema),
            ("GET", "/v1/healthcheck", self._health),
            ("GET", "/v1/healthcheck/", self._health_of_one),
            ("POST", "/v1/gc", lambda request, rest: (200, "")),
            ("GET", "/v1/routes", lambda request, rest: (200, self._all("routes"))),
            ("GET", "/v1/route/", lambda request, rest: self._one("routes", "route", rest)),
            ("GET", "/v1/services", lambda request, rest: (200, self._all("services"))),
            ("GET", "/v1/service/", lambda request, rest: self._one("services", "service", rest)),
            ("GET", "/v1/upstreams", lambda request, rest: (200, self._all("upstreams"))),
            ("GET", "/v1/upstream/", lambda request, rest: self._one("upstreams", "upstream", rest)),
            ("GET", "/v1/plugin_metadatas", self._all_metadata),
            ("GET", "/v1/plugin_metadata/", self._metadata),
            ("PUT", "/v1/plugins/reload", lambda request, rest: (200, "done")),
            ("GET", "/v1/discovery/", self._discovery),
        )

    def answer(self, request: Request) -> Response | Awaitable[Response]:
        """Any request; an unknown end-point is nginx's 404."""
        api = self._apis.get((request.method, request.path))
        if api is not None:
            return api(request)
        for method, path, handler in self._handlers:
            if method == request.method and _matches(path, request.path):
                return _response(*handler(request, request.path[len(path) :]))
        return Response(404, None)

    def _schema(self, request: Request, rest: str) -> Answer:
        http, stream = self._pages.everything("http"), self._pages.everything("stream")
        return 200, {"main": MAIN_SCHEMAS, "plugins": http, "stream_plugins": stream}

    # what the data plane holds

    def _all(self, kind: str) -> Any:
        """An empty table is an object to the JSON of the real one."""
        return [self._shown(entry) for entry in self._store.get(kind).values() if "/" not in entry.id] or {}

    def _one(self, kind: str, label: str, rest: str) -> Answer:
        id_ = rest.split("/")[0]
        entry = self._store.get(kind).get(id_)
        return (200, self._shown(entry)) if entry else (404, {"error_msg": f"{label}[{id_}] not found"})

    def _shown(self, entry: Entry) -> dict[str, Any]:
        value = deepcopy(entry.value)
        key = f"{self._prefix}/{entry.kind}/{entry.id}"
        for conf in (value.get("plugins") or {}).values():
            conf.setdefault("_meta", {})
        upstream = value if entry.kind == "upstreams" else value.get("upstream")
        shown = {
            "key": key,
            "value": value,
            "createdIndex": entry.created_index,
            "modifiedIndex": entry.modified_index,
            "has_domain": _filter(upstream, key, entry) if upstream else False,
        }
        return {**shown, "orig_modifiedIndex": entry.modified_index} if entry.kind == "routes" else shown

    # health

    def _health(self, request: Request, rest: str) -> Answer:
        reports = [report for kind in ("routes", "services", "upstreams") for report in self._reports(kind)]
        return 200, _page(reports) if _wants_page(request) else reports or {}

    def _reports(self, kind: str) -> list[dict[str, Any]]:
        reports = (self._report(entry) for entry in self._store.get(kind).values())
        return [report for report in reports if report is not None]

    def _report(self, entry: Entry) -> dict[str, Any] | None:
        checks = entry.value.get("checks") or (entry.value.get("upstream") or {}).get("checks")
        if not checks:
            return None
        checker = self._plane.checker(f"/apisix/{entry.kind}/{entry.id}") if self._plane else None
        kind = (checks.get("active") or {}).get("type") or (checks.get("passive") or {}).get("type")
        # without targets the real one has a table of which it doesn't know that it is a list
        nodes: Any = (checker.told() if checker else None) or {}
        return {"name": f"{self._prefix}/{entry.kind}/{entry.id}", "nodes": nodes, "type": kind}

    def _health_of_one(self, request: Request, rest: str) -> Answer:
        kind, _, id_ = rest.rstrip("/").partition("/")
        if not id_:
            return 404, {"error_msg": f"missing src id for src type {kind}"}
        if kind not in ("routes", "services", "upstreams", "stream_routes"):
            return 400, {"error_msg": f"invalid src type {kind}"}
        id_ = id_.split("/")[0]
        entry = self._store.get(kind).get(id_)
        if entry is None:
            return 404, {"error_msg": f"{kind}[{id_}] not found"}
        report = self._report(entry)
        if report is None:
            return 404, {"error_msg": f"no checker for {kind}[{id_}]"}
        return 200, _page([report]) if _wants_page(request) else report

    # metadata and discovery

    def _all_metadata(self, request: Request, rest: str) -> Answer:
        held = self._store.get("plugin_metadata")
        return 200, [held[name].value for name in self._catalogue.enabled if name in held] or {}

    def _metadata(self, request: Request, rest: str) -> Answer:
        name = rest.split("/")[0]
        entry = self._store.get("plugin_metadata").get(name)
        return (200, entry.value) if entry else (404, {"error_msg": f"plugin metadata[{name}] not found"})

    def _discovery(self, request: Request, rest: str) -> Answer:
        name, _, page = rest.partition("/")
        dumps = self._plane.discovery_dumps() if self._plane else {}
        return (200, dumps[name]) if page == "dump" and name in dumps else (404, None)


def _matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern) if pattern.endswith("/") else path == pattern


def _filter(upstream: dict[str, Any], key: str, entry: Entry) -> bool:
    """Change an upstream as upstream.lua's filter does: nodes as a list, where it came from; tells whether it names
    a domain."""
    upstream.update(resource_key=key, resource_version=entry.modified_index, resource_id=entry.id)
    nodes = upstream.get("nodes")
    if nodes is None:
        return False
    if isinstance(nodes, dict):
        nodes = upstream["nodes"] = [_node(address, weight) for address, weight in nodes.items()]
    named = any(is_name(str(node.get("host"))) for node in nodes)
    if named:
        upstream["dns_nodes"] = nodes
    return named


def _node(address: str, weight: float) -> dict[str, Any]:
    host, port = parse_address(address)
    return {"host": host, "weight": weight, **({} if port is None else {"port": port})}


def _wants_page(request: Request) -> bool:
    return "text/html" in (request.headers.get("accept") or "")


class Page(str):
    """Text that is HTML."""


_HEADINGS = (
    "Index",
    "Upstream",
    "Check type",
    "Host",
    "Status",
    "Success counts",
    "TCP Failures",
    "HTTP Failures",
    "TIMEOUT Failures",
)


def _page(reports: list[dict[str, Any]]) -> Page:
    """The health reports as a table for people, as v1.lua's template has it."""
    nodes = [(report, node) for report in reports for node in report["nodes"]]
    rows = "".join(_row(index, report, node) for index, (report, node) in enumerate(nodes, 1))
    head = "".join(f"    <th>{heading}</th>\n" for heading in _HEADINGS)
    title = "APISIX upstream check status"
    return Page(
        '<html xmlns="http://www.w3.org/1999/xhtml">\n'
        f"<head>\n  <title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n"
        '<table style="background-color:white" cellspacing="0" cellpadding="3" border="1">\n'
        f'  <tr bgcolor="#C0C0C0">\n{head}  </tr>\n{rows}</table>\n</body>\n</html>\n'
    )


def _row(index: int, report: dict[str, Any], node: dict[str, Any]) -> str:
    counter = node["counter"]
    counts = (counter[name] for name in ("success", "tcp_failure", "http_failure", "timeout_failure"))
    cells = (index, report["name"], report["type"], f"{node['ip']}:{node['port']}", node["status"], *counts)
    colour = "" if node["status"] in ("healthy", "mostly_healthy") else ' bgcolor="#FF0000"'
    return f"  <tr{colour}>\n" + "".join(f"    <td>{html.escape(str(cell))}</td>\n" for cell in cells) + "  </tr>\n"


def _response(status: int, body: Any) -> Response:
    if isinstance(body, Page):
        return Response(status, body.encode(), [("Content-Type", "text/html")], chunked=True)
    if body is None:
        return Response(status, None)
    if isinstance(body, str):
        return Response(status, body.encode(), [("Content-Type", "text/plain; charset=utf-8")], chunked=True)
    return Response(status, lua_json.encode(body) + b"\n", [("Content-Type", "application/json")], chunked=True)
