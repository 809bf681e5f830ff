"""One stack for several processes: started by the first, in turns, gone with the last, whatever ended them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import processes
from harness.errors import HarnessError
from harness.running import state_directory
from harness.sharing import join
from harness.wait import until

PLATFORM = """
name: small
nacos: {namespace: small, group: SMALL}
services:
  bi-basic:
    replicas: 1
    ports: {http: 8080}
    command: [python, -m, stubs, bi-basic]
    warm: [python, -m, stubs, --warm]
    gateway: {route_prefix: /basic, nacos_service: bi-basic}
"""
#: Joins, says where the stack is, and then does what it is told, a line each.
MEMBER = """
import json, sys
from pathlib import Path
from harness.sharing import join

stack = join(sys.argv[1], Path(sys.argv[2]), "dev", "embedded")
replica = stack.service("bi-basic").replicas[0]
print(json.dumps([stack.endpoints.gateway_http, replica.pid, stack.timings["ready"]]), flush=True)
turn = stack.turn()
for line in sys.stdin:
    match line.strip():
        case "turn": turn.__enter__()
        case "end": turn.__exit__(None, None, None)
        case "kill": replica.kill()
        case "state": print(replica.state, flush=True); continue
        case "leave": stack.stop(); break
    print("done", flush=True)
print("left", flush=True)
"""


class Member:
    """One of the processes that share."""

    def __init__(self, name: str, platform: Path) -> None:
        command = [sys.executable, "-c", MEMBER, name, str(platform)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @property
    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line: str) -> str:
        self.tell(line)
        return self.said

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def platform(tmp_path):
    file = tmp_path / "platform.yaml"
    file.write_text(PLATFORM)
    return file


@pytest.fixture
def name():
    return secrets.token_hex(8)


@pytest.fixture
def members(name, platform):
    made: list[Member] = []

    def start(count: int) -> list[Member]:
        made.extend(Member(name, platform) for _ in range(count))
        return made[-count:]

    yield start
    for member in made:
        member.kill()
        for pipe in (member.process.stdin, member.process.stdout):
            pipe.close()
    nothing_is_left(name)


def folder(name):
    return state_directory() / f"shared-{name}"


def keeper(name):
    return int(json.loads((folder(name) / "keeper.json").read_text())["pid"])


def nothing_is_left(name, pid=0, replica=0):
    until(
        lambda: not folder(name).exists() and not any(map(processes.start_time, filter(None, (pid, replica)))),
        20,
        awaited="the end of the keeper and what it held",
    )


def test_the_second_gets_the_stack_of_the_first_and_the_last_tears_it_down(name, members):
    first, second = members(2)
    said, again = json.loads(first.said), json.loads(second.said)
    assert said == again
    pid = keeper(name)
    assert first.ask("leave") == "left"
    assert second.ask("state") == "ready"
    assert second.ask("leave") == "left"
    nothing_is_left(name, pid, said[1])


def test_turns_are_one_after_the_other_and_leave_the_declared_state(name, members):
    first, second = members(2)
    assert first.said and second.said
    assert first.ask("turn") == "done"
    assert first.ask("kill") == "done"
    second.tell("turn")
    assert first.ask("state") == "dead"
    assert first.ask("end") == "done"
    assert second.said == "done", "its turn has come"
    assert second.ask("state") == "ready"


def test_one_that_is_killed_in_its_turn_is_followed_by_the_next(name, members):
    first, second = members(2)
    assert first.said and second.said
    assert first.ask("turn") == "done"
    assert first.ask("kill") == "done"
    second.tell("turn")
    first.kill()
    assert second.said == "done"
    assert second.ask("state") == "ready"


def test_when_all_are_killed_nothing_is_left(name, members):
    first, second = members(2)
    _, replica, _ = json.loads(first.said)
    assert second.said
    pid = keeper(name)
    second.tell("turn")
    for member in (first, second):
        member.kill()
    nothing_is_left(name, pid, replica)


def test_one_that_is_killed_while_it_starts_the_stack_leaves_nothing(name, members):
    (first,) = members(1)
    until(lambda: (folder(name) / "keeper.log").exists(), 10, awaited="the keeper")
    first.kill()
    nothing_is_left(name)


def test_a_keeper_that_is_killed_is_told_and_leaves_nothing(name, platform):
    stack = join(name, platform, "dev", "embedded")
    replica = stack.service("bi-basic").replicas[0].pid
    pid = keeper(name)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(HarnessError, match="has gone, and the stack with it"):
        until(lambda: stack.engine.status() is None, 5, awaited="the error")
    stack.stop()
    nothing_is_left(name, 0, replica)


def test_what_kept_it_from_starting_is_told_to_each(name, platform):
    platform.write_text(PLATFORM.replace("replicas: 1", "replicas: none"))
    for _ in range(2):
        with pytest.raises(HarnessError, match=r"platform\.yaml:6"):
            join(name, platform, "dev", "embedded")
    from harness.sharing import joining

    joining._let_go()
    nothing_is_left(name)


def test_it_is_a_stack_like_any_other(name, platform):
    with join(name, platform, "dev", "embedded") as stack:
        with stack.turn():
            service = stack.service("bi-basic")
            service.scale(2)
            assert [replica.state for replica in service] == ["ready", "ready"]
            service.replicas[1].slow_link(delay=0.01)
            assert "ready" in stack.engine.logs("bi-basic/0", 50) and stack.engine.log_files("gateway")
            stack.advance(10)
            with pytest.raises(LookupError, match="nobody"):
                stack.engine.replicas("nobody")
            stack.apisix.delete("routes", stack.apisix.list("routes")[0]["id"])
        with stack.turn():
            assert stack.service("bi-basic") is not service, "connections that it kept may have been ended"
            assert stack.service("bi-basic").journal == []
        assert len(stack.service("bi-basic").replicas) == 1 and stack.apisix.list("routes")
    nothing_is_left(name)
