"""DNS servers of one's own: A, CNAME and SRV records over UDP, their TTLs, and requests that go where they say."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
import yaml

from harness.clock import ManualClock
from harness.emulators.apisix.balance.node import Node
from harness.emulators.apisix.discovery.dns import make_resolver
from harness.emulators.apisix.discovery.dns_client import DnsClient, DnsError, Record
from harness.emulators.apisix.discovery.dns_discovery import DnsDiscovery
from harness.emulators.apisix.server import ApisixServer
from harness.wait import until


class Zone:
    """A DNS server on a free UDP port; `records` as (type, data) by name, all with one TTL."""

    def __init__(self) -> None:
        self.records: dict[str, list[tuple[str, str]]] = {}
        self.ttl = 60
        self.asked: list[tuple[str, str]] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            self.socket.sendto(self._answer(dns.message.from_wire(raw)).to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        name, kind = question.name.to_text().rstrip("."), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(query)
        held = self.records.get(name)
        while held and held[0][0] == "CNAME" and kind != "CNAME":
            answer.answer.append(dns.rrset.from_text(name + ".", self.ttl, "IN", "CNAME", held[0][1]))
            name = held[0][1].rstrip(".")
            held = self.records.get(name)
        if held is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        found = [data for type_, data in held or () if type_ == kind]
        if found:
            answer.answer.append(dns.rrset.from_text(name + ".", self.ttl, "IN", kind, *found))
        return answer

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def zone() -> Iterator[Zone]:
    made = Zone()
    yield made
    made.close()


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scenario(), 30)

    asyncio.run(bounded())


def test_records_of_all_kinds(zone: Zone) -> None:
    zone.records = {
        "a.test": [("A", "10.0.0.1"), ("A", "10.0.0.2")],
        "six.test": [("AAAA", "fd00::1")],
        "alias.test": [("CNAME", "a.test.")],
        "_svc.test": [("SRV", "10 20 8080 a.test."), ("SRV", "5 0 0 one.test.")],
        "one.test": [("A", "10.0.0.9")],
        "broken.test": [("SRV", "1 1 80 nowhere.test.")],
    }

    async def scenario() -> None:
        client = DnsClient([zone.place])
        assert sorted(record.address for record in await client.records("a.test")) == ["10.0.0.1", "10.0.0.2"]
        assert await client.records("six.test") == (Record("fd00::1"),)
        assert len(await client.records("alias.test")) == 2
        # a target's weight is shared among its addresses, in whole numbers; a weight of 0 counts as 1
        assert set(await client.records("_svc.test")) == {
            Record("10.0.0.1", 8080, 20, 10),
            Record("10.0.0.2", 8080, 20, 10),
            Record("10.0.0.9", 0, 2, 5),
        }
        for name in ("none.test", "broken.test"):
            with pytest.raises(DnsError, match="failed to query the DNS server"):
                await client.records(name)

    play(scenario)


def test_the_order_of_types_and_the_last_one_that_had_an_answer(zone: Zone) -> None:
    zone.records = {"a.test": [("A", "10.0.0.1")]}

    async def scenario() -> None:
        client = DnsClient([zone.place])
        await client.records("a.test")
        await client.records("a.test")
        assert [kind for _, kind in zone.asked] == ["SRV", "A", "A"]
        zone.asked.clear()
        await DnsClient([zone.place], order=("A",)).records("a.test")
        assert [kind for _, kind in zone.asked] == ["A"]

    play(scenario)


def test_nodes_are_kept_for_their_ttl_and_serve_while_new_ones_are_asked_for(zone: Zone) -> None:
    zone.records, zone.ttl = {"a.test": [("A", "10.0.0.1")]}, 10
    clock = ManualClock()

    async def scenario() -> None:
        discovery = DnsDiscovery({"servers": [zone.place]}, clock)
        assert discovery.known("a.test:81") is None
        assert await discovery.nodes("a.test:81") == (Node("10.0.0.1", 81),)
        zone.records["a.test"] = [("A", "10.0.0.2")]
        clock.advance(9)
        assert discovery.known("a.test", None, "https") == (Node("10.0.0.1", 443),)
        clock.advance(2)
        assert discovery.known("a.test:81") == (Node("10.0.0.1", 81),)  # stale, and asked for again
        await asyncio.gather(*discovery._asking.values())
        assert discovery.known("a.test:81") == (Node("10.0.0.2", 81),)
        del zone.records["a.test"]
        clock.advance(30)
        assert discovery.known("a.test:81") is None
        assert await discovery.nodes("a.test:81") is None
        await discovery.stop()

    play(scenario)


@pytest.mark.parametrize(("valid", "after"), [(None, 21), (3.0, 4)])
def test_names_of_nodes_may_be_resolved_by_servers_of_ones_own(zone: Zone, valid: float | None, after: float) -> None:
    zone.records, zone.ttl = {"n.test": [("A", "10.0.0.1")]}, 20
    clock = ManualClock()

    async def scenario() -> None:
        resolver = make_resolver([zone.place], valid, clock, Random(1))
        assert await resolver.address("n.test") == "10.0.0.1"
        zone.records["n.test"] = [("A", "10.0.0.2")]
        clock.advance(2)
        assert await resolver.address("n.test") == "10.0.0.1"
        clock.advance(after)
        assert await resolver.address("n.test") == "10.0.0.2"
        with pytest.raises(OSError, match="failed to query the DNS server"):
            await resolver.address("none.test")

    play(scenario)


class Named(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = str(self.server.server_port).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def servers() -> Iterator[list[int]]:
    made = [ThreadingHTTPServer(("127.0.0.1", 0), Named) for _ in range(2)]
    for server in made:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield [server.server_port for server in made]
    for server in made:
        server.shutdown()
        server.server_close()


def ask(url: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_requests_follow_srv_records(zone: Zone, servers: list[int], tmp_path: Path) -> None:
    first, second = servers
    zone.ttl = 0
    zone.records = {
        "_web.test": [("SRV", f"1 1 {first} here.test."), ("SRV", f"2 1 {second} here.test.")],
        "here.test": [("A", "127.0.0.1")],
    }
    config = tmp_path / "config.yaml"
    servers_of_dns = {"servers": [zone.place]}
    config.write_text(yaml.safe_dump({"discovery": {"dns": servers_of_dns}, "apisix": {"dns_resolver": [zone.place]}}))
    with ApisixServer(config=config) as gateway:
        key = {"X-API-KEY": gateway.admin_key}
        upstream = {"type": "roundrobin", "discovery_type": "dns", "service_name": "_web.test"}
        named = {"type": "roundrobin", "nodes": {f"here.test:{second}": 1}}
        for id_, conf in (("srv", upstream), ("named", named)):
            route = {"uri": f"/{id_}", "upstream": conf}
            assert ask(gateway.admin_url, "PUT", f"/apisix/admin/routes/{id_}", route, **key)[0] == 201
        # the lower priority comes first, and the other only when that fails
        assert {ask(gateway.http_url, "GET", "/srv") for _ in range(4)} == {(200, str(first))}
        assert ask(gateway.http_url, "GET", "/named") == (200, str(second))
        zone.records["_web.test"] = [("SRV", f"1 1 {second} here.test.")]
        until(lambda: ask(gateway.http_url, "GET", "/srv") == (200, str(second)), 10, awaited="the new record")
        assert ask(gateway.control_url, "GET", "/v1/discovery/dns/dump")[0] == 404
        none = {"uri": "/none", "upstream": {**upstream, "service_name": "none.test"}}
        ask(gateway.admin_url, "PUT", "/apisix/admin/routes/none", none, **key)
        assert ask(gateway.http_url, "GET", "/none")[0] == 503
