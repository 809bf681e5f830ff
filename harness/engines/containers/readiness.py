"""When a container counts as ready: small objects, each one condition."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Protocol


class Published(Protocol):
    """What a readiness asks: where a port of the container is reached from here."""

    def address(self, port: int) -> str:
        """host:port for a port inside the container."""
        ...


class Readiness(Protocol):
    """One condition: `met` is asked again and again, and may raise OSError for "not yet"."""

    @property
    def awaited(self) -> str:
        """The condition in words, for the error when it isn't met in time."""
        ...

    def met(self, container: Published) -> bool:
        """Whether it is met now."""
        ...


@dataclass(frozen=True)
class HttpAnswers:
    """A GET of `path` on `port` is answered with a status below `below`, 300 for a success.

    A connection alone says nothing: Docker's own proxy takes it for a container that doesn't listen yet.
    """

    port: int
    path: str
    below: int = 300

    @property
    def awaited(self) -> str:
        """The condition in words."""
        return f"an answer below {self.below} to GET {self.path} on port {self.port}"

    def met(self, container: Published) -> bool:
        """Whether it is so now."""
        connection = http.client.HTTPConnection(container.address(self.port), timeout=2)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status < self.below
        except http.client.HTTPException:
            return False
        finally:
            connection.close()


@dataclass(frozen=True)
class AnyOf:
    """One of several conditions: an end-point that moved between versions."""

    conditions: tuple[Readiness, ...]

    @property
    def awaited(self) -> str:
        """The condition in words."""
        return " or ".join(condition.awaited for condition in self.conditions)

    def met(self, container: Published) -> bool:
        """Whether one of them is met now."""
        return any(condition.met(container) for condition in self.conditions)
