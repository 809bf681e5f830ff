"""Whose containers and networks these are: a label with the owner's mark, and the clean-up that it makes possible.

`python -m harness.engines.containers.ownership MARK` removes all that carries the mark; the owner's warden runs it.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness import processes

if TYPE_CHECKING:
    import docker

#: Label → the owner's mark, on every container and network of ours.
OWNER = "io.bi-harness.owner"


def labels() -> dict[str, str]:
    """What marks a container or network as this process's."""
    return {OWNER: processes.mark()}


def clean_up_command() -> list[str]:
    """Removes what this process left; to be run when it has ended."""
    return [sys.executable, "-m", __name__, processes.mark()]


_guarded = 0
_counting = threading.Lock()


def guard() -> None:
    """One thing more that has to go when this process ends, whatever ends it."""
    global _guarded
    with _counting:
        _guarded += 1
        if _guarded == 1:
            processes.at_end(clean_up_command())


def unguard() -> None:
    """One of them is gone; with the last one there is nothing left to clean up."""
    global _guarded
    with _counting:
        _guarded -= 1
        if _guarded == 0:
            processes.not_at_end(clean_up_command())


def remove(client: docker.DockerClient, wanted: Callable[[str], bool]) -> list[str]:
    """Remove containers, then networks, of the owners that are `wanted`; the names of what was removed."""
    from docker.errors import APIError

    query = {"label": OWNER}
    containers = [c for c in client.containers.list(all=True, filters=query) if wanted(c.labels[OWNER])]
    for container in containers:
        with contextlib.suppress(APIError):  # somebody else's sweep was quicker
            container.remove(force=True, v=True)
    networks = [n for n in client.networks.list(filters=query) if wanted(n.attrs["Labels"][OWNER])]
    for network in networks:
        with contextlib.suppress(APIError):
            network.remove()
    return [str(found.name) for found in (*containers, *networks)]


def sweep(client: docker.DockerClient) -> list[str]:
    """Remove what owners of this machine left that were killed together with their warden."""
    return remove(client, processes.is_gone)


def main(arguments: Sequence[str]) -> None:
    """Remove what carries the mark."""
    from harness.engines.containers.daemon import connect

    (mark,) = arguments
    client = connect()
    # a container that was being made while its owner died shows up a little later
    while remove(client, mark.__eq__):
        pass


if __name__ == "__main__":
    main(sys.argv[1:])
