"""The warm parent: imports everything once, then forks a replica for each JSON line on standard input.

In:  {"service": "bi-basic", "env": {…}, "log": "path", "id": "bi-basic-0"}   (id: REPLICA_ID when left out)
Out: {"event": "warm", "pid": …, "seconds": …}                                 once, when imported
     {"event": "started", "id": …, "pid": …}
     {"event": "ready", "id": …, "pid": …, "http": "host:port", "grpc": "host:port"}
     {"event": "exited", "id": …, "pid": …, "code": …}                         negative: the signal that ended it
     {"event": "error", "id": …, "message": …}                                 a line that could not be obeyed

It stays single-threaded and makes no event loop and no gRPC object, which would not survive a fork. The end of
standard input, or SIGTERM, ends all replicas and then itself.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import selectors
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from stubs.catalogue import SERVICES
from stubs.common.sdk import preload_login
from stubs.process import run_replica

#: How long replicas get to leave in order before they are killed.
STOP_SECONDS = 1.2
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
#: The child's end of the pipe by which it reports that it is ready.
REPORT = 3
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


def main(*, die_with_parent: bool) -> int:
    """Serve standard input until it ends."""
    if die_with_parent:
        # Linux sends it when the *thread* that started this process ends: start it from a thread that stays.
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    gc.freeze()  # the collector of a child would otherwise touch, and so copy, every page inherited
    gc.enable()
    return Parent().serve()


@dataclass(frozen=True, slots=True)
class Order:
    """One line of standard input, checked."""

    id: str
    service: str
    env: dict[str, str]
    log: str


def read_order(line: bytes) -> Order:
    """Parse a line; raises ValueError saying what is wrong with it."""
    data = json.loads(line)
    if not isinstance(data, dict) or (unknown := data.keys() - {"id", "service", "env", "log"}):
        raise ValueError(f"a line is an object of id, service, env and log{f', not {sorted(unknown)}' if data else ''}")
    service, env, log = data.get("service"), data.get("env", {}), data.get("log")
    if service not in SERVICES:
        raise ValueError(f"service {service!r} is none of {', '.join(SERVICES)}")
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise ValueError("env is not an object of strings")
    if not isinstance(log, str) or not log:
        raise ValueError("log is not a path")
    return Order(str(data.get("id") or env.get("REPLICA_ID") or f"{service}-0"), service, env, log)


class Parent:
    """The loop over standard input, the children's reports and their deaths."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, str] = {}
        self._input = b""
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def serve(self) -> int:
        """Obey until standard input ends or SIGTERM comes, then end the children; answers 0."""
        self._listen_to_signals()
        self._selector.register(0, selectors.EVENT_READ, self._read_orders)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        _say("warm", pid=os.getpid(), seconds=round(time.process_time(), 3))
        if not self._selector.select(0):
            preload_login()  # nothing to do yet: most orders will name credentials
        while not self._stopping:
            self._turn(None)
        self._end_children()
        return 0

    def _listen_to_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, _: object) -> None:
        if number != signal.SIGCHLD:
            self._stopping = True

    def _turn(self, timeout: float | None) -> None:
        for key, _ in self._selector.select(timeout):
            key.data()

    def _woken(self) -> None:
        os.read(self._wake_read, 4096)
        self._reap()

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            _say("exited", id=self._children.pop(pid), pid=pid, code=os.waitstatus_to_exitcode(status))

    def _read_orders(self) -> None:
        data = os.read(0, 65536)
        if not data:
            self._selector.unregister(0)
            self._stopping = True
            return
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            if line.strip():
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        try:
            order = read_order(line)
            log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except (ValueError, OSError) as error:
            _say("error", id=None, message=str(error))
            return
        if order.env.get("NACOS_USERNAME"):
            preload_login()
        self._fork(order, log)
        os.close(log)

    def _fork(self, order: Order, log: int) -> None:
        report_read, report_write = os.pipe()
        parent = os.getpid()
        # blocked over the fork, so that no signal meant for the child is taken by the handlers it inherits
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if not pid:
            os.close(report_read)
            _be_replica(order, parent, log, report_write)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.close(report_write)
        self._children[pid] = order.id
        _say("started", id=order.id, pid=pid)
        self._selector.register(report_read, selectors.EVENT_READ, lambda: self._reported(report_read, order.id, pid))

    def _reported(self, pipe: int, replica: str, pid: int) -> None:
        line = os.read(pipe, 4096)  # one short write: it comes whole
        if line:
            _say("ready", id=replica, pid=pid, **json.loads(line))
        self._selector.unregister(pipe)
        os.close(pipe)

    def _end_children(self) -> None:
        for number in (signal.SIGTERM, signal.SIGCONT):  # a paused replica hears the first only after the second
            self._signal_children(number)
        deadline = time.monotonic() + STOP_SECONDS
        while self._children and (left := deadline - time.monotonic()) > 0:
            self._turn(left)
        self._signal_children(signal.SIGKILL)
        while self._children:
            self._turn(None)

    def _signal_children(self, number: signal.Signals) -> None:
        for pid in self._children:
            os.kill(pid, number)  # not reaped yet, so the id is still the child's


def _be_replica(order: Order, parent: int, log: int, report: int) -> NoReturn:
    """The child's whole life."""
    code = 1
    try:
        _become_own_process(order, parent, log, keep=report)
        code = run_replica(order.service, os.environ, _report)
        sys.stdout.flush()
    finally:
        os._exit(code)


def _become_own_process(order: Order, parent: int, log: int, keep: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    _prctl(PR_SET_NAME, order.id.encode()[:15])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.dup2(keep, REPORT)
    os.closerange(REPORT + 1, 1024)  # nothing else of the parent's stays open
    os.environ.update(order.env)


def _report(http: str, grpc: str) -> None:
    os.write(REPORT, json.dumps({"http": http, "grpc": grpc}).encode())
    os.close(REPORT)


def _say(event: str, **fields: Any) -> None:
    try:
        os.write(1, json.dumps({"event": event, **fields}).encode() + b"\n")
    except BrokenPipeError:
        os.kill(os.getpid(), signal.SIGTERM)  # whoever listened is gone


def _prctl(option: int, argument: int | bytes) -> None:
    """Linux only; elsewhere the end of standard input does the same a little later."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)
