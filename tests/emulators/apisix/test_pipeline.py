"""The order of the phases, what merges with what, and what becomes of answers on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.emulators.apisix import ApisixServer

KINDS = ("routes", "global_rules", "services", "plugin_configs", "consumers", "consumer_groups", "upstreams")
CLIENT = httpx.Client(timeout=10)
UPSTREAM = {"type": "roundrobin", "nodes": {"127.0.0.1:9": 1}}


@pytest.fixture(scope="module")
def server() -> Iterator[ApisixServer]:
    with ApisixServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _clean(server: ApisixServer) -> Iterator[None]:
    yield
    with _admin(server) as admin:
        for kind in (
            "routes",
            "global_rules",
            "services",
            "plugin_configs",
            "consumers",
            "consumer_groups",
            "upstreams",
        ):
            for entry in admin.get(f"/{kind}").json()["list"] or ():
                admin.delete(entry["key"].removeprefix("/apisix"))


def _admin(server: ApisixServer) -> httpx.Client:
    base = server.admin_url + "/apisix/admin"
    return httpx.Client(base_url=base, headers={"X-API-KEY": server.admin_key}, timeout=10)


def put(server: ApisixServer, path: str, value: dict[str, Any]) -> None:
    with _admin(server) as admin:
        answer = admin.put(path, json=value)
    assert answer.status_code < 300, answer.text


def get(server: ApisixServer, path: str = "/p", **more: Any) -> httpx.Response:
    return CLIENT.get(server.http_url + path, **more)


def header(name: str, value: str) -> dict[str, Any]:
    return {"response-rewrite": {"headers": {"set": {name: value}}}}


MOCK = {"mocking": {"response_example": "mock", "response_status": 201}}


def test_route_over_plugin_config_over_service(server: ApisixServer) -> None:
    put(server, "/services/s", {"plugins": header("x-a", "service") | MOCK})
    put(server, "/plugin_configs/c", {"plugins": header("x-a", "config")})
    put(server, "/routes/1", {"uri": "/p", "service_id": "s", "plugin_config_id": "c"})
    put(
        server,
        "/routes/2",
        {"uri": "/q", "service_id": "s", "plugin_config_id": "c", "plugins": header("x-a", "route")},
    )
    assert (get(server, "/p").status_code, get(server, "/p").headers["x-a"]) == (201, "config")
    assert get(server, "/q").headers["x-a"] == "route"


def test_a_changed_service_and_config_are_seen_by_their_routes(server: ApisixServer) -> None:
    put(server, "/services/s", {"plugins": header("x-a", "1") | MOCK, "hosts": ["a.test"]})
    put(server, "/routes/1", {"uri": "/p", "service_id": "s"})
    assert get(server, headers={"Host": "a.test"}).headers["x-a"] == "1"
    put(server, "/services/s", {"plugins": header("x-a", "2") | MOCK, "hosts": ["b.test"]})
    assert get(server, headers={"Host": "a.test"}).status_code == 404
    assert get(server, headers={"Host": "b.test"}).headers["x-a"] == "2"


def test_global_rules_run_on_what_has_no_route(server: ApisixServer) -> None:
    put(server, "/global_rules/1", {"plugins": header("x-global", "1")})
    missing = get(server, "/nothing")
    assert (missing.status_code, missing.headers["x-global"]) == (404, "1")
    put(server, "/global_rules/1", {"plugins": {"ip-restriction": {"blacklist": ["127.0.0.0/8"]}}})
    assert get(server, "/nothing").status_code == 403


def test_a_consumers_plugins_replace_the_routes_and_its_groups(server: ApisixServer) -> None:
    put(server, "/consumer_groups/g", {"plugins": header("x-group", "1")})
    plugins = {"key-auth": {"key": "k"}, **header("x-who", "consumer")}
    put(server, "/consumers", {"username": "jack", "plugins": plugins, "group_id": "g"})
    put(
        server,
        "/routes/1",
        {"uri": "/p", "plugins": {"key-auth": {}, **header("x-who", "route")}, "upstream": UPSTREAM},
    )
    assert get(server).headers["x-who"] == "route"
    known = get(server, headers={"apikey": "k"})
    assert (known.status_code, known.headers["x-who"]) == (502, "consumer")


def test_what_is_missing_has_its_status(server: ApisixServer) -> None:
    put(server, "/upstreams/u", UPSTREAM)
    put(server, "/services/s", {"upstream_id": "u"})
    put(server, "/routes/none", {"uri": "/none", "plugins": {"cors": {}}})
    put(server, "/routes/service", {"uri": "/service", "service_id": "s"})
    assert get(server, "/none").status_code == 503
    assert get(server, "/service").status_code == 502


def test_meta_disable_priority_filter_and_error_response(server: ApisixServer) -> None:
    refuse = {"ip-restriction": {"blacklist": ["127.0.0.1"], "_meta": {"error_response": {"m": "no"}}}}
    put(server, "/routes/1", {"uri": "/p", "plugins": refuse, "upstream": UPSTREAM})
    assert (get(server).status_code, get(server).json()) == (403, {"m": "no"})
    only = {"blacklist": ["127.0.0.1"], "_meta": {"filter": [["arg_x", "==", "1"]]}}
    put(server, "/routes/1", {"uri": "/p", "plugins": {"ip-restriction": only}, "upstream": UPSTREAM})
    assert (get(server, "/p?x=1").status_code, get(server, "/p?x=2").status_code) == (403, 502)
    put(
        server,
        "/routes/1",
        {"uri": "/p", "plugins": {"ip-restriction": only | {"_meta": {"disable": True}}}, "upstream": UPSTREAM},
    )
    assert get(server, "/p?x=1").status_code == 502


def test_a_filter_func_that_fails_is_a_500(server: ApisixServer) -> None:
    put(server, "/routes/1", {"uri": "/p", "filter_func": "function(vars) error('x') end", "upstream": UPSTREAM})
    assert get(server).status_code == 500


def test_a_route_that_looks_into_the_body(server: ApisixServer) -> None:
    put(server, "/routes/1", {"uri": "/p", "vars": [["post_arg_a", "==", "1"]], "plugins": MOCK})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert CLIENT.post(server.http_url + "/p", content="a=1", headers=form).status_code == 201
    assert CLIENT.post(server.http_url + "/p", content="a=2", headers=form).status_code == 404


def test_own_answers_have_a_date_and_pages_their_length(server: ApisixServer) -> None:
    put(server, "/routes/1", {"uri": "/p.html", "upstream": UPSTREAM})
    page = get(server, "/p.html")
    assert page.headers["content-length"] == str(len(page.content))
    assert "date" in page.headers
    assert get(server, "/x.css").headers["content-type"].startswith("text/css")


def test_the_service_and_the_node_have_their_names_in_variables(server: ApisixServer) -> None:
    put(server, "/services/1", {"name": "shop", "upstream": {"type": "roundrobin", "nodes": {"localhost:9": 1}}})
    shown = header("x-told", "$service_name $upstream_unresolved_host $upstream_addr")
    put(server, "/routes/1", {"uri": "/p", "service_id": "1", "plugins": shown})
    answer = get(server)
    assert (answer.status_code, answer.headers["x-told"].split()[:2]) == (502, ["shop", "localhost"])
    assert "localhost" not in answer.headers["x-told"].split()[2]
    put(server, "/routes/1", {"uri": "/p", "plugins": {**header("x-told", "<$upstream_unresolved_host>"), **MOCK}})
    assert get(server).headers["x-told"] == "<>"
