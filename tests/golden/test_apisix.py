"""What the real APISIX 3.18.0 answered to our own cases, replayed against the emulator, all of it on every run.

The upstreams stand on the recordings' fixed ports, so all cases belong to one worker of xdist: they stay in one file.
`differs.json` lists the cases that can't be equal, each with its reason; one that has become equal must leave the list.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import processes
from harness.etcd_process import EtcdProcess

HERE = Path(__file__).resolve().parent
ADMIN_KEY = "golden-recordings-admin-key"
LISTENERS = ("http", "https", "admin", "control", "prometheus")
#: Seconds between a write and the next request: the emulator's watch needs a few milliseconds of it.
SETTLE = 0.03
#: Seconds by which limit-count's countdown may be further than in the recording: the steps before it took longer.
BUSY = 0.9
COUNTDOWN = re.compile(r"\d+(\.\d+)?")

spec = importlib.util.spec_from_file_location("golden_replay", HERE / "replay.py")
replay = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = replay
spec.loader.exec_module(replay)

CASES = {f"{case['suite']}/{case['case']}": case for _, case in replay.load_cases([HERE / "apisix"])}
DIFFERS = json.loads((HERE / "differs.json").read_text())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway as the recordings were made with, as a process; its addresses."""
    directory = tmp_path_factory.mktemp("golden")
    listeners = [part for name in LISTENERS for part in (f"--{name}", "127.0.0.1:0")]
    with EtcdProcess() as etcd:
        command = [sys.executable, "-m", "harness.emulators.apisix.serve", "--etcd", etcd.url, *listeners]
        environment = {"HARNESS_APISIX_ADMIN_KEY": ADMIN_KEY}
        process: subprocess.Popen[str] = processes.spawn(
            command, log=directory / "gateway.log", env=environment, pipes=True, cwd=directory
        )
        line = process.stdout.readline()
        assert line.startswith("ready "), processes.last_lines(directory / "gateway.log")
        yield json.loads(line.removeprefix("ready "))
        processes.stop(process)


@pytest.fixture(scope="module")
def client(gateway):
    """The player of recordings, with its own upstreams behind the gateway."""
    bare = {name: url.partition("//")[2] for name, url in gateway.items()}
    places = [bare[name] for name in ("http", "https", "control", "prometheus")]
    fixture = replay.Fixture()
    fixture.start()
    return replay.Client(replay.Target(gateway["admin"], ADMIN_KEY, *places, SETTLE), fixture)


@pytest.mark.parametrize("name", CASES)
def test_the_answers_are_equal(name, client):
    failures = list(filter(_differs, replay.replay_case(CASES[name], client)))
    if name in DIFFERS:
        assert failures, f"{name} is equal now: take it off differs.json"
        pytest.xfail(DIFFERS[name])
    assert not failures, "\n".join(map(_told, failures))


def _differs(failure: dict) -> bool:
    """Whether it is more than a few hundredths by which a busy machine came later to the same window."""
    return not failure["differences"] or not all(map(_later, failure["differences"]))


def _later(difference: tuple) -> bool:
    where, want, got = difference
    numbers = all(isinstance(value, str) and COUNTDOWN.fullmatch(value) for value in (want, got))
    return "ratelimit-reset" in where and numbers and 0 <= float(want) - float(got) < BUSY


def _told(failure: dict) -> str:
    lines = [f"{failure['step']} {failure['title']}"]
    for where, want, got in failure["differences"]:
        lines += [f"  {where}", f"    expected {replay.short(want)}", f"    got      {replay.short(got)}"]
    return "\n".join(lines)


def test_what_is_listed_exists():
    assert DIFFERS.keys() <= CASES.keys()
