"""Testcontainers modules for Nacos, APISIX, etcd and a service's replica, each usable alone:

    from harness.engines.containers import NacosContainer

    with NacosContainer() as nacos:
        nacos.client().publish("app.yaml", "greeting: hello")

The image is chosen by `harness.engines.images`: an override, the official one, or what `harness images build --offline`
made; `container.about` says which it is. Needs `pip install 'bi-harness[docker]'`.
"""

from __future__ import annotations

from harness.engines.containers.apisix import ApisixContainer
from harness.engines.containers.base import HarnessContainer
from harness.engines.containers.etcd import EtcdContainer
from harness.engines.containers.nacos import NacosContainer
from harness.engines.containers.stub import StubContainer

__all__ = ["ApisixContainer", "EtcdContainer", "HarnessContainer", "NacosContainer", "StubContainer"]
