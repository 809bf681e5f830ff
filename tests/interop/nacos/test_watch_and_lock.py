"""What the official 3.x Java client alone has: fuzzy watches of services and configurations, and locks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from official.builds import Build
from official.program import Program
from official.server import Server

from harness.processes import remove, temporary_directory
from harness.wait import until

BUILD = Build(
    "java-watch",
    "java-watch",
    ("java", "javac", "mvn"),
    (("mvn", "-q", "-B", "compile", "dependency:copy-dependencies"),),
)
GROUP = "BI"
HOST = {"group": GROUP, "ip": "10.0.0.1", "port": 8080}
#: Seconds until a client was told; it takes milliseconds.
SOON = 15.0


@pytest.fixture
def folder() -> Iterator[Path]:
    made = temporary_directory("interop")
    yield made
    remove(made)


@pytest.fixture
def program(folder: Path, server: Server) -> Iterator[Program]:
    """An application of the 3.x client; a missing toolchain is said."""
    missing = BUILD.missing()
    if missing:
        pytest.skip(f"not applicable: it is built with {', '.join(missing)}, not on the PATH")
    made = BUILD.made()
    options = ("-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.home=.")
    classes = f"{made}/target/classes:{made}/target/dependency/*"
    running = Program(["java", *options, "-cp", classes, "Watch"], folder / "program.log", {"HOME": str(folder)})
    running.ask("open", server=server.address)
    yield running
    running.close()


def told(program: Program, kind: str, name: str) -> list[tuple[str, str]]:
    """(change, how it came) of each event about a name."""
    about = [event for event in program.events() if (event["event"], event["name"]) == (kind, name)]
    return [(event["change"], event["sync"]) for event in about]


def test_services(program: Program, server: Server, peer: Any, name: str) -> None:
    for number in range(12):
        peer.register(f"{name}-{number}", **HOST, ephemeral=False)
    found = program.ask("watch_services", pattern=f"{name}*", group=GROUP)
    assert found == sorted(f"public@@{GROUP}@@{name}-{number}" for number in range(12))
    first = f"{name}-0"
    until(lambda: told(program, "service", first), SOON, awaited="the first look")
    assert told(program, "service", first) == [("ADD_SERVICE", "FUZZY_WATCH_INIT_NOTIFY")]
    new = f"{name}-new"
    peer.register(new, **HOST, ephemeral=False)
    until(lambda: told(program, "service", new), SOON, awaited="the new service")
    peer.deregister(new, **HOST, ephemeral=False)
    until(lambda: len(told(program, "service", new)) > 1, SOON, awaited="its end")
    changed = "FUZZY_WATCH_RESOURCE_CHANGED"
    assert told(program, "service", new) == [("ADD_SERVICE", changed), ("DELETE_SERVICE", changed)]


def test_configurations(program: Program, peer: Any, name: str) -> None:
    for number in range(21):
        peer.publish(f"{name}-{number}", "x", group=GROUP)
    found = program.ask("watch_configs", pattern=f"{name}*", group=GROUP)
    assert found == sorted(f"{name}-{number}+{GROUP}+public" for number in range(21))
    new = f"{name}-new"
    peer.publish(new, "x", group=GROUP)
    until(lambda: told(program, "config", new), SOON, awaited="the new configuration")
    peer.remove_config(new, group=GROUP)
    until(lambda: len(told(program, "config", new)) > 1, SOON, awaited="its end")
    changed = "FUZZY_WATCH_RESOURCE_CHANGED"
    assert told(program, "config", new) == [("ADD_CONFIG", changed), ("DELETE_CONFIG", changed)]


def test_locks(program: Program, name: str) -> None:
    assert program.ask("lock", key=name, millis=60_000) is True
    assert program.ask("lock", key=name, millis=60_000) is False
    assert program.ask("unlock", key=name) is True
    assert program.ask("lock", key=name, millis=60_000) is True
