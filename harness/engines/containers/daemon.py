"""The container daemon as the docker command finds it (local, DOCKER_HOST, a context), or why there is none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.engines.images.daemon import unreachable
from harness.errors import EngineUnavailable

if TYPE_CHECKING:
    import docker

#: Where ports are published: the loopback of the daemon's machine, unless this variable names another address there.
PUBLISH = "HARNESS_DOCKER_PUBLISH"
LOOPBACK = "127.0.0.1"


def connect() -> docker.DockerClient:
    """A client of the daemon. Raises EngineUnavailable with the mend where none answers."""
    try:
        from testcontainers.core.docker_client import DockerClient
    except ImportError as error:
        raise EngineUnavailable(
            f"containers need a package that isn't here: {error.name}", mend="pip install 'bi-harness[docker]'"
        ) from error
    from docker.errors import DockerException

    try:
        client = DockerClient().client
        client.ping()
    except (DockerException, OSError) as error:
        raise unreachable(error) from error
    return client


def publish_address() -> str:
    """The address on the daemon's machine at which ports are published.

    Raises EngineUnavailable where the daemon is another machine and nothing says how its ports are to be reached.
    """
    if named := os.environ.get(PUBLISH):
        return named
    from testcontainers.core.docker_client import get_docker_host

    host = get_docker_host() or "unix://"
    if host.startswith(("unix://", "npipe://")) or any(f"://{local}" in host for local in (LOOPBACK, "localhost")):
        return LOOPBACK
    raise EngineUnavailable(
        "the daemon is another machine, whose loopback can't be reached from here",
        where=host,
        mend=f"name the address of that machine at which ports may be published: {PUBLISH}=10.0.0.5",
    )


def reachable(host: str) -> str:
    """A published port's host as an address to connect to: `localhost` may mean ::1, where nothing is published."""
    return LOOPBACK if host in ("localhost", "0.0.0.0", "") else host
