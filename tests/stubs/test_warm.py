"""The warm parent: replicas come and go by a line and a signal, and none outlives it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from harness.wait import until


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_replica_comes_by_a_line_and_its_end_is_reported(warm):
    replica = warm.start("bi-api-leke", "leke-short")
    assert replica.http.get("/readyz").json()["replica"] == "leke-short"
    os.kill(replica.pid, signal.SIGTERM)
    assert warm.event("exited", id="leke-short")["code"] == 0
    assert [line["level"] for line in replica.lines("stopped")] == ["info"]


def test_a_killed_replica_is_reported_with_its_signal_and_can_take_its_ports_again(warm):
    first = warm.start("bi-chat", "chat-killed")
    os.kill(first.pid, signal.SIGKILL)
    assert warm.event("exited", id="chat-killed", pid=first.pid)["code"] == -signal.SIGKILL
    ports = {"HTTP_PORT": str(first.http.base_url.port), "GRPC_PORT": first.grpc_address.rpartition(":")[2]}
    warm.order("bi-chat", "chat-again", **ports)
    ready = warm.event("ready", id="chat-again")
    assert (ready["http"], ready["grpc"]) == (f"127.0.0.1:{ports['HTTP_PORT']}", first.grpc_address)
    os.kill(ready["pid"], signal.SIGTERM)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nonsense", "Expecting value"),
        ("[]", "a line is an object"),
        ('{"service": "bi-other", "log": "x"}', "'bi-other' is none of bi-basic"),
        ('{"service": "bi-basic"}', "log is not a path"),
        ('{"service": "bi-basic", "log": "x", "env": {"HTTP_PORT": 1}}', "env is not an object of strings"),
        ('{"service": "bi-basic", "log": "x", "color": 1}', "not ['color']"),
        ('{"service": "bi-basic", "log": "/nowhere/x"}', "No such file"),
    ],
)
def test_a_line_that_can_not_be_obeyed_is_answered(warm, line, complaint):
    warm.events.clear()
    warm.say(line)
    assert complaint in warm.event("error")["message"]


@pytest.mark.parametrize(
    ("env", "complaint"),
    [
        ({"DEPLOY_ENV": "staging", "HTTP_PORT": "70000"}, "HTTP_PORT=70000 is not between"),
        ({"DEPLOY_ENV": "staging"}, "DEPLOY_ENV='staging' is none of dev, test, prod"),
        ({"GRPC_PORT": "x"}, "GRPC_PORT='x' is not a number"),
        ({"NACOS_ADDR": "localhost"}, "NACOS_ADDR='localhost' is not host:port"),
    ],
)
def test_a_wrong_environment_ends_the_replica_with_2_and_the_reason_in_its_log(warm, env, complaint):
    name = f"wrong-{abs(hash(complaint))}"
    warm.order("bi-basic", name, **env)
    assert warm.event("exited", id=name)["code"] == 2
    assert complaint in json.loads(warm.log(name).read_text())["message"]


def test_a_port_in_use_ends_the_replica_with_1_and_the_reason_in_its_log(warm, bi_basic):
    taken = str(bi_basic.http.base_url.port)
    warm.order("bi-basic", "basic-no-port", HTTP_PORT=taken)
    assert warm.event("exited", id="basic-no-port")["code"] == 1
    assert f"HTTP port 127.0.0.1:{taken}" in warm.log("basic-no-port").read_text()


def test_the_end_of_standard_input_ends_all_even_a_paused_one(make_warm):
    parent = make_warm()
    pids = [parent.start("bi-basic", "a").pid, parent.start("bi-chat", "b").pid]
    os.kill(pids[0], signal.SIGSTOP)
    parent.close()
    assert parent.process.returncode == 0
    assert all(gone(pid) for pid in pids)
    assert {event["id"] for event in parent.events if event["event"] == "exited"} == {"a", "b"}


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="the parent-death signal is Linux's")
def test_a_killed_parent_leaves_no_replica(make_warm):
    parent = make_warm()
    pid = parent.start("bi-basic", "orphan").pid
    parent.process.kill()
    until(lambda: gone(pid), 5, awaited="the replica to be gone")


def test_replicas_share_nothing_of_the_parents_files_but_their_own_log(warm, bi_basic):
    standard = [Path(f"/proc/{bi_basic.pid}/fd/{number}").readlink() for number in (0, 1, 2)]
    assert standard == [Path(os.devnull), bi_basic.log, bi_basic.log]
    assert not psutil.Process(warm.process.pid).num_threads() > 1
