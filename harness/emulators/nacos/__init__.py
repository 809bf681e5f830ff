"""An embedded Nacos that official SDKs can use: `with NacosServer() as nacos: ...`."""

from __future__ import annotations

from harness.emulators.nacos.server import NacosServer

__all__ = ["NacosServer"]
