"""The real Nacos made here answers as one: log-in, registration over HTTP and gRPC, configuration with its push."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from v2 import nacos as sdk

from harness.engines.containers import NacosContainer
from harness.engines.images.offline.nacos import SERVERS
from harness.wait import until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.mark.parametrize("version", [server.version for server in SERVERS])
def test_a_real_server_serves_its_protocols(version: str, docker_engine: Any, tmp_path: Path) -> None:
    tag = f"bi-harness/nacos-server:{version}"
    if not docker_engine.images.list(name=tag):
        pytest.skip(f"not applicable: there is no {tag} here; `harness images build --offline` makes it where it can")
    with NacosContainer(tag) as nacos:
        nacos.ready(180)
        client = nacos.client()
        client.register("orders", "10.0.0.1", 8080)
        until(lambda: client.instances("orders"), 10, awaited="the instance registered over HTTP")
        client.publish("app.yaml", "a: 1")
        until(lambda: client.config("app.yaml") == "a: 1", 10, awaited="the configuration published over HTTP")
        address = nacos.url(nacos.HTTP).removeprefix("http://")
        asyncio.run(_by_grpc(address, nacos.username, nacos.password, str(tmp_path)))


async def _by_grpc(address: str, username: str, password: str, folder: str) -> None:
    builder = sdk.ClientConfigBuilder().server_address(address).username(username).password(password)
    settings = builder.log_dir(folder).cache_dir(folder).build()
    naming = await sdk.NacosNamingService.create_naming_service(settings)
    config = await sdk.NacosConfigService.create_config_service(settings)
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def told(tenant: str, data_id: str, group: str, content: str) -> None:
        await heard.put(content)

    try:
        assert await naming.register_instance(sdk.RegisterInstanceParam(service_name="users", ip="10.0.0.2", port=9090))
        await config.add_listener("pushed.yaml", "DEFAULT_GROUP", told)
        assert await config.publish_config(
            sdk.ConfigParam(data_id="pushed.yaml", group="DEFAULT_GROUP", content="b: 2")
        )
        assert await asyncio.wait_for(heard.get(), 20) == "b: 2"
        found = await naming.list_instances(sdk.ListInstanceParam(service_name="users", healthy_only=True))
        assert [(one.ip, one.port) for one in found] == [("10.0.0.2", 9090)]
    finally:
        await naming.shutdown()
        await config.shutdown()
