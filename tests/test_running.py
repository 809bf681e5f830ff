"""`harness up` and its relatives, as a user runs them: processes, state files, Ctrl-C, kill -9."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from harness import processes
from harness.wait import until

SMALL = """
name: small
environments: {dev: {}, test: {}}
services:
  hello:
    replicas: 2
    ports: {http: 8080}
    command: [python, hello.py]
    gateway: {route_prefix: /hello, upstream_url: "http://${service:hello}"}
"""
HELLO = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["REPLICA_ID"].encode())


ThreadingHTTPServer((os.environ["BIND_HOST"], int(os.environ["HTTP_PORT"])), Hello).serve_forever()
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A platform that isn't the sample: one service of two replicas, started by its own command."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "platform.yaml").write_text(SMALL)
    (tmp_path / "hello.py").write_text(HELLO)
    return tmp_path


def harness(*arguments: str, place: Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments], cwd=place, capture_output=True, text=True, timeout=60, **options
    )


def start(place: Path, *more: str) -> tuple[subprocess.Popen[str], dict]:
    """`harness up --json` in the foreground; its process and what it printed."""
    command = [sys.executable, "-m", "harness", "up", "--json", "--platform", "platform.yaml", *more]
    process = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return process, json.loads(line)


def marked(owner: int) -> list[str]:
    """Every live process that carries the owner's mark."""
    prefix = f"{processes.MARK}={owner}-".encode()
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            environment = (directory / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(entry.startswith(prefix) for entry in environment):
            found.append(directory.name)
    return found


def directories_of(owner: int) -> list[Path]:
    """The temporary directories that a process made."""
    found = []
    for directory in Path(tempfile.gettempdir()).glob(f"{processes.PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if (directory / ".owner").read_text().startswith(f"{owner}-"):
                found.append(directory)
    return found


def get(url: str) -> str:
    return urllib.request.urlopen(url, timeout=5).read().decode()


def close(process: subprocess.Popen[str]) -> None:
    process.stdout.close()
    process.stderr.close()


def test_up_status_logs_down(place):
    up = harness("up", "--detach", "--json", "--platform", "platform.yaml", place=place)
    assert up.returncode == 0, up.stderr
    endpoints = json.loads(up.stdout)
    assert get(f"{endpoints['gateway']['http']}/hello/x") in ("hello-0", "hello-1")

    again = harness("up", "--detach", "--platform", "platform.yaml", place=place)
    assert again.returncode == 1 and "runs already" in again.stderr

    status = harness("status", "--json", place=place)
    states = {entry["component"]: entry["state"] for entry in json.loads(status.stdout)}
    assert status.returncode == 0
    assert states == dict.fromkeys(["etcd", "nacos", "gateway", "hello/0", "hello/1"], "ready")

    told = harness("explain", "GET", "/hello/x", "-H", "Host: a.test", "--send", place=place)
    assert told.returncode == 0, told.stderr
    for part in ("route hello: /hello, /hello/*", "upstream", "was answered 200", "by the service", "body      hello-"):
        assert part in told.stdout
    nowhere = harness("explain", "GET", "/nowhere", place=place)
    assert "none matches → 404" in nowhere.stdout
    wrong = harness("explain", "GET", "/", "-H", "no header", place=place)
    assert wrong.returncode == 1 and "Name: value" in wrong.stderr

    logs = harness("logs", "hello/0", place=place)
    assert "GET" in logs.stdout or logs.returncode == 0

    os.kill(endpoints["services"]["hello"][0]["pid"], signal.SIGKILL)
    assert harness("status", place=place).returncode == 1

    assert harness("down", place=place).returncode == 0
    gone = harness("status", place=place)
    assert gone.returncode == 1 and "harness up" in gone.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_whatever_ends_it_nothing_is_left(place, how):
    process, _ = start(place)
    mine = directories_of(process.pid)
    assert mine and len(marked(process.pid)) >= 5
    process.send_signal(how)
    code = process.wait(15)
    until(lambda: not marked(process.pid), 2, awaited="the end of every process of the stack")
    until(lambda: not any(path.exists() for path in mine), 2, awaited="the removal of its directories")
    assert code == (-9 if how is signal.SIGKILL else 0)
    close(process)


def test_two_side_by_side(place):
    one, first = start(place, "--name", "one")
    other, second = start(place, "--name", "other")
    assert first["gateway"]["http"] != second["gateway"]["http"]
    assert get(f"{first['gateway']['http']}/hello/") and get(f"{second['gateway']['http']}/hello/")
    for process in (one, other):
        process.terminate()
        process.wait(15)
        close(process)


def test_ten_times_up_and_down(place):
    for _ in range(10):
        process, endpoints = start(place)
        assert get(f"{endpoints['gateway']['http']}/hello/")
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert not directories_of(process.pid) and not marked(process.pid)
        close(process)


def test_ports_can_be_chosen(place):
    from harness.ports import free_port

    wanted = free_port()
    process, endpoints = start(place, "--port", f"http={wanted}")
    assert endpoints["gateway"]["http"] == f"http://127.0.0.1:{wanted}"
    process.terminate()
    process.wait(15)
    close(process)


def test_a_failed_start_says_why_and_leaves_nothing(place):
    (place / "hello.py").write_text("raise SystemExit('no such licence')")
    failed = harness("up", "--platform", "platform.yaml", place=place)
    assert failed.returncode == 1
    assert "hello/0" in failed.stderr and "no such licence" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--platform", "none.yaml"], "none.yaml"),
        (["up", "--platform", "platform.yaml", "--env", "moon"], "moon"),
        (["up", "--platform", "platform.yaml", "--engine", "cloud"], "cloud"),
        (["up", "--platform", "platform.yaml", "--name", "a/b"], "a/b"),
        (["up", "--platform", "platform.yaml", "--port", "http=x"], "NAME=NUMBER"),
        (["up", "--platform", "platform.yaml", "--port", "htpp=80"], "htpp"),
        (["down"], "harness up"),
    ],
)
def test_a_mistake_is_a_message_and_no_traceback(place, arguments, said):
    wrong = harness(*arguments, place=place)
    assert wrong.returncode != 0
    assert said in wrong.stderr and "Traceback" not in wrong.stderr
