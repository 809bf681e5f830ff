"""The official nacos-sdk-python 3.x, unmodified, over gRPC."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from v2 import nacos as sdk

from harness.emulators.nacos import NacosServer
from harness.wait import until


def client_config(nacos: NacosServer, folder: Path, **credentials: str) -> Any:
    builder = (
        sdk.ClientConfigBuilder()
        .server_address(nacos.address)
        .namespace_id("public")
        .username(credentials.get("username", nacos.username))
        .password(credentials.get("password", nacos.password))
        .log_level(logging.CRITICAL)
        .log_dir(str(folder))
        .cache_dir(str(folder))
        .grpc_config(sdk.GRPCConfig(grpc_timeout=3000))
    )
    return builder.build()


@asynccontextmanager
async def naming(nacos: NacosServer, folder: Path, **credentials: str) -> AsyncIterator[Any]:
    service = await sdk.NacosNamingService.create_naming_service(client_config(nacos, folder, **credentials))
    try:
        yield service
    finally:
        # the SDK waits for ever when its reconnecting task loses the cancellation; the loop's end cancels it again
        await asyncio.wait([asyncio.create_task(service.shutdown())], timeout=8)


def instance(port: int, **more: Any) -> Any:
    return sdk.RegisterInstanceParam(service_name="bi-basic", group_name="BI", ip="10.0.0.1", port=port, **more)


def listing() -> Any:
    return sdk.ListInstanceParam(service_name="bi-basic", group_name="BI", healthy_only=None)


def ports_over_http(nacos: NacosServer) -> list[int]:
    found = httpx.get(
        f"{nacos.http_url}/nacos/v1/ns/instance/list", params={"serviceName": "bi-basic", "groupName": "BI"}
    ).json()
    return sorted(host["port"] for host in found["hosts"])


async def eventually(check: Callable[[], Any], seconds: float = 5.0) -> None:
    await asyncio.to_thread(until, check, seconds, awaited="what the SDK should see")


def test_register_list_and_deregister(nacos: NacosServer, tmp_path: Path) -> None:
    async def story() -> None:
        async with naming(nacos, tmp_path) as service:
            assert await service.register_instance(instance(8080, metadata={"zone": "a"}, weight=2.0))
            [found] = await service.list_instances(listing())
            assert (found.ip, found.port, found.weight, found.metadata) == ("10.0.0.1", 8080, 2.0, {"zone": "a"})
            assert ports_over_http(nacos) == [8080]
            services = await service.list_services(
                sdk.ListServiceParam(group_name="BI", namespace_id="public", page_no=1, page_size=10)
            )
            assert (services.count, services.services) == (1, ["bi-basic"])
            assert await service.deregister_instance(
                sdk.DeregisterInstanceParam(service_name="bi-basic", group_name="BI", ip="10.0.0.1", port=8080)
            )
            assert ports_over_http(nacos) == []

    asyncio.run(story())


def test_batch_register_replaces_the_publication(nacos: NacosServer, tmp_path: Path) -> None:
    async def story() -> None:
        async with naming(nacos, tmp_path) as service:
            batch = sdk.BatchRegisterInstanceParam(
                service_name="bi-basic", group_name="BI", instances=[instance(1), instance(2), instance(3)]
            )
            assert await service.batch_register_instances(batch)
            assert ports_over_http(nacos) == [1, 2, 3]

    asyncio.run(story())


def test_subscribers_see_changes_and_deaths(nacos: NacosServer, tmp_path: Path) -> None:
    async def story() -> None:
        seen: list[list[int]] = []

        async def note(instances: list[Any]) -> None:
            seen.append(sorted(one.port for one in instances))

        async with naming(nacos, tmp_path / "a") as watcher:
            async with naming(nacos, tmp_path / "b") as first, naming(nacos, tmp_path / "c") as second:
                await first.register_instance(instance(1))
                await watcher.subscribe(
                    sdk.SubscribeServiceParam(service_name="bi-basic", group_name="BI", subscribe_callback=note)
                )
                await second.register_instance(instance(2))
                await eventually(lambda: seen and seen[-1] == [1, 2])
                dying = connection_of(nacos, port=2)
                nacos.fail_next("InstanceRequest", times=5)  # it must not come back while we look
                nacos.drop(dying)
                await eventually(lambda: seen[-1] == [1])
            acknowledged = [one for one in nacos.pushes() if one["type"] == "NotifySubscriberRequest"]
            await eventually(lambda: any(one["ack_ms"] is not None for one in nacos.pushes()))
            assert acknowledged

    asyncio.run(story())


def connection_of(nacos: NacosServer, port: int) -> str:
    def find(node: Any) -> str:
        for service in node.site.domain.registry.services.values():
            for client, published in service.publications.items():
                if any(one.port == port for one in published):
                    return str(client)
        raise LookupError(port)

    return nacos.call(find)


@asynccontextmanager
async def configuration(nacos: NacosServer, folder: Path) -> AsyncIterator[Any]:
    service = await sdk.NacosConfigService.create_config_service(client_config(nacos, folder))
    try:
        yield service
    finally:
        # without its shutdown the SDK's tasks swallow their cancellation and hold up the loop for good
        await asyncio.gather(service.shutdown(), look_now(service))


async def look_now(service: Any) -> None:
    """The SDK's listening loop looks around every 5 s only; this is its own way to be woken."""
    await service.grpc_client_proxy.execute_config_listen_channel.put(None)


def test_configuration_is_published_read_watched_and_removed(nacos: NacosServer, tmp_path: Path) -> None:
    async def story() -> None:
        seen: list[str] = []

        async def note(tenant: str, group: str, data_id: str, content: str) -> None:
            seen.append(content)

        def param(content: str = "", **more: Any) -> Any:
            return sdk.ConfigParam(data_id="bi-basic.yaml", group="BI", content=content, **more)

        async with configuration(nacos, tmp_path) as service:
            assert await service.publish_config(param("a: 1", type="yaml"))
            assert await service.get_config(param()) == "a: 1"
            await service.add_listener("bi-basic.yaml", "BI", note)
            await look_now(service)
            await eventually(lambda: nacos.call(lambda node: len(node.site.domain.listeners.by_key)) == 1, 10)
            assert await service.publish_config(param("a: 2", type="yaml"))
            await eventually(lambda: seen[-1:] == ["a: 2"])
            assert await service.remove_config(param())
            assert await service.get_config(param()) in (None, "")

    asyncio.run(story())


def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    async def story(nacos: NacosServer) -> None:
        async with naming(nacos, tmp_path / "good") as service:
            assert await service.register_instance(instance(1))
        with pytest.raises(sdk.NacosException, match="get access token failed"):
            async with naming(nacos, tmp_path / "bad", password="wrong") as service:
                await service.register_instance(instance(2))

    with NacosServer(auth="bi:secret") as nacos:
        asyncio.run(story(nacos))
