"""Waits for the owner's pipe to close, then ends what the owner left: marked processes, registered directories.

Started as a script with bare Python (no site-packages), so that it is up in milliseconds. Its one argument is the mark,
`NAME=value`, as it stands in the environment of the processes to end.
"""

import os
import signal
import sys
import time


def marked(mark: bytes) -> list[int]:
    """The processes whose environment has the mark."""
    if not os.path.exists("/proc/self/environ"):
        return _marked_by_ps(mark)
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if mark in _environment(pid)]


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _marked_by_ps(mark: bytes) -> list[int]:
    import subprocess

    lines = subprocess.run(["ps", "-axEwwo", "pid=,command="], capture_output=True, check=False).stdout.splitlines()
    return [int(line.split(None, 1)[0]) for line in lines if mark in line.split()]


def end(pids: list[int]) -> None:
    """Kill each; one that went by itself is fine."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def main() -> None:
    """Collect `dir PATH` lines until the pipe closes, then clean up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark = sys.argv[1].encode()
    directories = [line[4:].rstrip("\n") for line in sys.stdin if line.startswith("dir ")]
    # A process forked while the list was read is found by the next look.
    deadline = time.monotonic() + 5
    while (left := marked(mark)) and time.monotonic() < deadline:
        end(left)
        time.sleep(0.01)
    if any(map(os.path.exists, directories)):
        import shutil

        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
