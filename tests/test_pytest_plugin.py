"""The pytest plugin as its users see it: pytest runs in a process of its own, on the sample platform."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.wait import until

FAILING = """
def test_fails(gateway):
    answer = gateway.get("/bi-basic/v1/users/u-1001", headers={"Authorization": "Bearer secret-token-value"})
    assert answer.status_code == 200
"""
LACKING = """
import pytest

@pytest.mark.requires("telepathy")
def test_needs(stack): ...
"""
STATE = """
import pytest

def test_leaves_a_mess(apisix, nacos, service, stack, gateway):
    apisix.delete("routes", "bi-basic-public")
    apisix.put("routes", "mess", {"uri": "/mess", "upstream": {"nodes": {"127.0.0.1:1": 1}}})
    service("bi-chat").set(status=500)
    service("bi-chat").replicas[0].pause()
    service("bi-analysis").scale(1)
    service("bi-api-leke").replicas[1].kill()
    stack.advance(1000)
    where = {"group": stack.platform.nacos.group, "namespace": stack.platform.nacos.namespace}
    nacos.remove_config("bi-common.yaml", **where)
    nacos.publish("mess", "x", **where)
    gateway.get("/bi-basic/healthz")

def test_finds_none(apisix, nacos, service, stack, gateway):
    assert {"bi-basic-public"} <= {route["id"] for route in apisix.list("routes")}
    assert "mess" not in {route["id"] for route in apisix.list("routes")}
    assert gateway.get("/mess").status_code == 404
    assert [len(service(name).replicas) for name in stack.platform.services] == [2] * 5
    assert {replica.state for name in stack.platform.services for replica in service(name)} == {"ready"}
    assert gateway.get("/bi-chat/healthz").status_code == 200
    where = {"group": stack.platform.nacos.group, "namespace": stack.platform.nacos.namespace}
    assert "CNY" in nacos.config("bi-common.yaml", **where) and nacos.config("mess", **where) is None
    assert service("bi-basic").journal == []
    assert len(stack.emulated.journal()) == 2, "what the probes and the test before asked is forgotten"
"""
SLEEPING = """
import time

def test_sleeps(stack, tmp_path_factory):
    print("ready", stack.endpoints.gateway_http, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run(tmp_path, platform_file):
    """Run pytest on one file's text."""

    def run_pytest(text: str, *more: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_it.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--platform", str(platform_file), *more]
        return subprocess.run([*command, "test_it.py"], cwd=tmp_path, capture_output=True, text=True, timeout=90)

    return run_pytest


def test_a_failure_explains_itself(run):
    done = run(FAILING)
    assert done.returncode == 1, done.stdout + done.stderr
    for part in (
        "> GET /bi-basic/v1/users/u-1001",
        "< HTTP 401",
        "JWT token invalid",
        "what the gateway decided",
        "jwt-auth",
        "last log lines of bi-basic",
    ):
        assert part in done.stdout
    assert "secret-token-value" not in done.stdout.replace(FAILING, "").split("asked and answered")[1]


def test_an_unknown_capability_is_an_error_not_a_skip(run):
    done = run(LACKING)
    assert done.returncode == 1
    assert "no capability 'telepathy'" in done.stdout


def test_each_test_finds_the_declared_state(run):
    done = run(STATE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_platform_stops_the_run_with_its_reason(run, tmp_path):
    (tmp_path / "bad.yaml").write_text("name: bad\nservices:\n  a: {replicas: many}\n")
    done = run("def test_it(stack): ...", "--platform", "bad.yaml")
    assert done.returncode == 3
    assert "bad.yaml:3" in done.stdout + done.stderr


def test_kill_9_of_pytest_leaves_nothing(tmp_path, platform_file):
    (tmp_path / "test_it.py").write_text(SLEEPING)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s", "--platform", str(platform_file)]
    process = subprocess.Popen([*command, "test_it.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    while "ready" not in (line := process.stdout.readline()):
        assert line, "pytest ended early"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    mark = f"HARNESS_OWNER={process.pid}-".encode()

    def left() -> list[str]:
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                environment = (directory / "environ").read_bytes()
            except OSError:
                continue
            found += [directory.name] if mark in environment else []
        return found

    until(lambda: not left(), 2, awaited="the end of every process of the stack")
