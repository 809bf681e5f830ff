"""What the Control API asks of a data plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.emulators.apisix.control import Checker
from harness.emulators.apisix.discovery.nacos import NacosDiscovery
from harness.emulators.apisix.exchange import App

if TYPE_CHECKING:
    from harness.emulators.apisix.data_plane import DataPlane


class PlaneReports:
    """A data plane as the Control API's `Plane`."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def checker(self, key: str) -> Checker | None:
        """The checker of a resource, once a request has made it."""
        return self._plane.checkers.find(key)

    def discovery_dumps(self) -> Mapping[str, Any]:
        """What the discoveries know."""
        found = self._plane.discoveries.items()
        return {name: discovery.dump() for name, discovery in found if isinstance(discovery, NacosDiscovery)}

    def plugin_apis(self) -> Mapping[tuple[str, str], App]:
        """The end-points of all plugins that are on."""
        plane = self._plane
        return {
            place: app
            for plugin in plane.plugins.values()
            for place, app in plugin.control_api(plane.scope(plugin, ("", "", 0))).items()
        }
