"""Pushes over gRPC, against the embedded Nacos."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from harness.emulators.apisix.discovery.grpc_wire import GrpcConnection
from harness.emulators.apisix.discovery.nacos import NacosDiscovery, Service
from harness.emulators.apisix.discovery.nacos_payload import decode, encode
from harness.emulators.nacos import NacosServer
from harness.wait import until

#: polls so rare that only a push can bring a change in time
NEVER = 3600.0


@pytest.fixture(scope="module")
def nacos() -> Iterator[NacosServer]:
    with NacosServer(auth="nacos:secret") as server:
        yield server


def change(nacos: NacosServer, port: int, verb: str = "POST", **more: Any) -> None:
    """Register (POST) or deregister (DELETE) an instance of "pushed"."""
    base = f"http://127.0.0.1:{nacos.port}/nacos/v1"
    login = httpx.post(f"{base}/auth/login", params={"username": "nacos", "password": "secret"}).json()
    given = {"serviceName": "pushed", "ip": "127.0.0.1", "port": port, "accessToken": login["accessToken"], **more}
    httpx.request(verb, f"{base}/ns/instance", params=given).raise_for_status()


def play(nacos: NacosServer, test: Callable[[NacosDiscovery], Awaitable[None]]) -> None:
    async def run() -> None:
        host = f"http://nacos:secret@127.0.0.1:{nacos.port}"
        discovery = NacosDiscovery({"host": [host]}, interval=NEVER)
        await discovery.start()
        try:
            await test(discovery)
        finally:
            await discovery.stop()

    asyncio.run(run())


async def seen(check: Callable[[], object]) -> None:
    await asyncio.to_thread(until, check, 10, awaited="what was pushed")


def test_a_change_is_pushed_and_one_service_left_is_no_other_one_lost(nacos: NacosServer) -> None:
    async def test(discovery: NacosDiscovery) -> None:
        def ports() -> list[int]:
            return [node.port for node in discovery.known("pushed") or ()]

        other = discovery.watch("other")
        discovery.watch("pushed")
        await seen(lambda: discovery.connected)
        await asyncio.to_thread(change, nacos, 7001)
        await seen(lambda: ports() == [7001])
        discovery.unwatch(other)
        await asyncio.to_thread(change, nacos, 7002)
        await seen(lambda: ports() == [7001, 7002])
        for port in (7001, 7002):
            await asyncio.to_thread(change, nacos, port, "DELETE")
        await seen(lambda: ports() == [])

    play(nacos, test)


def test_a_service_of_another_group_is_pushed_as_well(nacos: NacosServer) -> None:
    async def test(discovery: NacosDiscovery) -> None:
        args = {"group_name": "BI"}
        assert discovery.watch("pushed", args) == Service("pushed", group="BI")
        await seen(lambda: discovery.connected)
        await asyncio.to_thread(change, nacos, 7003, groupName="BI")
        await seen(lambda: discovery.known("pushed", args))

    play(nacos, test)


def test_a_server_that_comes_back_is_subscribed_to_again() -> None:
    async def test(discovery: NacosDiscovery) -> None:
        discovery.watch("pushed")
        await seen(lambda: discovery.connected)
        await asyncio.to_thread(first.stop)
        await seen(lambda: not discovery.connected)
        with NacosServer(port=first.port, auth="nacos:secret") as second:
            await seen(lambda: discovery.connected)
            await asyncio.to_thread(change, second, 7004)
            await seen(lambda: discovery.known("pushed"))

    with NacosServer(auth="nacos:secret") as first:
        play(first, test)


def test_a_call_that_is_no_method_fails(nacos: NacosServer) -> None:
    async def run() -> None:
        connection = await GrpcConnection.connect("127.0.0.1", nacos.grpc_port, 5)
        with pytest.raises(ConnectionError, match="ended without an answer"):
            await connection.call("/Nobody/knows", b"", 5)
        checked = await connection.call("/Request/request", encode("ServerCheckRequest", {}, {"x": "y" * 200}), 5)
        assert decode(checked)[1]["resultCode"] == 200
        connection.close()

    asyncio.run(run())


def test_payloads_are_read_back_and_rubbish_is_told() -> None:
    assert decode(encode("Kind", {"a": 1}, {"t": "v" * 300})) == ("Kind", {"a": 1, "headers": {"t": "v" * 300}})
    with pytest.raises(ValueError, match="broke off"):
        decode(b"\x12\x80")
