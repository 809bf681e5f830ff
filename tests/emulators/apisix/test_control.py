"""The Control API: what the data plane holds, as the real one shows it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from harness.emulators.apisix.control import Checker, Control
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.resources.prepare import make_prepare
from harness.emulators.apisix.settings import Settings
from harness.emulators.apisix.standalone import StandaloneTable

SETTINGS = Settings()
NODE = {"host": "127.0.0.1", "port": 80, "weight": 1}
COUNTER = {"success": 0, "tcp_failure": 2, "http_failure": 0, "timeout_failure": 0}
TARGET = {"ip": "127.0.0.1", "port": 80, "hostname": "127.0.0.1", "status": "unhealthy", "counter": COUNTER}
WHOLE = {
    "routes": [{"id": "r", "uri": "/a", "plugins": {"cors": {}}, "upstream": {"nodes": {"127.0.0.1:80": 1}}}],
    "services": [{"id": "s", "upstream": {"nodes": {"name.test:80": 1}}}],
    "upstreams": [
        {"id": "u", "nodes": [NODE], "checks": {"active": {"http_path": "/h"}}},
        {"id": "plain", "nodes": [NODE]},
    ],
    "plugin_metadata": [{"id": "http-logger", "log_format": {"h": "$host"}}],
}


class Told:
    def told(self) -> list[dict[str, Any]]:
        return [TARGET]


class Plane:
    def checker(self, key: str) -> Checker | None:
        return Told() if key == "/apisix/upstreams/u" else None

    def discovery_dumps(self) -> Mapping[str, Any]:
        return {"nacos": {"services": {}}}

    def plugin_apis(self) -> Mapping[tuple[str, str], App]:
        return {("GET", "/v1/plugin/own"): lambda request: Response(200, b"own")}


def asked(path: str, whole: dict[str, Any], method: str = "GET", **headers: str) -> Response:
    async def scenario() -> Response:
        table = StandaloneTable(make_prepare(SETTINGS))
        table.replace(json.loads(json.dumps(whole)), dict.fromkeys(whole, 7))
        pairs = Headers.of(headers.items())
        answer = Control(table, SETTINGS, Plane()).answer(Request(method, path, path, "", pairs))
        assert isinstance(answer, Response)
        return answer

    return asyncio.run(scenario())


def shown(path: str, whole: dict[str, Any] | None = None) -> Any:
    return json.loads(asked(path, WHOLE if whole is None else whole).body or b"")


def test_a_route_with_its_defaults_and_where_its_upstream_came_from() -> None:
    route = shown("/v1/route/r")
    assert {name: value for name, value in route.items() if name != "value"} == {
        "key": "/apisix/routes/r",
        "createdIndex": 7,
        "modifiedIndex": 7,
        "orig_modifiedIndex": 7,
        "has_domain": False,
    }
    upstream = route["value"]["upstream"]
    assert upstream["nodes"] == [NODE]
    assert (upstream["resource_key"], upstream["resource_version"], upstream["resource_id"]) == (route["key"], 7, "r")
    assert (upstream["hash_on"], upstream["scheme"], upstream["pass_host"]) == ("vars", "http", "pass")
    assert route["value"]["plugins"]["cors"]["_meta"] == {}
    assert shown("/v1/routes") == [route]


def test_names_among_the_nodes() -> None:
    service = shown("/v1/service/s")
    assert service["has_domain"] is True
    assert "orig_modifiedIndex" not in service


@pytest.mark.parametrize("path", ["/v1/routes", "/v1/services", "/v1/upstreams", "/v1/healthcheck"])
def test_nothing_is_an_empty_object(path: str) -> None:
    assert shown(path, {}) == {}


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/route/none", 404, "route[none] not found"),
        ("/v1/upstream/none", 404, "upstream[none] not found"),
        ("/v1/healthcheck/upstreams/plain", 404, "no checker for upstreams[plain]"),
        ("/v1/healthcheck/upstreams/none", 404, "upstreams[none] not found"),
        ("/v1/healthcheck/upstreams", 404, "missing src id for src type upstreams"),
        ("/v1/healthcheck/gadgets/1", 400, "invalid src type gadgets"),
        ("/v1/plugin_metadata/none", 404, "plugin metadata[none] not found"),
    ],
)
def test_what_is_missing(path: str, status: int, message: str) -> None:
    response = asked(path, WHOLE)
    assert (response.status, json.loads(response.body or b"")) == (status, {"error_msg": message})


def test_health_as_json_and_as_a_page() -> None:
    report = {"name": "/apisix/upstreams/u", "type": "http", "nodes": [TARGET]}
    assert shown("/v1/healthcheck") == [report]
    assert shown("/v1/healthcheck/upstreams/u") == report
    page = asked("/v1/healthcheck", WHOLE, accept="text/html,*/*")
    assert ("Content-Type", "text/html") in page.headers
    cells = ("127.0.0.1:80", "unhealthy", "0", "2")
    assert "".join(f"    <td>{cell}</td>\n" for cell in cells).encode() in (page.body or b"")
    assert b'  <tr bgcolor="#FF0000">\n' in (page.body or b"")


def test_schemas_metadata_discoveries_and_plugins_own_pages() -> None:
    schema = shown("/v1/schema")
    assert set(schema) == {"main", "plugins", "stream_plugins"}
    assert "consumer_schema" in schema["plugins"]["key-auth"]
    assert shown("/v1/plugin_metadata/http-logger")["log_format"] == {"h": "$host"}
    assert [found["id"] for found in shown("/v1/plugin_metadatas")] == ["http-logger"]
    assert shown("/v1/discovery/nacos/dump") == {"services": {}}
    assert asked("/v1/plugin/own", WHOLE).body == b"own"
    assert asked("/v1/gc", WHOLE, "POST").status == 200
    assert asked("/v1/plugins/reload", WHOLE, "PUT").body == b"done"
    assert asked("/v1/gc", WHOLE).status == 404
