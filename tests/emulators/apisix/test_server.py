"""The embedded gateway as a test uses it: addresses, journal, explain, clock, reset, seed, drain."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.emulators.apisix import ApisixServer
from harness.errors import SpecError
from harness.wait import until

CLIENT = httpx.Client(timeout=10)


@pytest.fixture(scope="module")
def server() -> Iterator[ApisixServer]:
    with ApisixServer() as server:
        yield server


@pytest.fixture(scope="module")
def admin(server: ApisixServer) -> Iterator[httpx.Client]:
    base = server.admin_url + "/apisix/admin"
    with httpx.Client(base_url=base, headers={"X-API-KEY": server.admin_key}, timeout=10) as client:
        yield client


def put(admin: httpx.Client, path: str, value: dict[str, Any]) -> None:
    answer = admin.put(path, json=value)
    assert answer.status_code < 300, answer.text


def get(server: ApisixServer, path: str, **more: Any) -> httpx.Response:
    return CLIENT.get(server.http_url + path, **more)


def harness(server: ApisixServer, method: str, path: str, **more: Any) -> Any:
    answer = CLIENT.request(method, f"{server.control_url}/_harness/{path}", **more)
    answer.raise_for_status()
    return answer.json()


def test_the_journal_tells_the_route_the_plugin_and_the_tries(server: ApisixServer, admin: httpx.Client) -> None:
    node = {"type": "roundrobin", "nodes": {"127.0.0.1:9": 1}}
    put(admin, "/routes/told", {"uri": "/told", "name": "a-name", "upstream": node, "plugins": {"key-auth": {}}})
    put(admin, "/consumers", {"username": "jack", "plugins": {"key-auth": {"key": "jacks"}}})
    get(server, "/told", headers={"X-Request-Id": "r-1"})
    get(server, "/told", headers={"X-Request-Id": "r-2", "apikey": "jacks"})
    refused = harness(server, "GET", "journal?last=5&request_id=r-1")["entries"]
    assert [entry["response"]["status"] for entry in refused] == [401]
    assert refused[0]["decisions"] == [
        {"phase": "rewrite", "plugin": "key-auth", "said": "answered 401: Missing API key in request"}
    ]
    assert refused[0]["plugins"] == [
        {"phase": "rewrite", "plugin": "key-auth", "said": refused[0]["decisions"][0]["said"]}
    ]
    sent = harness(server, "GET", "journal?request_id=r-2")["entries"][0]
    assert [told["said"] for told in sent["plugins"]] == ["went on"]
    assert sent["seconds"] > 0
    assert (sent["route"], sent["route_name"], sent["consumer"]) == ("told", "a-name", "jack")
    assert [(attempt["node"], attempt["status"]) for attempt in sent["upstream"]["tries"]] == [("127.0.0.1:9", 502)]


def test_the_journal_tells_what_became_of_each_plugin(server: ApisixServer, admin: httpx.Client) -> None:
    plugins = {
        "cors": {"_meta": {"filter": [["arg_cors", "==", "1"]]}},
        "ip-restriction": {"blacklist": ["127.0.0.1"]},
        "limit-count": {"count": 1, "time_window": 60},
        "proxy-rewrite": {"uri": "/other"},
    }
    put(admin, "/routes/each", {"uri": "/each", "plugins": plugins, "upstream": {"nodes": {"127.0.0.1:9": 1}}})
    get(server, "/each", headers={"X-Request-Id": "each-1"})
    told = harness(server, "GET", "journal?request_id=each-1")["entries"][0]["plugins"]
    assert {one["plugin"]: one["said"] for one in told} == {
        "cors": "passed over: its _meta.filter doesn't hold",
        "proxy-rewrite": "went on",
        "ip-restriction": "answered 403: Your IP address is not allowed",
        "limit-count": "not reached",
    }


def test_the_journal_tells_the_near_misses_of_what_no_route_took(server: ApisixServer, admin: httpx.Client) -> None:
    upstream = {"nodes": {"127.0.0.1:9": 1}}
    put(admin, "/routes/near", {"uri": "/near", "methods": ["POST"], "upstream": upstream})
    get(server, "/near", headers={"X-Request-Id": "near-1"})
    entry = harness(server, "GET", "journal?request_id=near-1")["entries"][0]
    assert (entry["route"], entry["response"]["status"]) == (None, 404)
    assert ("near", "methods") in [(miss["route"], miss["check"]) for miss in entry["near_misses"]]


def test_explain_names_the_route_or_the_near_misses(server: ApisixServer, admin: httpx.Client) -> None:
    node = {"type": "roundrobin", "nodes": {"127.0.0.1:9": 1}}
    put(admin, "/routes/why", {"uri": "/why", "methods": ["POST"], "upstream": node, "plugins": {"limit-req": _LIMIT}})
    found = harness(server, "POST", "explain", json={"method": "POST", "uri": "/why"})
    assert found["route"]["id"] == "why"
    assert ["limit-req"] in [phase["plugins"] for phase in found["phases"]]
    assert found["upstream"]["nodes"][0]["address"] == "127.0.0.1:9"
    missed = harness(server, "POST", "explain", json={"method": "GET", "uri": "/why"})
    assert missed["route"] is None
    assert ("why", "methods") in [(miss["route"], miss["check"]) for miss in missed["near_misses"]]
    bad = httpx.post(server.control_url + "/_harness/explain", json={"uri": "no path"})
    assert bad.status_code == 400


_LIMIT = {"rate": 1, "burst": 0, "key": "remote_addr"}


def test_clock_and_reset_renew_a_rate_limit(server: ApisixServer, admin: httpx.Client) -> None:
    limit = {"count": 1, "time_window": 60, "rejected_code": 429}
    node = {"type": "roundrobin", "nodes": {"127.0.0.1:9": 1}}
    put(admin, "/routes/limit", {"uri": "/limit", "upstream": node, "plugins": {"limit-count": limit}})
    assert [get(server, "/limit").status_code for _ in range(2)] == [502, 429]
    harness(server, "POST", "clock/advance", json={"seconds": 61})
    assert [get(server, "/limit").status_code for _ in range(2)] == [502, 429]
    harness(server, "POST", "reset", json={})
    assert get(server, "/limit").status_code == 502
    assert len(harness(server, "GET", "journal")["entries"]) == 1


def test_a_seed_repeats_the_choices(server: ApisixServer, admin: httpx.Client) -> None:
    nodes = {f"127.0.0.1:{port}": 1 for port in (2, 3, 4, 5)}

    def chosen() -> list[str]:
        harness(server, "POST", "seed", json={"seed": 5})
        harness(server, "POST", "reset", json={})
        upstream = {"type": "roundrobin", "nodes": nodes, "retries": 0}
        put(admin, "/routes/seed", {"uri": "/seed", "upstream": upstream})
        for _ in range(6):
            get(server, "/seed")
        return [entry["upstream"]["tries"][0]["node"] for entry in server.journal(6)]

    assert chosen() == chosen()


def test_unknown_harness_endpoints_say_what_there_is(server: ApisixServer) -> None:
    answer = httpx.get(server.control_url + "/_harness/nothing")
    assert answer.status_code == 404
    assert "GET /_harness/journal" in answer.json()["error"]


def test_stopping_lets_a_request_end_and_closes_idle_connections() -> None:
    begun, go = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def slow() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            begun.set()
            assert go.wait(10)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    threading.Thread(target=slow, daemon=True).start()
    with ApisixServer(control=None, prometheus=None) as server:
        node = {"type": "roundrobin", "nodes": {f"127.0.0.1:{listener.getsockname()[1]}": 1}}
        with httpx.Client(base_url=server.admin_url, headers={"X-API-KEY": server.admin_key}) as admin:
            put(admin, "/apisix/admin/routes/1", {"uri": "/slow", "upstream": node})
        host, port = server.http_url.removeprefix("http://").split(":")
        idle = socket.create_connection((host, int(port)), timeout=10)
        statuses: list[int] = []
        asking = threading.Thread(target=lambda: statuses.append(get(server, "/slow").status_code))
        asking.start()
        assert begun.wait(10)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert idle.recv(1) == b""  # closed at once, though a request is still under way
        assert statuses == []
        go.set()
        stopping.join()
        asking.join()
    assert statuses == [200]
    listener.close()


def test_an_address_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SpecError, match="can't listen on"):
            ApisixServer(http=address).start()


def test_what_another_writer_puts_into_etcd_is_served(server: ApisixServer, admin: httpx.Client) -> None:
    import base64
    import json

    route = {"uri": "/foreign", "plugins": {"mocking": {"response_example": "seen"}}}
    encoded = {
        "key": base64.b64encode(b"/apisix/routes/foreign").decode(),
        "value": base64.b64encode(json.dumps(route).encode()).decode(),
    }
    httpx.post(server.etcd_url + "/v3/kv/put", json=encoded).raise_for_status()
    until(lambda: get(server, "/foreign").status_code == 200, 5, awaited="the route from etcd")
