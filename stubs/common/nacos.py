"""A replica's tie to Nacos by the official SDK: configuration watched, itself registered, and a quick good-bye."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stubs.common.logs import Log, masked
from stubs.common.sdk import nacos, stay_on_the_loopback
from stubs.common.settings import Settings

#: Between attempts to reach a Nacos that isn't there; the SDK's own retries come on top.
RETRY_SECONDS = 0.5
#: How long deregistering, and then closing, may each take: the end of the process closes what is left, and Nacos drops
#: what a closed connection registered.
GOODBYE_SECONDS = 0.4

OnConfig = Callable[[str], None]


class NacosLink:
    """One replica's two SDK clients (naming and configuration), each with its own connection.

    `on_config` gets the data ID's content at the start and at each change, "" when there is none.
    """

    def __init__(self, settings: Settings, log: Log, on_config: OnConfig) -> None:
        self._settings = settings
        self._log = log
        self._on_config = on_config
        # never ~/nacos: what another run cached there would be taken for the truth
        self._home = Path(tempfile.mkdtemp(prefix="bi-stub-", dir=settings.state_dir or None))
        self._config: Any = None
        self._naming: Any = None
        self._registration: dict[str, Any] = {}
        self.registered = False

    async def open(self) -> None:
        """Open both connections side by side; with no server there, the SDK goes on trying by itself."""
        stay_on_the_loopback()
        await asyncio.gather(self._open_config(), self._open_naming())

    async def _open_config(self) -> None:
        # The SDK looks at a new listener only by a 5 s tick (fetching is prompted by `on_connected` and by pushes, not
        # by add_listener). So the listener is there before the connection is: then the SDK's own first look, right
        # after connecting, tells the server about it, and every change is pushed from there on. This is
        # NacosConfigService.create_config_service with one line in between.
        self._config = nacos.NacosConfigService(self._client_config())
        await self._config.add_listener(self._settings.data_id, self._settings.nacos_group, self._changed)
        await self._config.grpc_client_proxy.start()

    async def _open_naming(self) -> None:
        self._naming = await nacos.NacosNamingService.create_naming_service(self._client_config())
        # The SDK registers again with a Nacos that came back only by a 30 s tick (redo/abstract_redo_service.py)
        proxy = self._naming.grpc_client_proxy
        await proxy.rpc_client.register_connection_listener(_RedoAtOnce(proxy.redo_service))

    async def fetch_config(self) -> None:
        """Deliver the configuration as it is now, trying until Nacos answers."""
        param = nacos.ConfigParam(data_id=self._settings.data_id, group=self._settings.nacos_group)
        while True:
            try:
                return self._on_config(await self._config.get_config(param) or "")
            except nacos.NacosException as error:
                self._log.warning("configuration not read, trying again", reason=masked(str(error)))
                await asyncio.sleep(RETRY_SECONDS)

    async def _changed(self, _namespace: str, _group: str, _data_id: str, content: str) -> None:
        self._on_config(content or "")

    async def register(self, http_port: int, grpc_port: int) -> None:
        """Register the replica, trying until Nacos acknowledges it."""
        self._registration = {
            "service_name": self._settings.service,
            "group_name": self._settings.nacos_group,
            "ip": advertised_ip(self._settings),
            "port": http_port,
            "ephemeral": True,
        }
        metadata = {
            "version": self._settings.version,
            "protocol": "http",
            "gRPC_port": str(grpc_port),  # exactly this key: apisix/discovery/nacos reads it for grpc upstreams
            "zone": self._settings.zone,
            "replica": self._settings.replica_id,
        }
        param = nacos.RegisterInstanceParam(**self._registration, metadata=metadata)
        while not self.registered:
            try:
                self.registered = bool(await self._naming.register_instance(param))
            except nacos.NacosException as error:
                self._log.warning("registration failed, trying again", reason=masked(str(error)))
                await asyncio.sleep(RETRY_SECONDS)

    async def deregister(self) -> None:
        """Leave the service's list; a Nacos that doesn't answer in time is not waited for."""
        if not self.registered:
            return
        self.registered = False
        try:
            param = nacos.DeregisterInstanceParam(**self._registration)
            await asyncio.wait_for(self._naming.deregister_instance(param), GOODBYE_SECONDS)
        except (TimeoutError, nacos.NacosException) as error:
            self._log.warning("deregistration failed", reason=masked(str(error)) or type(error).__name__)

    async def close(self) -> None:
        """Close both connections and remove the SDK's files."""
        with contextlib.suppress(TimeoutError, nacos.NacosException):
            await asyncio.wait_for(self._shut_down(), GOODBYE_SECONDS)
        shutil.rmtree(self._home, ignore_errors=True)

    async def _shut_down(self) -> None:
        if self._naming is not None:
            await self._naming.shutdown()
        if self._config is not None:
            # shutdown() waits for this task, which wakes every 5 s only; cancelled, it ends at once
            self._config.grpc_client_proxy.listen_task.cancel()
            await self._config.shutdown()

    def _client_config(self) -> Any:
        settings = self._settings
        builder = (
            nacos.ClientConfigBuilder()
            .server_address(settings.nacos_addr)
            .namespace_id(settings.nacos_namespace)
            .log_level(logging.WARNING)
            .log_dir(str(self._home / "logs"))
            .cache_dir(str(self._home / "cache"))
            .load_cache_at_start(False)
        )
        if settings.nacos_username:
            builder.username(settings.nacos_username).password(settings.nacos_password)
        if settings.nacos_grpc_port:
            builder.grpc_config(nacos.GRPCConfig(port_offset=settings.nacos_grpc_port - _port(settings.nacos_addr)))
        config = builder.build()
        config.set_update_cache_when_empty(True)
        return config


class _RedoAtOnce:
    """A connection listener, called after the redo service's own one: a new connection prompts the redo."""

    def __init__(self, redo: Any) -> None:
        self._redo = redo

    async def on_connected(self) -> None:
        await self._redo.start_redo_task()

    async def on_disconnect(self) -> None:
        pass


def _port(address: str) -> int:
    return int(address.split(",")[0].rpartition(":")[2])


def advertised_ip(settings: Settings) -> str:
    """The IP to register: the one told, else the one bound to, else the one that reaches Nacos."""
    if settings.advertise_ip:
        return settings.advertise_ip
    if settings.bind_host not in ("0.0.0.0", "::"):
        return socket.gethostbyname(settings.bind_host)
    host = settings.nacos_addr.split(",")[0].rpartition(":")[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # no packet is sent: this only asks the routing table
        return str(probe.getsockname()[0])
