"""An embedded APISIX with the real Admin API and etcd layout: `with ApisixServer() as gateway: …`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.emulators.apisix.server import ApisixServer

__all__ = ["ApisixServer"]


def __getattr__(name: str) -> Any:
    """`ApisixServer`, imported when asked for: parts of the package are used without the sockets."""
    if name == "ApisixServer":
        from harness.emulators.apisix.server import ApisixServer

        return ApisixServer
    raise AttributeError(name)
