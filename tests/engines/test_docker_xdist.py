"""Workers of xdist on containers: one stack in turns, other tests meanwhile, and nothing left whoever is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

from harness import processes
from harness.engines.containers import ownership
from harness.running import state_directory
from harness.wait import until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]
TURNS = """
import os, pytest
from pathlib import Path

@pytest.mark.parametrize("n", range(3))
def test_alone(stack, n):
    here = Path("somebody")
    here.touch(exist_ok=False)
    replica = stack.service("bi-basic").replicas[0]
    assert replica.state == "ready", "as declared"
    replica.kill()
    Path(f"{stack.endpoints.gateway_http[7:]}-{os.environ['PYTEST_XDIST_WORKER']}-{n}").touch()
    here.unlink()
"""
WITH_THE_STACK = """
from pathlib import Path
from harness.wait import until

def test_with_the_stack(stack):
    Path("with").touch()
    until(Path("without").exists, 200, awaited="the test without the stack")
"""
WITHOUT = """
from pathlib import Path
from harness.wait import until

def test_without_it():
    until(Path("with").exists, 200, awaited="the test with the stack")
    Path("without").touch()
"""
STAYING = """
import os, time
from pathlib import Path

def test_stays(stack):
    Path(f"{os.environ['PYTEST_XDIST_WORKER']}-{os.getpid()}.pid").touch()
    while Path("stay").exists():
        time.sleep(0.1)
"""


@pytest.fixture
def start(platform, tmp_path):
    """Start pytest with two workers on these files, in a folder of its own."""

    def run(**files: str) -> subprocess.Popen[str]:
        for name, text in files.items():
            (tmp_path / f"test_{name}.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile", "-v"]
        return subprocess.Popen(
            [*command, "--engine", "docker", "--platform", str(platform)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


@pytest.fixture(autouse=True)
def nothing_more(docker_engine):
    """No keeper is left, and nothing whose owner has gone (somebody else's stack may run on this daemon)."""
    keepers, orphans = keepers_now(), orphans_now(docker_engine)
    yield
    until(
        lambda: keepers_now() <= keepers and orphans_now(docker_engine) <= orphans,
        120,
        awaited="the end of the keepers, and of all containers and networks",
    )


def keepers_now():
    return set(state_directory().glob("shared-*"))


def orphans_now(client):
    query = {"label": ownership.OWNER}
    containers = {c.name: c.labels[ownership.OWNER] for c in client.containers.list(all=True, filters=query)}
    networks = {n.name: n.attrs["Labels"][ownership.OWNER] for n in client.networks.list(filters=query)}
    return {name for name, owner in (containers | networks).items() if processes.is_gone(owner)}


def test_workers_share_one_stack_in_turns(start, tmp_path):
    said, _ = start(one=TURNS, two=TURNS).communicate(timeout=300)
    assert "6 passed" in said, said
    runs = [re.fullmatch(r"(.+)-(gw\d)-\d", file.name) for file in tmp_path.glob("*-gw*")]
    assert len({run[1] for run in runs if run}) == 1, "one stack"
    assert {run[2] for run in runs if run} == {"gw0", "gw1"}
    assert said.count("harness: etcd real") == 1, "what ran is told once"


def test_tests_without_the_stack_run_beside_those_with_it(start):
    said, _ = start(one=WITH_THE_STACK, two=WITHOUT).communicate(timeout=300)
    assert "2 passed" in said, said


def test_a_killed_worker_is_replaced(start, tmp_path):
    (tmp_path / "stay").touch()
    running = start(one=STAYING, two=STAYING.replace("stays", "also"))
    (first,) = until(lambda: list(tmp_path.glob("*.pid")), 200, awaited="the first test")
    (tmp_path / "stay").unlink()
    os.kill(int(first.stem.partition("-")[2]), signal.SIGKILL)
    said, _ = running.communicate(timeout=300)
    assert "crashed while running" in said and "2 passed" in said, said


def test_a_killed_controller_leaves_nothing(start, tmp_path):
    (tmp_path / "stay").touch()
    running = start(one=STAYING, two=STAYING)
    until(lambda: list(tmp_path.glob("*.pid")), 200, awaited="the first test")
    running.kill()
    running.communicate(timeout=60)
