"""A container's link made slow or lossy, by a helper in its network namespace that needs NET_ADMIN and nothing more.

Where the daemon's kernel has netem, netem does it: for all that the container sends. Elsewhere connections to the
container's ports are redirected (iptables) to a TCP link, which holds the answers back; those that were open before are
reset, so that none goes past it, and the service sees its callers come from 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.engines import images
from harness.engines.containers import ownership
from harness.errors import EngineUnavailable, SpecError
from harness.wait import until

if TYPE_CHECKING:
    import docker

#: A container in one network has this interface.
INTERFACE = "eth0"
#: The redirected ports are so far above the container's own.
OFFSET = 20_000
CONTROL = "/tmp/link.sock"
SOON = 10.0


class ContainerLink:
    """The link of one running container; `ports` are those that it serves. It has to be made anew after a restart."""

    def __init__(self, client: docker.DockerClient, container: str, ports: Sequence[int]) -> None:
        self._ports = ports
        self._helper = _started(client, container, [f"0.0.0.0:{_above(p)}=127.0.0.1:{p}" for p in ports])
        self._netem = True

    def shape(self, *, delay: float = 0.0, jitter: float = 0.0, loss: float = 0.0) -> None:
        """What the container sends takes `delay` seconds longer, give or take `jitter`; a share `loss` gets lost.

        All 0 is a quick link again. Raises SpecError for what makes no sense, EngineUnavailable where it can't be.
        """
        if self._netem and self._ran(*_netem(delay, jitter, loss))[0] == 0:
            return
        if self._netem:
            self._redirect()
        code, said = self._ran(
            *("python3", "-m", "harness.faults.link", "--control", CONTROL),
            *("--tell", json.dumps({"delay": delay, "jitter": jitter, "loss": loss})),
        )
        if code:
            raise SpecError(said.strip().splitlines()[-1].removeprefix("ValueError: "), where="slow_link")

    def _redirect(self) -> None:
        """New connections through the TCP link, the old ones ended."""
        until(lambda: self._ran("test", "-S", CONTROL)[0] == 0, SOON, awaited="the TCP link", logs=self._log)
        self._ran("iptables", "-w", "-t", "nat", "-F", "PREROUTING")
        for port in self._ports:
            self._must("-t", "nat", "-A", "PREROUTING", *_to(port), "-j", "REDIRECT", "--to-ports", str(_above(port)))
            self._end_connections(port)
            # where the kernel can't end them, the next packet does
            self._must("-A", "INPUT", *_to(port), "-j", "REJECT", "--reject-with", "tcp-reset")
        self._netem = False

    def _end_connections(self, port: int) -> None:
        self._ran("ss", "--kill", "--no-header", "state", "established", "sport", "=", f":{port}")

    def _must(self, *rule: str) -> None:
        code, said = self._ran("iptables", "-w", *rule)
        if code:
            raise EngineUnavailable(
                f"the link can't be slowed: {said.strip()}",
                where="the daemon's kernel",
                mend="it needs sch_netem (`modprobe sch_netem` on its machine) or iptables' REDIRECT (xt_REDIRECT)",
            )

    def _ran(self, *command: str) -> tuple[int, str]:
        code, said = self._helper.exec_run(list(command))
        return int(code), said.decode(errors="replace")

    def _log(self) -> str:
        return str(self._helper.logs(tail=20).decode(errors="replace"))

    def remove(self) -> None:
        """A plain link again, as if it had never been touched; connections through it are ended. A gone one is fine."""
        from docker.errors import APIError

        with contextlib.suppress(APIError):
            self._ran(*_netem(0, 0, 0))
            if not self._netem:
                self._redirect_no_more()
            self._helper.remove(force=True)

    def _redirect_no_more(self) -> None:
        # not by an empty table: the kernel would forget the redirected connections, and the callers would never learn
        # that they have ended
        self._ran("iptables", "-w", "-F", "INPUT")
        self._ran("iptables", "-w", "-t", "nat", "-I", "PREROUTING", "-j", "ACCEPT")
        for port in self._ports:
            self._end_connections(_above(port))


def _above(port: int) -> int:
    return port + OFFSET if port + OFFSET < 1 << 16 else port - OFFSET


def _to(port: int) -> list[str]:
    return ["-i", INTERFACE, "-p", "tcp", "--dport", str(port)]


def _netem(delay: float, jitter: float, loss: float) -> list[str]:
    if not (delay or jitter or loss):
        return ["sh", "-c", f"! tc qdisc show dev {INTERFACE} | grep netem || tc qdisc del dev {INTERFACE} root"]
    netem = ["delay", f"{delay * 1000:g}ms", f"{jitter * 1000:g}ms", "loss", f"{loss * 100:g}%"]
    return ["tc", "qdisc", "replace", "dev", INTERFACE, "root", "netem", *netem]


def _started(client: docker.DockerClient, container: str, forwards: Sequence[str]) -> Any:
    from docker.errors import APIError, ImageNotFound

    try:
        return client.containers.run(
            images.pins.LINK,
            [part for forward in forwards for part in ("--forward", forward)],
            network_mode=f"container:{container}",
            cap_add=["NET_ADMIN"],
            user="0",
            labels=ownership.labels(),
            detach=True,
        )
    except ImageNotFound as error:
        raise EngineUnavailable(
            f"slowing a link needs the image {images.pins.LINK}",
            where=container,
            mend="`harness images build --offline --only link` makes it",
        ) from error
    except APIError as error:
        raise EngineUnavailable(f"the link can't be slowed: {error.explanation}", where=container) from error
