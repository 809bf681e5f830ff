"""A slow link for a replica that is a process: it takes the replica's address, behind which the replica moves."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness import processes
from harness.errors import EngineUnavailable, SpecError
from harness.faults.link import tell
from harness.wait import until

if TYPE_CHECKING:
    import subprocess

    from harness.engines.replicas import Launch

#: Where a replica listens, on the ports that it had, while a link has its place.
BEHIND = "127.0.0.2"
SOON = 10.0


@dataclass(frozen=True)
class ProcessLink:
    """A link in front of one replica, a process of its own."""

    process: subprocess.Popen[str]
    control: Path

    @classmethod
    def start(cls, launch: Launch) -> ProcessLink:
        """Listen where the replica did, which has ended. Raises EngineUnavailable, NotReady."""
        control, log = launch.log.with_suffix(".sock"), launch.log.with_suffix(".link.log")
        forwards = [f"{at}={BEHIND}:{at.rpartition(':')[2]}" for at in (launch.http, launch.grpc) if at]
        options = [part for forward in forwards for part in ("--forward", forward)]
        command = [sys.executable, "-m", "harness.faults.link", "--control", str(control), *options]
        link = cls(processes.spawn(command, log=log), control)
        until(
            lambda: control.exists() or link.process.poll() is not None,
            SOON,
            awaited=f"the link of {launch.id}",
            logs=lambda: processes.last_lines(log),
        )
        if link.process.poll() is not None:
            raise EngineUnavailable(f"its link can't be slowed: {processes.last_lines(log, 1)}", where=launch.id)
        return link

    def shape(self, delay: float, jitter: float, loss: float) -> None:
        """Answers come `delay` seconds later, give or take `jitter`; a share `loss` gets lost. Raises SpecError."""
        try:
            tell(self.control, delay=delay, jitter=jitter, loss=loss)
        except ValueError as error:
            raise SpecError(str(error), where="slow_link") from error

    def stop(self) -> None:
        """Give the address back."""
        processes.stop(self.process)
        self.control.unlink(missing_ok=True)


def behind(launch: Launch) -> Launch:
    """The same replica at the place behind its link, registering the address that it had."""
    return replace(launch, env={**launch.env, "BIND_HOST": BEHIND})


def refuse_without_a_place(launch: Launch) -> None:
    """Raises EngineUnavailable where this machine has no second loopback address (macOS has to be given one)."""
    with socket.socket() as trying:
        try:
            trying.bind((BEHIND, 0))
        except OSError as error:
            raise EngineUnavailable(
                f"a slow link needs the loopback address {BEHIND}: {error.strerror}",
                where=launch.id,
                mend=f"`sudo ifconfig lo0 alias {BEHIND} up`",
            ) from error
