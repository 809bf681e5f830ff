"""Guarded processes: whatever ends the owner, nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness import processes
from harness.wait import until

OWNER = """
    import sys, time
    from pathlib import Path
    from harness import processes
    directory = processes.temporary_directory("test")
    child = processes.spawn([sys.executable, "-c", CHILD], log=directory / "child.log")
    print(child.pid, directory, flush=True)
    time.sleep(60)
"""
# A child that forks: the grandchild is ours as well.
CHILD = "import os, time; os.fork(); time.sleep(60)"


@pytest.fixture
def owner():
    """A process that owns a child, a grandchild and a directory: (process, child's pid, directory)."""
    source = textwrap.dedent(OWNER).replace("CHILD", repr(CHILD))
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid, directory = process.stdout.readline().split()
    yield process, int(pid), Path(directory)
    process.kill()
    process.wait()
    process.stdout.close()


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def descendants(pid: int) -> list[int]:
    """The child and what it forked."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_its_owner(owner, how):
    process, child, directory = owner
    family = until(lambda: len(found := descendants(child)) > 1 and found, 5, awaited="the grandchild")
    process.send_signal(how)
    process.wait()
    until(lambda: not any(map(alive, family)), 2, awaited="the end of child and grandchild")
    until(lambda: not directory.exists(), 2, awaited="the directory's removal")


def test_stop_insists(tmp_path):
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    process = processes.spawn([sys.executable, "-c", deaf], log=tmp_path / "log", pipes=True)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    assert processes.stop(process, grace=0.1) == -signal.SIGKILL


def test_a_paused_process_obeys_a_stop(tmp_path):
    process = processes.spawn([sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "log")
    os.kill(process.pid, signal.SIGSTOP)
    assert processes.stop(process, grace=3) == -signal.SIGTERM


def test_sweep_takes_only_what_has_no_owner(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = processes.temporary_directory("mine")
    stale = tmp_path / f"{processes.PREFIX}stale"
    stale.mkdir()
    (stale / ".owner").write_text(f"{os.getpid()}-1-abcd")  # this pid, but another start: a reused number
    strange = tmp_path / f"{processes.PREFIX}strange"
    strange.mkdir()
    assert processes.sweep() == [stale]
    assert mine.exists() and strange.exists() and not stale.exists()


def test_last_lines(tmp_path):
    log = tmp_path / "log"
    log.write_text("\n".join(map(str, range(100))))
    assert processes.last_lines(log, 2) == "98\n99"
    assert processes.last_lines(tmp_path / "none") == ""


ENDING = """
    import sys, time
    from harness import processes
    processes.at_end(["touch", sys.argv[1] + "/cleaned"])
    processes.at_end(["touch", sys.argv[1] + "/forgotten"])
    processes.not_at_end(["touch", sys.argv[1] + "/forgotten"])
    print("told", flush=True)
    time.sleep(60)
"""


def test_what_was_left_for_the_end_is_run_after_a_kill(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(ENDING), str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "told\n"
    process.kill()
    process.wait()
    process.stdout.close()
    until((tmp_path / "cleaned").exists, 5, awaited="the clean-up")
    assert not (tmp_path / "forgotten").exists()


def test_an_owner_is_known_by_its_mark():
    assert not processes.is_gone(processes.mark())
    assert processes.is_gone(f"{os.getpid()}-1-abcd")
    assert not processes.is_gone("nobody's")
