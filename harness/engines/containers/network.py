"""A stack's own network: a subnet that is free, so that each container keeps its address over restarts."""

from __future__ import annotations

import contextlib
import itertools
import random
import secrets
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from harness.engines.containers import ownership
from harness.errors import EngineUnavailable

if TYPE_CHECKING:
    import docker

#: How many subnets are tried before giving up.
TRIES = 30
#: The first address given away; those below are the network's and the daemon's own.
FIRST = 10


class StackNetwork:
    """A bridge network; `address(name)` is the IP that this name has and keeps."""

    def __init__(self, client: docker.DockerClient, name: str = "") -> None:
        self.name = name or f"bi-harness-{secrets.token_hex(4)}"
        self._client = client
        self._subnet: IPv4Network | None = None
        self._addresses: dict[str, str] = {}
        self._numbers = itertools.count(FIRST)

    def create(self) -> StackNetwork:
        """Make it. Raises EngineUnavailable when no subnet is free."""
        from docker.errors import APIError
        from docker.types import IPAMConfig, IPAMPool

        ownership.guard()
        for subnet in _subnets():
            pool = IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))
            try:
                self._client.networks.create(
                    self.name, driver="bridge", ipam=IPAMConfig(pool_configs=[pool]), labels=ownership.labels()
                )
            except APIError as error:
                if "overlap" not in str(error.explanation):
                    raise EngineUnavailable(f"no network can be made: {error.explanation}") from error
                continue
            self._subnet = subnet
            return self
        raise EngineUnavailable(
            f"{TRIES} subnets of 10.0.0.0/8 are all taken", mend="`docker network prune` removes those that nobody uses"
        )

    @property
    def gateway(self) -> str:
        """The address that this machine has in it: as whom containers see what comes through a published port."""
        assert self._subnet is not None
        return str(self._subnet[1])

    def address(self, name: str) -> str:
        """The IP of the container of that name. Raises EngineUnavailable when the subnet is used up."""
        if name not in self._addresses:
            assert self._subnet is not None
            number = next(self._numbers)
            if number >= self._subnet.num_addresses - 1:
                raise EngineUnavailable(f"{self._subnet} has no address left", where=self.name)
            self._addresses[name] = str(self._subnet[number])
        return self._addresses[name]

    def remove(self) -> None:
        """Remove it; one that is gone is fine."""
        from docker.errors import APIError

        if self._subnet is None:
            return
        with contextlib.suppress(APIError):
            self._client.networks.get(self.name).remove()
        self._subnet = None
        ownership.unguard()


def _subnets() -> list[IPv4Network]:
    choose = random.SystemRandom()
    numbers = [(choose.randrange(64, 250), choose.randrange(256)) for _ in range(TRIES)]
    return [IPv4Network(f"10.{second}.{third}.0/24") for second, third in numbers]
