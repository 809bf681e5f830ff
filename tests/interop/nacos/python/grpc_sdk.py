"""nacos-sdk-python 2.x and 3.x (gRPC), driven by JSON lines."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
from typing import Any

# what the SDK prints must not mix with the answers
ANSWERS = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

from v2 import nacos as sdk  # noqa: E402


def say(message: dict[str, Any]) -> None:
    ANSWERS.write(json.dumps(message) + "\n")


class Application:
    """The SDK's two services of one application."""

    async def open(self, server: str, namespace: str, username: str, password: str, folder: str) -> None:
        builder = sdk.ClientConfigBuilder().server_address(server).namespace_id(namespace)
        builder = builder.log_level(logging.INFO).log_dir(folder).cache_dir(folder)
        builder = builder.grpc_config(sdk.GRPCConfig(grpc_timeout=5000))
        if username:
            builder = builder.username(username).password(password)
        self.namespace = namespace
        self.naming = await sdk.NacosNamingService.create_naming_service(builder.build())
        self.config = await sdk.NacosConfigService.create_config_service(builder.build())

    async def publish(self, data_id: str, group: str, content: str, type: str) -> bool:
        return await self.config.publish_config(
            sdk.ConfigParam(data_id=data_id, group=group, content=content, type=type)
        )

    async def publish_cas(self, data_id: str, group: str, content: str, md5: str) -> bool:
        param = sdk.ConfigParam(data_id=data_id, group=group, content=content, cas_md5=md5)
        return await self.config.publish_config(param)

    async def get(self, data_id: str, group: str) -> str | None:
        # the SDK answers "" for what is not there
        return await self.config.get_config(sdk.ConfigParam(data_id=data_id, group=group)) or None

    async def remove(self, data_id: str, group: str) -> bool:
        return await self.config.remove_config(sdk.ConfigParam(data_id=data_id, group=group))

    async def listen(self, data_id: str, group: str) -> None:
        async def told(tenant: str, group: str, data_id: str, content: str) -> None:
            say({"event": "config", "data_id": data_id, "group": group, "content": content})

        await self.config.add_listener(data_id, group, told)

    async def register(self, service: str, group: str, **instance: Any) -> bool:
        param = sdk.RegisterInstanceParam(service_name=service, group_name=group, **instance)
        return await self.naming.register_instance(param)

    async def deregister(self, service: str, group: str, **instance: Any) -> bool:
        param = sdk.DeregisterInstanceParam(service_name=service, group_name=group, **instance)
        return await self.naming.deregister_instance(param)

    async def batch(self, service: str, group: str, ip: str, ports: list[int]) -> bool:
        members = [
            sdk.RegisterInstanceParam(service_name=service, group_name=group, ip=ip, port=port) for port in ports
        ]
        param = sdk.BatchRegisterInstanceParam(service_name=service, group_name=group, instances=members)
        return await self.naming.batch_register_instances(param)

    async def instances(self, service: str, group: str) -> list[dict[str, Any]]:
        param = sdk.ListInstanceParam(service_name=service, group_name=group, healthy_only=None)
        found = await self.naming.list_instances(param)
        return [
            {"ip": i.ip, "port": i.port, "weight": i.weight, "healthy": i.healthy, "metadata": i.metadata}
            for i in found
        ]

    async def services(self, group: str) -> list[str]:
        param = sdk.ListServiceParam(namespace_id=self.namespace, group_name=group, page_no=1, page_size=100)
        return list((await self.naming.list_services(param)).services)

    async def subscribe(self, service: str, group: str) -> None:
        async def told(instances: list[Any]) -> None:
            ports = [instance.port for instance in instances]
            say({"event": "hosts", "service": service, "group": group, "ports": ports})

        param = sdk.SubscribeServiceParam(service_name=service, group_name=group, subscribe_callback=told)
        await self.naming.subscribe(param)


async def obey(application: Application, line: str) -> None:
    command = json.loads(line)
    number, act = command.pop("id"), getattr(application, command.pop("op"))
    try:
        say({"id": number, "value": await act(**command)})
    except Exception as error:
        say({"id": number, "error": f"{type(error).__name__}: {error}"})


def read(lines: asyncio.Queue[str], loop: asyncio.AbstractEventLoop) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    os._exit(0)  # no orderly shutdown: the SDK takes five seconds for it


async def main() -> None:
    lines: asyncio.Queue[str] = asyncio.Queue()
    threading.Thread(target=read, args=(lines, asyncio.get_running_loop()), daemon=True).start()
    application = Application()
    while True:
        await obey(application, await lines.get())


asyncio.run(main())
