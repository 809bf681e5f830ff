"""The docker engine on the sample platform: readiness, addresses, process and network control, and no leaks."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.engines.containers import ownership
from harness.errors import SpecError
from harness.stack import Stack
from harness.wait import until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def stack(platform):
    with Stack.start(platform, engine="docker") as running:
        yield running


@pytest.fixture
def replica(stack):
    yield stack.service("bi-basic").replicas[0]
    stack.reset()


def status(stack, path="/basic/healthz"):
    connection = http.client.HTTPConnection(stack.endpoints.gateway_http.removeprefix("http://"), timeout=5)
    connection.request("GET", path)
    return connection.getresponse().status


def test_the_gateway_reaches_what_registered_itself(stack):
    assert status(stack) == 200
    found = {
        f"{host['ip']}:{host['port']}" for host in stack.nacos.instances("bi-basic", group="SMALL", namespace="small")
    }
    assert found == set(stack.engine.addresses()["bi-basic"])


def test_versions_say_what_is_real(stack):
    assert set(stack.engine.versions) == {"etcd", "nacos", "gateway"}
    assert all(text.startswith(("real", "emulated")) for text in stack.engine.versions.values())


def test_limits_are_the_declared_ones(stack, docker_engine):
    (first, _) = stack.engine.replicas("bi-basic")
    host = docker_engine.containers.get(first.container.get_wrapped_container().name).attrs["HostConfig"]
    assert (host["CpuQuota"] / host["CpuPeriod"], host["Memory"]) == (0.5, 256 * 2**20)


def test_all_ports_are_on_the_loopback(stack, docker_engine):
    ours = docker_engine.containers.list(filters={"label": f"{ownership.OWNER}={ownership.labels()[ownership.OWNER]}"})
    bound = [b["HostIp"] for c in ours for bindings in c.ports.values() for b in bindings or ()]
    assert bound and set(bound) == {"127.0.0.1"}


def test_a_killed_replica_comes_back_where_it_was(stack, replica):
    inside, pid = replica.inside, replica.pid
    replica.kill()
    assert (replica.state, replica.pid) == ("dead", None)
    replica.restart()
    assert (replica.state, replica.inside) == ("ready", inside) and replica.pid != pid
    assert replica.ask("GET", "/readyz")["status"] == "ready"


def test_pause_and_resume(replica):
    replica.pause()
    assert replica.state == "paused"
    replica.resume()
    assert replica.state == "ready"


def test_one_cut_off_the_network_is_unreachable_until_it_is_back(stack, replica):
    replica.disconnect()
    assert replica.state == "cut"
    with pytest.raises(OSError, match="publishes no port"):
        replica.ask("GET", "/readyz")
    assert status(stack) == 200, "the other one answers"
    replica.connect()
    until(lambda: replica.ask("GET", "/healthz")["status"] == "ok", 10, awaited="the replica")


def test_a_reset_brings_back_the_cut_the_dead_and_the_scaled(stack):
    service = stack.service("bi-basic")
    service.scale(3)
    assert len(service.replicas) == 3
    service.replicas[0].kill()
    service.replicas[1].disconnect()
    stack.reset()
    assert [replica.state for replica in service] == ["ready", "ready"]


def took(replica):
    began = time.monotonic()
    replica.ask("GET", "/healthz")
    return time.monotonic() - began


def test_a_slow_link_is_slow_until_it_is_quick_again_and_over_a_restart(stack, replica, docker_engine):
    mine = {"label": f"{ownership.OWNER}={ownership.labels()[ownership.OWNER]}"}
    before = len(docker_engine.containers.list(filters=mine))
    replica.slow_link(delay=0.3)
    assert len(docker_engine.containers.list(filters=mine)) == before + 1
    assert took(replica) >= 0.3
    assert {status(stack) for _ in range(4)} == {200}
    replica.restart()
    assert took(replica) >= 0.3
    replica.slow_link()
    replica.ask("GET", "/healthz")
    stack.reset()
    assert len(docker_engine.containers.list(filters=mine)) == before, "the helper is gone"
    assert status(stack) == 200


def test_the_gateways_connections_through_a_link_end_with_it(stack, replica):
    replica.slow_link(delay=0.01)
    assert [status(stack) for _ in range(4)] == [200] * 4
    stack.reset()
    assert [status(stack) for _ in range(8)] == [200] * 8
    tries = [len(entry["upstream"]["tries"]) for entry in stack.emulated.journal(8)]
    assert tries == [1] * 8, "none had to be tried again"


def test_what_makes_no_sense_for_a_link_is_told(replica):
    with pytest.raises(SpecError, match="loss=3 is a share"):
        replica.slow_link(loss=3)


def test_connections_that_were_open_do_not_go_past_a_slow_link(replica):
    connection = http.client.HTTPConnection(replica.http, timeout=5)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    replica.slow_link(delay=0.1)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        connection.request("GET", "/healthz")
        connection.getresponse()


def test_logs_are_there_in_memory_and_in_files(stack, replica):
    replica.ask("GET", "/healthz")
    assert "ready" in stack.engine.logs("bi-basic/0", 50)
    (file,) = stack.engine.log_files("bi-basic/0")
    until(lambda: "ready" in file.read_text(), 5, awaited="the log file")


def test_an_unknown_service_is_told(stack):
    with pytest.raises(LookupError, match="bi-basic"):
        stack.engine.replicas("nobody")


OWNER = """
import sys, time
from pathlib import Path
from harness.stack import Stack
stack = Stack.start(Path(sys.argv[1]), engine="docker")
from harness import processes
print("ready", processes.mark(), flush=True)
time.sleep(120)
"""


def left(client, mark: str) -> list[str]:
    query = {"label": f"{ownership.OWNER}={mark}"}
    return [f.name for f in (*client.containers.list(all=True, filters=query), *client.networks.list(filters=query))]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_its_owner(platform, docker_engine, how):
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(platform)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    word, _, mark = process.stdout.readline().partition(" ")
    assert word == "ready", "the stack did not start"
    assert len(left(docker_engine, mark.strip())) == 6
    process.send_signal(how)
    process.wait()
    process.stdout.close()
    until(lambda: not left(docker_engine, mark.strip()), 60, awaited="the end of all containers and their network")


# a shell's background job ignores SIGINT, and so would what it starts
STARTING = OWNER.replace(
    "stack = Stack",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from harness import processes; print(processes.mark(), flush=True)\nstack = Stack",
)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_start_that_is_interrupted(platform, docker_engine, how):
    process = subprocess.Popen(
        [sys.executable, "-c", STARTING, str(platform)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    mark = process.stdout.readline().strip()
    until(lambda: len(left(docker_engine, mark)) > 1, 60, awaited="its network and a container")
    process.send_signal(how)
    process.wait(60)
    process.stdout.close()
    until(lambda: not left(docker_engine, mark), 60, awaited="the end of all containers and their network")


def test_a_sweep_takes_only_what_has_no_owner(docker_engine, monkeypatch):
    mine = docker_engine.networks.create("bi-harness-test-mine", labels=ownership.labels())
    stale = docker_engine.networks.create("bi-harness-test-stale", labels={ownership.OWNER: f"{os.getpid()}-1-abcd"})
    try:
        assert ownership.sweep(docker_engine) == ["bi-harness-test-stale"]
        assert [n.id for n in docker_engine.networks.list(names=["bi-harness-test-mine"])] == [mine.id]
    finally:
        for network in docker_engine.networks.list(ids=[mine.id, stale.id]):
            network.remove()


GREETING = """
ARG BASE
FROM ${BASE} AS builder
ARG GREETING
RUN echo "${GREETING}" > /greeting
FROM ${BASE} AS runtime
COPY --from=builder /greeting /www/healthz
CMD ["python", "-m", "http.server", "8000", "--directory", "/www"]
"""


def test_a_service_is_built_from_its_own_repository(tmp_path, docker_engine):
    from harness.engines.images import pins

    repository = tmp_path / "orders"
    repository.mkdir()
    (repository / "Dockerfile").write_text(GREETING)
    (tmp_path / "platform.yaml").write_text(
        f"""
name: shop
services:
  orders:
    replicas: 1
    ports: {{http: 8000}}
    build: {{context: orders, target: runtime, args: {{BASE: "{pins.BASE}", GREETING: hello from the build}}}}
    gateway: {{route_prefix: /orders, upstream_url: "http://${{service:orders}}", auth: none}}
"""
    )
    with Stack.start(Path(tmp_path / "platform.yaml"), engine="docker") as shop:
        assert status(shop, "/orders/healthz") == 200
