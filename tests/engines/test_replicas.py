"""Replicas of the embedded engine: forked from a warm parent, or started by a command of their own."""

from __future__ import annotations

import os
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from harness import processes
from harness.engines.replicas import CommandReplica, Launch, WarmParent, WarmReplica
from harness.errors import EngineUnavailable, NotReady, SpecError
from harness.ports import free_port
from harness.wait import until

SERVER = """
import os
from http.server import HTTPServer, SimpleHTTPRequestHandler
HTTPServer(("127.0.0.1", int(os.environ["HTTP_PORT"])), SimpleHTTPRequestHandler).serve_forever()
"""


def launch(directory: Path, *, service: str = "bi-basic", command: tuple[str, ...] = (), **env: str) -> Launch:
    ports = {"HTTP_PORT": str(free_port()), "GRPC_PORT": str(free_port())}
    return Launch(service, 0, command, {"DEPLOY_ENV": "dev", **ports, **env}, directory / "replica.log")


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    parent = WarmParent([sys.executable, "-m", "stubs", "--warm"], tmp_path_factory.mktemp("warm") / "log")
    yield parent
    parent.lines.stop()


@pytest.fixture
def warm(parent, tmp_path):
    replica = WarmReplica(launch(tmp_path), parent)
    replica.wait_ready(20)
    yield replica
    replica.remove()


@pytest.fixture
def command(tmp_path):
    replica = CommandReplica(launch(tmp_path, command=(sys.executable, "-c", SERVER)))
    replica.wait_ready(10)
    yield replica
    replica.kill()


@pytest.fixture
def listening(tmp_path):
    """One that listens where it is told."""
    script = SERVER.replace('"127.0.0.1"', 'os.environ["BIND_HOST"]')
    replica = CommandReplica(launch(tmp_path, command=(sys.executable, "-c", script), BIND_HOST="127.0.0.1"))
    replica.wait_ready(10)
    yield replica
    replica.remove()


@pytest.fixture(params=["warm", "command"])
def replica(request):
    return request.getfixturevalue(request.param)


def answers(replica) -> bool:
    return urllib.request.urlopen(f"http://{replica.http}/healthz", timeout=5).status == 200


def test_serves_where_it_was_told(warm):
    assert answers(warm)
    assert warm.state == "ready"


def test_kill_is_final_and_restart_keeps_the_address(replica):
    pid, address = replica.pid, replica.http
    replica.kill()
    assert replica.pid is None and replica.state == "dead"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    replica.restart()
    assert replica.pid != pid and replica.http == address and replica.state == "ready"


def test_stop_lets_it_leave(warm):
    warm.stop()
    assert warm.state == "dead"
    assert warm._event["code"] == 0


def test_pause_freezes_and_resume_wakes(replica):
    replica.pause()
    assert replica.state == "paused"
    stat = Path(f"/proc/{replica.pid}/stat")
    until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", 5, awaited="the signal's effect")
    replica.resume()
    assert replica.state == "ready"


def took(replica) -> float:
    began = time.monotonic()
    assert urllib.request.urlopen(f"http://{replica.http}/", timeout=5).status == 200
    return time.monotonic() - began


def test_a_slow_link_takes_its_address_and_gives_it_back(listening):
    address, pid = listening.http, listening.pid
    listening.slow_link(delay=0.2)
    assert listening.slowed and listening.http == address and listening.pid != pid
    assert took(listening) >= 0.2
    listening.restart()
    assert took(listening) >= 0.2, "it stays slow over a restart"
    listening.plain_link()
    assert not listening.slowed and listening.launch.env["BIND_HOST"] == "127.0.0.1"
    took(listening)


def test_a_link_of_a_forked_one(warm):
    warm.slow_link(delay=0.1)
    assert answers(warm) and warm.state == "ready"
    warm.plain_link()
    assert answers(warm)


def test_a_setting_that_makes_no_sense_is_told(listening):
    with pytest.raises(SpecError, match="delay=-1"):
        listening.slow_link(delay=-1)


def test_a_service_that_ignores_where_it_must_listen_is_told_and_goes_on(command):
    with pytest.raises(EngineUnavailable, match="BIND_HOST"):
        command.slow_link(delay=0.1)
    assert command.state == "ready" and not command.slowed


def test_a_paused_replica_can_be_killed_and_stopped(warm):
    warm.pause()
    warm.stop()
    assert warm.state == "dead"


def test_pausing_a_dead_one_is_told(command):
    command.kill()
    with pytest.raises(ProcessLookupError, match="restart"):
        command.pause()


def test_a_replica_that_ends_while_starting_shows_its_log(tmp_path):
    script = "import sys; print('no licence file', file=sys.stderr); sys.exit(7)"
    replica = CommandReplica(launch(tmp_path, command=(sys.executable, "-c", script)))
    with pytest.raises(NotReady, match=r"(?s)code 7.*no licence file"):
        replica.wait_ready(10)


def test_a_refused_order_is_told(parent, tmp_path):
    replica = WarmReplica(launch(tmp_path, service="bi-none"), parent)
    with pytest.raises(EngineUnavailable, match="bi-none"):
        replica.wait_ready(5)


def test_a_bad_setting_ends_it_with_a_reason(parent, tmp_path):
    replica = WarmReplica(launch(tmp_path, LOG_LEVEL="loud"), parent)
    with pytest.raises(NotReady, match="LOG_LEVEL"):
        replica.wait_ready(10)


def test_a_missing_program_is_told(tmp_path):
    with pytest.raises(EngineUnavailable, match="no-such-program"):
        CommandReplica(launch(tmp_path, command=("no-such-program",)))


def test_the_log_is_the_replicas_own(warm):
    answers(warm)
    assert processes.last_lines(warm.launch.log)
