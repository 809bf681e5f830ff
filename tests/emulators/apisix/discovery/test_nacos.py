"""Discovery through Nacos against a small server that answers as Nacos' HTTP API does."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from harness.emulators.apisix.discovery.nacos import NacosDiscovery
from harness.wait import until


class FakeNacos:
    """Answers lists of instances and logins, and remembers what it was asked."""

    def __init__(self) -> None:
        self.instances: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.connections = 0
        self.status = 200
        self.token = ""

    async def __aenter__(self) -> FakeNacos:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                target = urlsplit(head.split(" ")[1])
                status, body = self._answer(target.path, dict(parse_qsl(target.query)))
                data = json.dumps(body).encode()
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(data)) + data)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    def _answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        self.asked.append((path, query))
        if path.endswith("auth/login"):
            return 200, {"accessToken": self.token, "tokenTtl": 18000}
        if self.token and query.get("accessToken") != self.token:
            return 403, {"message": "denied"}
        return self.status, {"hosts": self.instances.get(query["serviceName"], [])}


def instance(port: int, **more: Any) -> dict[str, Any]:
    return {"ip": "127.0.0.1", "port": port, "weight": 1.0, **more}


def play(test: Callable[[FakeNacos], Awaitable[None]]) -> None:
    async def run() -> None:
        async with FakeNacos() as nacos, asyncio.timeout(20):
            await test(nacos)

    asyncio.run(run())


async def seen(check: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, check, 10, awaited="the nodes")


def ports(discovery: NacosDiscovery, *args: Any) -> list[int] | None:
    nodes = discovery.known(*args)
    return None if nodes is None else [node.port for node in nodes]


async def started(nacos: FakeNacos, user: str = "", **options: Any) -> NacosDiscovery:
    discovery = NacosDiscovery({"host": [f"http://{user}127.0.0.1:{nacos.port}"]}, **options)
    await discovery.start()
    return discovery


def test_a_change_is_seen_by_polling_on_one_connection_when_nothing_is_pushed() -> None:
    async def test(nacos: FakeNacos) -> None:
        nacos.instances["s"] = [instance(1)]
        discovery = await started(nacos, interval=0.01)
        discovery.watch("s")
        await seen(lambda: ports(discovery, "s") == [1])
        nacos.instances["s"] = [instance(1), instance(3)]
        await seen(lambda: ports(discovery, "s") == [1, 3])
        await discovery.stop()
        assert nacos.connections == 1

    play(test)


def test_the_last_good_list_stays_while_nacos_fails_or_is_gone() -> None:
    async def test(nacos: FakeNacos) -> None:
        nacos.instances["s"] = [instance(1)]
        discovery = await started(nacos, interval=0.01)
        discovery.watch("s")
        await seen(lambda: ports(discovery, "s") == [1])
        nacos.status = 503
        await seen(lambda: "status = 503" in discovery.problem)
        assert ports(discovery, "s") == [1]
        nacos.status = 200
        nacos.instances["s"] = []
        await seen(lambda: ports(discovery, "s") == [])
        await discovery.stop()

    play(test)


def test_group_namespace_metadata_and_grpc_port() -> None:
    async def test(nacos: FakeNacos) -> None:
        nacos.instances["s"] = [
            instance(1, metadata={"zone": "a", "gRPC_port": "9001"}),
            instance(2, metadata={"zone": "b", "gRPC_port": "9002"}),
        ]
        args = {"namespace_id": "dev", "group_name": "BI", "metadata": {"zone": "b"}}
        discovery = await started(nacos)
        discovery.watch("s", args)
        discovery.watch("s", args, "grpc")
        await seen(lambda: ports(discovery, "s", args, "grpc") == [9002])
        assert ports(discovery, "s", args) == [2]
        assert {(query["namespaceId"], query["groupName"]) for _, query in nacos.asked} == {("dev", "BI")}
        assert discovery.dump()["services"]["default/dev/BI/s"]["nodes"]
        await discovery.stop()

    play(test)


def test_the_user_in_the_url_logs_in_once_and_again_when_the_token_is_refused() -> None:
    async def test(nacos: FakeNacos) -> None:
        nacos.token = "one"
        nacos.instances["s"] = [instance(1)]
        discovery = await started(nacos, user="nacos:pass@", interval=0.01)
        discovery.watch("s")
        await seen(lambda: ports(discovery, "s") == [1])
        nacos.token = "two"
        nacos.instances["s"] = [instance(4)]
        await seen(lambda: ports(discovery, "s") == [4])
        logins = [query for path, query in nacos.asked if path == "/nacos/v1/auth/login"]
        assert logins == [{"username": "nacos", "password": "pass"}] * 2
        await discovery.stop()

    play(test)


def test_as_slow_as_the_real_one_when_asked_to() -> None:
    async def test(nacos: FakeNacos) -> None:
        discovery = await started(nacos, watch=False)
        discovery.watch("late")
        assert await discovery.nodes("late") is None
        await discovery.stop()
        assert nacos.asked == []

    play(test)


def test_the_second_host_serves_when_the_first_is_down() -> None:
    async def test(nacos: FakeNacos) -> None:
        nacos.instances["s"] = [instance(1)]
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            dead = closed.getsockname()[1]
        hosts = [f"http://127.0.0.1:{dead}", f"http://127.0.0.1:{nacos.port}"]
        discovery = NacosDiscovery({"host": hosts}, interval=0.01)
        await discovery.start()
        discovery.watch("s")
        await seen(lambda: ports(discovery, "s") == [1])
        await discovery.stop()

    play(test)


def test_without_a_host_it_refuses() -> None:
    with pytest.raises(ValueError, match="names no server"):
        NacosDiscovery({"host": []})
