"""A container's link made slow or lossy: netem on its interface, set by a helper in its network namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.engines import images
from harness.engines.containers import ownership
from harness.errors import EngineUnavailable

if TYPE_CHECKING:
    import docker

#: A container in one network has this interface.
INTERFACE = "eth0"


def shape(client: docker.DockerClient, container: str, *, delay: float, jitter: float, loss: float) -> None:
    """What the container sends takes `delay` seconds longer, give or take `jitter`; a share `loss` gets lost.

    All 0 is a plain link again. Raises EngineUnavailable where the daemon's kernel or our helper's image can't.
    """
    code, said = _run(client, container, _command(delay, jitter, loss))
    if code:
        raise EngineUnavailable(
            f"the link can't be slowed: {said.strip()}",
            where=container,
            mend="the daemon's kernel needs the module sch_netem (`modprobe sch_netem` on its machine)",
        )


def _command(delay: float, jitter: float, loss: float) -> list[str]:
    if not (delay or jitter or loss):
        return ["sh", "-c", f"tc qdisc del dev {INTERFACE} root 2>/dev/null || true"]
    netem = ["delay", f"{delay * 1000:g}ms", f"{jitter * 1000:g}ms", "loss", f"{loss * 100:g}%"]
    return ["tc", "qdisc", "replace", "dev", INTERFACE, "root", "netem", *netem]


def _run(client: docker.DockerClient, container: str, command: list[str]) -> tuple[int, str]:
    from docker.errors import APIError, ImageNotFound

    try:
        helper = client.containers.create(
            images.pins.BASE,
            command,
            network_mode=f"container:{container}",
            cap_add=["NET_ADMIN"],
            user="0",
            labels=ownership.labels(),
        )
    except ImageNotFound as error:
        mend = "`harness images build --offline` makes it"
        raise EngineUnavailable(
            f"slowing a link needs the image {images.pins.BASE}", where=container, mend=mend
        ) from error
    try:
        helper.start()
        return int(helper.wait()["StatusCode"]), helper.logs().decode(errors="replace")
    except APIError as error:
        return 1, str(error.explanation)
    finally:
        helper.remove(force=True)
