"""Waits for the owner's pipe to close, then ends what the owner left: marked processes, directories, and the rest.

Started as a script with bare Python (no site-packages), so that it is up in milliseconds. Its one argument is the mark,
`NAME=value`, as it stands in the environment of the processes to end. It is told, one line each:

    dir PATH        remove this directory at the end
    run ARGV        run this command at the end, a JSON list; `forget ARGV` takes it back
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


def told(lines: list[str]) -> tuple[list[str], list[str]]:
    """The directories to remove and the commands to run (as JSON), in the order given."""
    directories: list[str] = []
    commands: list[str] = []
    for line in lines:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "dir":
            directories.append(rest)
        elif word == "run":
            commands.append(rest)
        elif word == "forget" and rest in commands:
            commands.remove(rest)
    return directories, commands


def run(command: str) -> None:
    """Run one command; one that fails or hangs keeps nothing else from its end."""
    import json
    import subprocess

    try:
        subprocess.run(json.loads(command), stdin=subprocess.DEVNULL, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return


def main() -> None:
    """Listen until the pipe closes, then clean up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark = sys.argv[1].encode()
    directories, commands = told(list(sys.stdin))
    # A process forked while the list was read is found by the next look.
    deadline = time.monotonic() + 5
    while (left := marked(mark)) and time.monotonic() < deadline:
        end(left)
        time.sleep(0.01)
    if any(map(os.path.exists, directories)):
        import shutil

        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)
    for command in commands:
        run(command)


if __name__ == "__main__":
    main()
