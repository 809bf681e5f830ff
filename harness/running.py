"""Stacks started from the command line: up, status, logs, down; one state file per name says where they are."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness import processes
from harness.errors import HarnessError, SpecError
from harness.wait import until

if TYPE_CHECKING:
    from harness.engines.base import Status
    from harness.stack import Stack

#: Seconds that `up --detach` waits for readiness, and `down` for the end.
UP_TIMEOUT = 90.0
DOWN_TIMEOUT = 20.0


def state_directory() -> Path:
    """Where state files are: readable by this user alone, for they hold credentials."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    directory = Path(base) / f"bi-harness-state-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise SpecError("the state directory belongs to somebody else", where=str(directory), mend="remove it")
    return directory


def state_file(name: str) -> Path:
    """The state file of a stack. Raises SpecError for a name that is not one plain word."""
    if not name.replace("-", "").replace("_", "").isalnum():
        raise SpecError(f"{name!r} can't name a stack", mend="use letters, digits, - and _")
    return state_directory() / f"{name}.json"


def read_state(name: str) -> dict[str, Any]:
    """The state of a running stack. Raises SpecError when none of that name runs; a dead one's file is removed."""
    file = state_file(name)
    try:
        state: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        raise SpecError(f"no stack named {name!r} runs", mend="start one with `harness up`") from None
    if processes.start_time(state["pid"]) != state["started"]:
        file.unlink(missing_ok=True)
        raise SpecError(f"the stack named {name!r} has died", mend="start it again with `harness up`")
    return state


# --- up


def up(
    *,
    engine: str,
    environment: str,
    platform: Path,
    name: str,
    detach: bool,
    as_json: bool,
    ports: Mapping[str, int],
) -> None:
    """Start a stack and keep it until SIGINT or SIGTERM; detached, return when it is ready."""
    _refuse_second(name)
    if detach:
        _detach(name, as_json)
        return
    try:
        _interrupt_on_signals()
        _keep(engine, environment, platform, name, as_json, ports)
    except KeyboardInterrupt:
        return


def _refuse_second(name: str) -> None:
    with contextlib.suppress(SpecError):
        pid = read_state(name)["pid"]
        raise HarnessError(
            f"a stack named {name!r} runs already, pid {pid}",
            mend=f"`harness down --name {name}`, or give this one another --name",
        )


def _interrupt_on_signals() -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupt)


def _keep(engine: str, environment: str, platform: Path, name: str, as_json: bool, ports: Mapping[str, int]) -> None:
    from harness.stack import Stack

    progress = _nothing if as_json else _print_status
    stack = Stack.start(platform, environment, engine, progress=progress, ports=ports)
    try:
        state = describe(stack)
        with _published(name, state):
            print(json.dumps(state["endpoints"]) if as_json else _endpoints_text(state), flush=True)
            wait_for_interrupt()
    finally:
        stack.stop()


def wait_for_interrupt() -> None:
    """Sleep until Ctrl-C, which is taken as the wish to end and not raised."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            signal.pause()


def _nothing(status: Status) -> None:
    """Show no progress: stdout is one JSON object."""


def _print_status(status: Status) -> None:
    print(f"  {status.component:<22} {status.state:<9} {status.address or status.detail}", flush=True)


@contextlib.contextmanager
def _published(name: str, state: dict[str, Any]) -> Iterator[None]:
    file = state_file(name)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(state, out)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def describe(stack: Stack) -> dict[str, Any]:
    """A running stack as JSON: `endpoints` is what `harness up --json` prints."""
    replicas = [status for status in stack.engine.status() if "/" in status.component]
    return {
        "pid": os.getpid(),
        "started": processes.start_time(os.getpid()),
        "environment": stack.platform.environment,
        "platform": stack.platform.name,
        "logs": {s.component: [str(f) for f in stack.engine.log_files(s.component)] for s in stack.engine.status()},
        "components": [dataclasses.asdict(status) for status in stack.engine.status()],
        "timings": stack.timings,
        "endpoints": _endpoints(stack, replicas),
    }


def _endpoints(stack: Stack, replicas: list[Status]) -> dict[str, Any]:
    at = stack.endpoints
    services: dict[str, list[dict[str, Any]]] = {}
    for status in replicas:
        service, _, index = status.component.partition("/")
        replica = stack.engine.replicas(service)[int(index)]
        entry = {"http": f"http://{replica.http}", "grpc": replica.grpc, "pid": replica.pid}
        services.setdefault(service, []).append(entry)
    return {
        "gateway": {"http": at.gateway_http, "https": at.gateway_https},
        "admin": {"url": at.admin_url, "key": at.admin_key},
        "control": {"url": at.control_url},
        "prometheus": {"url": at.prometheus_url},
        "nacos": {
            "http": at.nacos_http,
            "grpc": at.nacos_grpc,
            "username": at.nacos_username,
            "password": at.nacos_password,
        },
        "etcd": {"url": at.etcd_url},
        "services": services,
    }


def _endpoints_text(state: Mapping[str, Any]) -> str:
    at = state["endpoints"]
    rows = {
        "gateway": " ".join(filter(None, at["gateway"].values())),
        "admin": f"{at['admin']['url']}  X-API-KEY: {at['admin']['key']}",
        "control": at["control"]["url"],
        "metrics": at["prometheus"]["url"],
        "nacos": f"{at['nacos']['http']}  {at['nacos']['username']} / {at['nacos']['password']}",
        "etcd": at["etcd"]["url"],
    }
    lines = [f"  {name:<10} {value}" for name, value in rows.items()]
    took = state["timings"]["ready"]
    return "\n".join(
        [f"\n{state['platform']} ({state['environment']}) is ready after {took} s; Ctrl-C ends it", *lines]
    )


def _detach(name: str, as_json: bool) -> None:
    """Run the same command without --detach in a session of its own, and return when its state file is there."""
    log = state_directory() / f"{name}.log"
    arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    file = state_file(name)
    until(lambda: file.exists() or process.poll() is not None, UP_TIMEOUT, awaited=f"the stack {name!r}")
    if process.poll() is not None:
        raise HarnessError(f"the stack {name!r} did not start:\n{processes.last_lines(log)}")
    state = read_state(name)
    print(json.dumps(state["endpoints"]) if as_json else _endpoints_text(state).replace("Ctrl-C", "harness down"))


# --- status, logs, down


def status(name: str, *, as_json: bool) -> int:
    """Print each component and whether it answers; the exit code is 1 when one doesn't."""
    components = [{**entry, "state": _state_now(entry)} for entry in read_state(name)["components"]]
    if as_json:
        print(json.dumps(components))
    else:
        for entry in components:
            print(f"  {entry['component']:<22} {entry['state']:<9} {entry['pid']:<8} {entry['address']}")
    return int(any(entry["state"] != "ready" for entry in components))


def _state_now(entry: Mapping[str, Any]) -> str:
    if not processes.start_time(entry["pid"]):
        return "dead"
    address = urlsplit(entry["address"] if "//" in entry["address"] else f"//{entry['address']}")
    try:
        socket.create_connection((address.hostname, address.port), timeout=1).close()
    except OSError:
        return "silent"
    return "ready"


def logs(name: str, component: str, *, follow: bool, lines: int) -> None:
    """Print the last lines of a component's log files, or of all; `follow` goes on until Ctrl-C."""
    known: dict[str, list[str]] = read_state(name)["logs"]
    chosen = {key: files for key, files in known.items() if component in ("", key, key.partition("/")[0])}
    if not chosen:
        raise SpecError(f"no component {component!r}", mend=f"there are {', '.join(known)}")
    files = [(key, Path(file)) for key, paths in chosen.items() for file in paths]
    for key, file in files:
        for line in processes.last_lines(file, lines).splitlines():
            print(f"{key:<22} {line}")
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            _follow(files)


def _follow(files: list[tuple[str, Path]]) -> None:
    with contextlib.ExitStack() as stack:
        opened = [(key, stack.enter_context(file.open())) for key, file in files]
        for _, file in opened:
            file.seek(0, os.SEEK_END)
        while opened:
            news = [(key, line) for key, file in opened for line in file]
            for key, line in news:
                print(f"{key:<22} {line}", end="", flush=True)
            if not news:
                time.sleep(0.1)  # a file has no condition to wait on


def down(name: str) -> None:
    """Ask the stack's owner to stop and wait until it is gone. Raises NotReady when it isn't in time."""
    state = read_state(name)
    os.kill(state["pid"], signal.SIGTERM)
    until(
        lambda: processes.start_time(state["pid"]) != state["started"],
        DOWN_TIMEOUT,
        awaited=f"the end of the stack {name!r}",
        mend=f"kill -9 {state['pid']} ends it and all that is its",
    )
