"""What an upstream asks of a discovery, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from harness.emulators.apisix.balance.node import Node

Args = Mapping[str, Any] | None


class Discovery(Protocol):
    """Services by name, with the discovery_args and the scheme of who asks."""

    async def start(self) -> None:
        """Begin to follow."""
        ...

    async def stop(self) -> None:
        """Follow nothing any more."""
        ...

    def watch(self, name: str, args: Args = None, scheme: str = "http") -> Any:
        """An upstream uses a service from here on; what is returned ends it with `unwatch`."""
        ...

    def unwatch(self, service: Any) -> None:
        """One upstream less uses it."""
        ...

    def known(self, name: str, args: Args = None, scheme: str = "http") -> tuple[Node, ...] | None:
        """The nodes as last seen, without waiting; None when they must be asked for first."""
        ...

    async def nodes(self, name: str, args: Args = None, scheme: str = "http") -> tuple[Node, ...] | None:
        """As `known`, after having asked; None when there is no answer."""
        ...
