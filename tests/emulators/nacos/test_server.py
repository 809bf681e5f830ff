"""The server object: life, ports, reset, snapshots, the clock, faults, the control endpoints."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from harness.clock import ManualClock
from harness.emulators.nacos import NacosServer
from harness.emulators.nacos.errors import NacosError
from harness.errors import SpecError
from harness.wait import until

pytestmark = pytest.mark.emulator("how an embedded server is started, stopped and controlled")


def register(http: httpx.Client, port: int, **more: object) -> None:
    answer = http.post("/v1/ns/instance", params={"serviceName": "s", "ip": "10.0.0.1", "port": port, **more})
    assert (answer.status_code, answer.content) == (200, b"ok")


def ports(http: httpx.Client) -> list[int]:
    return sorted(host["port"] for host in http.get("/v1/ns/instance/list?serviceName=s").json()["hosts"])


def test_grpc_listens_a_thousand_above_http(nacos: NacosServer) -> None:
    assert nacos.grpc_port == nacos.port + 1000
    socket.create_connection(("127.0.0.1", nacos.grpc_port)).close()


def test_two_servers_are_strangers() -> None:
    with NacosServer() as one, NacosServer() as two:
        assert {one.port, one.grpc_port}.isdisjoint({two.port, two.grpc_port})
        httpx.post(f"{one.http_url}/nacos/v1/ns/instance?serviceName=s&ip=1.1.1.1&port=1")
        assert httpx.get(f"{two.http_url}/nacos/v1/ns/instance/list?serviceName=s").json()["hosts"] == []


def test_a_stopped_server_starts_again_on_its_port() -> None:
    with NacosServer() as first:
        port = first.port
    with NacosServer(port=port) as again:
        assert again.port == port
        assert httpx.get(f"{again.http_url}/nacos/v1/ns/operator/metrics").json() == {"status": "UP"}


def test_a_taken_port_is_a_clear_error(nacos: NacosServer) -> None:
    with pytest.raises(SpecError, match="can't listen"):
        NacosServer(port=nacos.port).start()


def test_auth_may_be_off_on_the_loopback_only() -> None:
    with pytest.raises(SpecError, match="loopback"):
        NacosServer(host="0.0.0.0")


def test_reset_brings_back_the_start_and_keeps_connections(nacos: NacosServer, http: httpx.Client) -> None:
    register(http, 1)
    http.post("/v1/cs/configs", data={"dataId": "d", "group": "G", "content": "x"})
    nacos.advance(3600)
    nacos.reset()
    assert ports(http) == []
    assert http.get("/v1/cs/configs?dataId=d&group=G").status_code == 404


def test_a_snapshot_comes_back_with_fresh_heart_beats(nacos: NacosServer, http: httpx.Client) -> None:
    register(http, 1)
    http.post("/v1/cs/configs", data={"dataId": "d", "group": "G", "content": "before"})
    kept = nacos.snapshot()
    register(http, 2)
    http.post("/v1/cs/configs", data={"dataId": "d", "group": "G", "content": "after"})
    nacos.advance(29)
    nacos.restore(kept)
    nacos.advance(10)
    assert ports(http) == [1]
    assert http.get("/v1/cs/configs?dataId=d&group=G").text == "before"


def test_an_unknown_snapshot_is_refused(nacos: NacosServer) -> None:
    with pytest.raises(NacosError, match="no snapshot"):
        nacos.restore("none")


def test_advance_expires_heart_beats(nacos: NacosServer, http: httpx.Client) -> None:
    register(http, 1)
    nacos.advance(16)
    [host] = http.get("/v1/ns/instance/list?serviceName=s").json()["hosts"]
    assert host["healthy"] is False
    nacos.advance(15)
    assert ports(http) == []


def test_a_clock_of_the_test_drives_the_server() -> None:
    clock = ManualClock()
    with NacosServer(clock=clock) as nacos:
        httpx.post(f"{nacos.http_url}/nacos/v1/ns/instance?serviceName=s&ip=1.1.1.1&port=1")
        nacos.advance(31)
        assert httpx.get(f"{nacos.http_url}/nacos/v1/ns/instance/list?serviceName=s").json()["hosts"] == []


def test_frozen_requests_are_answered_after_the_thaw(nacos: NacosServer, http: httpx.Client) -> None:
    nacos.freeze()
    with pytest.raises(httpx.TimeoutException):
        http.get("/v1/ns/operator/metrics", timeout=0.3)
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(http.get("/v1/ns/operator/metrics").status_code))
    waiting.start()
    nacos.thaw()
    waiting.join(5)
    assert answers == [200]


def test_fail_next_counts_down(nacos: NacosServer, http: httpx.Client) -> None:
    nacos.fail_next("GET /v1/ns/operator/metrics", times=2, status=503, message="not now")
    answers = [http.get("/v1/ns/operator/metrics") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].text == "not now"


def test_the_control_endpoints_do_the_same_over_http(nacos: NacosServer, http: httpx.Client) -> None:
    control = httpx.Client(base_url=f"{nacos.http_url}/_harness", trust_env=False)
    register(http, 1)
    kept = control.post("/snapshot").json()["id"]
    assert control.post("/clock/advance", json={"seconds": 31}).json() == {}
    assert ports(http) == []
    assert control.post("/restore", json={"id": kept}).status_code == 200
    assert ports(http) == [1]
    assert control.post("/reset").json() == {}
    assert ports(http) == []
    assert control.get("/connections").json() == []
    assert control.get("/pushes").json() == []
    control.post("/fail-next", json={"type": "GET /v1/ns/operator/metrics"})
    assert http.get("/v1/ns/operator/metrics").status_code == 500


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/nothing", None, 404),
        ("POST", "/connections/none/drop", None, 404),
        ("POST", "/restore", {}, 400),
        ("POST", "/clock/advance", {"seconds": -1}, 400),
        ("POST", "/clock/advance", [], 400),
        ("POST", "/fail-next", {"type": "x", "times": 0}, 400),
    ],
)
def test_bad_control_calls_are_refused(nacos: NacosServer, method: str, path: str, body: object, status: int) -> None:
    answer = httpx.request(method, f"{nacos.http_url}/_harness{path}", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_serve_prints_ready_and_ends_cleanly() -> None:
    code = "import sys; from harness.emulators.nacos.serve import run; sys.exit(run(port=0))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith('ready {"http": "http://127.0.0.1:')
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def test_dropping_a_connection_needs_a_known_id(nacos: NacosServer) -> None:
    with pytest.raises(NacosError, match="no connection"):
        nacos.drop("nobody")
    until(lambda: nacos.connections() == [], 1, awaited="no connection")
