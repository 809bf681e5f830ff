"""What the gateway lends to one plugin: clock, chance, shared stores, consumers, upstreams, requests of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from harness.emulators.apisix.consumers import ConsumerEntry, ConsumerIndex
from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.base import Plugin, Shared
from harness.emulators.apisix.proxy.fetch import fetch
from harness.emulators.apisix.upstream import Upstream

if TYPE_CHECKING:
    from harness.emulators.apisix.data_plane import DataPlane

T = TypeVar("T")
log = logging.getLogger("harness.emulators.apisix")
_LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


class PlaneScope:
    """The `Scope` of a plugin object that lives in a data plane."""

    __slots__ = ("_made", "_metadata", "_plane", "attr", "clock", "consumers", "plugins", "random", "resource")

    def __init__(self, plane: DataPlane, resource: tuple[str, str, int], attr: Mapping[str, Any]) -> None:
        self._plane = plane
        self.clock = plane.clock
        self.random = plane.random
        self.resource = resource
        self.attr = attr
        self.plugins: Mapping[str, type[Plugin]] = plane.plugins
        self._made = 0
        self._metadata = plane.store.get("plugin_metadata")
        #: the consumers that have the auth plugin of that name
        self.consumers: Callable[[str], ConsumerIndex] = plane.directory.index

    def stored(self, kind: str, id_: str) -> Mapping[str, Any] | None:
        """The value of a resource as it is now, or None."""
        entry = self._plane.store.get(kind).get(id_)
        return entry.value if entry is not None else None

    def stored_below(self, kind: str, id_: str, part: str) -> list[Mapping[str, Any]]:
        """The values kept below a resource, as they are now."""
        below = f"{id_}/{part}/"
        return [entry.value for key, entry in self._plane.store.get(kind).items() if key.startswith(below)]

    @property
    def https_port(self) -> int | None:
        """The port of the TLS listener, if there is one."""
        return self._plane.https_port

    def shared(self, name: str) -> Shared:
        """The shared store of that name."""
        return self._plane.shared.get(name)

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """The object of that name, made at first use."""
        kept: T = self._plane.kept.get(name) or self._plane.kept.setdefault(name, make())
        return kept

    def metadata(self, plugin: str) -> Mapping[str, Any] | None:
        """plugin_metadata/<plugin> as it is now."""
        entry = self._metadata.get(plugin)
        return entry.value if entry is not None else None

    def consumer(self, name: str, plugin: str = "") -> ConsumerEntry | None:
        """A consumer by username."""
        return self._plane.directory.named(name)

    def secret(self, value: Any) -> Any:
        """`value` with its references resolved."""
        return self._plane.secret(value)

    def upstream(self, which: str | Mapping[str, Any]) -> Upstream | None:
        """An upstream by id, or one of the plugin's own from its configuration."""
        compiler = self._plane.compiler
        if isinstance(which, Mapping):
            self._made += 1
            kind, id_, _ = self.resource
            return compiler.upstream(f"{kind}/{id_}", f"plugin/{self._made}", which)
        found = compiler.upstream_by_id(which)
        return None if isinstance(found, Exit) else found

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        within: float = 3.0,
        ssl_verify: bool = True,
        keepalive: bool = True,
    ) -> Response:
        """A request of the plugin's own."""
        return await fetch(
            self._plane.pools,
            method,
            url,
            headers=headers,
            body=body,
            within=within,
            ssl_verify=ssl_verify,
            keepalive=keepalive,
        )

    def log(self, level: str, message: str) -> None:
        """A line in the error log."""
        log.log(_LEVELS.get(level, logging.WARNING), "%s", message)
