"""The Admin API beyond the recordings: roles, time to live, other writers, a lost etcd, what etcd holds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.clock import ManualClock
from harness.emulators.apisix import lua_json
from harness.emulators.apisix.admin import Admin
from harness.emulators.apisix.etcd import Etcd
from harness.emulators.apisix.exchange import Request, Response
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.resources.prepare import make_prepare
from harness.emulators.apisix.settings import AdminKey, Settings
from harness.emulators.apisix.store import Store
from harness.etcd_process import EtcdProcess

SSL = Path(__file__).parents[2] / "golden" / "apisix" / "admin-ssls" / "life.json"
UPSTREAM = {"type": "roundrobin", "nodes": {"127.0.0.1:80": 1}}


@pytest.fixture(scope="module")
def etcd() -> Iterator[EtcdProcess]:
    with EtcdProcess() as process:
        yield process


class Desk:
    """An Admin API on an empty prefix."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.clock = ManualClock(1_700_000_000.5)
        self.admin = Admin(store, settings, self.clock)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        response = await self.raw(method, path, body, **headers)
        return response.status, json.loads(response.body) if response.body else None

    async def raw(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        path, _, query = path.partition("?")
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        pairs = Headers.of((name.replace("_", "-"), value) for name, value in headers.items())
        return await self.admin.answer(Request(method, path, f"/apisix/admin/{path}", query, pairs, raw))


@asynccontextmanager
async def desk(etcd: EtcdProcess, settings: Settings | None = None) -> AsyncIterator[Desk]:
    settings = settings or Settings()
    client = Etcd([etcd.url], timeout=5)
    await client.delete("/apisix/", prefix=True)
    store = Store(client, "/apisix", make_prepare(settings))
    await store.start()
    try:
        yield Desk(store, settings)
    finally:
        await store.stop()


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scenario(), 30)

    asyncio.run(bounded())


def test_a_viewer_may_only_read(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        keys = (AdminKey("admin", "a"), AdminKey("viewer", "v", "viewer"))
        async with desk(etcd, Settings(admin_keys=keys)) as api:
            assert (await api.ask("GET", "routes", X_API_KEY="v"))[0] == 200
            status, body = await api.ask("PUT", "services/1", {}, X_API_KEY="v")
            assert (status, body["description"]) == (401, "invalid method for role viewer")
            assert (await api.ask("PUT", "services/1", {}, X_API_KEY="a"))[0] == 201

    play(scenario)


def test_etcd_holds_what_a_real_gateway_would_write(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            await api.ask("PUT", "routes/1", {"uri": "/a", "upstream": UPSTREAM})
            pair = await api.store.read("/routes/1")
            assert pair is not None
            assert pair.key == "/apisix/routes/1"
            times = {"create_time": 1_700_000_000, "update_time": 1_700_000_000}
            assert json.loads(pair.value or b"") == {"uri": "/a", "upstream": UPSTREAM, "id": "1", **times}

    play(scenario)


def test_the_data_plane_sees_defaults_and_plain_secrets_at_once(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            await api.ask("PUT", "routes/1", {"uri": "/a", "plugins": {"key-auth": {}}, "upstream": UPSTREAM})
            route = api.store.get("routes")["1"].value
            assert route["plugins"]["key-auth"]["header"] == "apikey"
            assert route["upstream"]["pass_host"] == "pass"
            await api.ask("PUT", "consumers", {"username": "jack", "plugins": {"key-auth": {"key": "secret"}}})
            assert api.store.get("consumers")["jack"].value["plugins"]["key-auth"] == {"key": "secret"}
            # what somebody else wrote encrypted is decrypted as well
            pair = await api.store.read("/consumers/jack")
            assert pair is not None
            assert b"secret" not in (pair.value or b"")
            value = lua_json.decode(pair.value or b"")
            _, revision = await api.store.etcd.put(
                "/apisix/consumers/jill", lua_json.encode({**value, "username": "jill"})
            )
            await api.store.reached(revision)
            assert api.store.get("consumers")["jill"].value["plugins"]["key-auth"] == {"key": "secret"}

    play(scenario)


def test_create_time_is_kept_even_when_somebody_else_wrote_meanwhile(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            other = Etcd([etcd.url])
            await other.put("/apisix/services/1", b'{"id":"1","create_time":5,"update_time":5}')
            status, body = await api.ask("PUT", "services/1", {"name": "n"})
            assert (status, body["value"]["create_time"]) == (200, 5)
            assert body["value"]["update_time"] == 1_700_000_000
            other.close()

    play(scenario)


def test_a_reference_that_somebody_else_just_made_counts(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            other = Etcd([etcd.url])
            await other.put("/apisix/upstreams/u", json.dumps({**UPSTREAM, "id": "u"}).encode())
            assert (await api.ask("PUT", "routes/1", {"uri": "/a", "upstream_id": "u"}))[0] == 201
            other.close()

    play(scenario)


def test_an_empty_array_is_an_empty_object(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            status, body = await api.ask("POST", "services", [])
            assert (status, set(body["value"])) == (201, {"id", "create_time", "update_time"})
            assert (await api.ask("POST", "configs/validate", {"services": [[]], "upstreams": []}))[0] == 200
            assert (await api.ask("POST", "configs/validate", {"routes": [[], "x", None]}))[0] == 400

    play(scenario)


def test_ttl_makes_a_resource_go_by_itself(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            assert (await api.ask("PUT", "services/1?ttl=1", {}))[0] == 201
            assert (await api.ask("PUT", "services/2?ttl=soon", {})) == (
                400,
                {"error_msg": "invalid argument ttl: should be a number"},
            )
            gone = asyncio.Event()
            api.store.subscribe(lambda changes: gone.set() if "1" not in api.store.get("services") else None)
            await gone.wait()
            assert (await api.ask("GET", "services/1"))[0] == 404

    play(scenario)


def test_without_etcd_writes_say_so_and_what_is_known_stays(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            await api.ask("PUT", "services/1", {})
            api.store.etcd._hosts = ["http://127.0.0.1:1"]  # nobody listens there
            api.store.etcd.close()
            refused = {"error_msg": "has no healthy etcd endpoint available"}
            assert await api.ask("PUT", "services/2", {}) == (503, refused)
            assert await api.ask("GET", "services/1") == (503, refused)
            assert list(api.store.get("services")) == ["1"]

    play(scenario)


def test_a_second_consumer_with_the_same_key_is_refused(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            auth = {"key-auth": {"key": "k"}}
            assert (await api.ask("PUT", "consumers", {"username": "a1", "plugins": auth}))[0] == 201
            assert (await api.ask("PUT", "consumers", {"username": "a1", "plugins": auth}))[0] == 200
            status, body = await api.ask("PUT", "consumers", {"username": "a2", "plugins": auth})
            assert (status, body["error_msg"]) == (400, "duplicate key of plugin key-auth found with consumer: a1")
            await api.ask("PUT", "consumers", {"username": "a2"})
            status, body = await api.ask("PUT", "consumers/a2/credentials/c", {"plugins": auth})
            assert (status, body["error_msg"]) == (400, "duplicate key of plugin key-auth found with consumer: a1")
            await api.ask("DELETE", "consumers/a1")
            assert (await api.ask("PUT", "consumers/a2/credentials/c", {"plugins": auth}))[0] == 201

    play(scenario)


def test_deleting_a_consumer_takes_its_credentials_along(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            await api.ask("PUT", "consumers", {"username": "jack"})
            await api.ask("PUT", "consumers/jack/credentials/c", {"plugins": {"key-auth": {"key": "k"}}})
            assert (await api.ask("DELETE", "consumers/jack"))[0] == 200
            assert api.store.get("consumers") == {}
            assert [pair.key for pair in await api.store.below("/consumers")] == ["/apisix/consumers/"]

    play(scenario)


def test_a_key_of_a_certificate_may_come_encrypted(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            sample = json.loads(SSL.read_text())["steps"][0]["request"]["body"]
            _, first = await api.ask("PUT", "ssls/1", sample.encode())
            again = {**json.loads(sample), "key": first["value"]["key"]}
            status, second = await api.ask("PUT", "ssls/2", again)
            assert (status, second["value"]["key"]) == (201, first["value"]["key"])
            assert api.store.get("ssls")["2"].value["key"] == json.loads(sample)["key"]
            status, body = await api.ask("PUT", "ssls/3", {**again, "key": "x" * 80})
            assert (status, body["error_msg"]) == (400, "failed to decrypt previous encrypted key")

    play(scenario)


def test_two_writers_at_once_leave_one_of_their_values(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            answers = await asyncio.gather(*(api.ask("PUT", "services/1", {"name": f"n{i}"}) for i in range(10)))
            assert sorted(status for status, _ in answers) == [200] * 9 + [201]
            stored = (await api.ask("GET", "services/1"))[1]["value"]["name"]
            assert api.store.get("services")["1"].value["name"] == stored

    play(scenario)


def test_config_yaml_says_who_may_come(etcd: EtcdProcess) -> None:
    def told(**admin: Any) -> Settings:
        return Settings(admin_keys=(AdminKey("admin", "a"),), config={"deployment": {"admin": admin}})

    async def scenario() -> None:
        async with desk(etcd, told(admin_key_required=False)) as api:
            assert (await api.ask("GET", "routes"))[0] == 200
        async with desk(etcd, told(allow_admin=["10.0.0.0/8"])) as api:
            assert (await api.raw("GET", "routes", X_API_KEY="a")).status == 403
        async with desk(etcd, told(allow_admin=["127.0.0.0/24"], enable_admin_cors=False)) as api:
            response = await api.raw("GET", "routes", X_API_KEY="a")
            assert response.status == 200
            assert not [name for name, _ in response.headers if name.startswith("Access-Control")]

    play(scenario)


def test_a_key_may_come_under_a_name_with_underscores(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd, Settings(admin_keys=(AdminKey("admin", "a"),))) as api:
            head = Headers.of([("x_api_key", "a")])
            request = Request("GET", "routes", "/apisix/admin/routes", "", head, b"")
            assert (await api.admin.answer(request)).status == 200

    play(scenario)


STREAMS = Settings(proxy_mode="http&stream", xrpc_protocols=("redis", "dubbo"))


def test_stream_routes_are_refused_unless_the_proxy_has_streams(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            refused = (400, {"error_msg": "stream mode is disabled, can not add stream routes"})
            assert await api.ask("PUT", "stream_routes/1", {"upstream": UPSTREAM}) == refused
        async with desk(etcd, STREAMS) as api:
            status, body = await api.ask("PUT", "stream_routes/1", {"upstream": UPSTREAM, "server_port": 9100})
            assert (status, body["key"]) == (201, "/apisix/stream_routes/1")
            assert api.store.get("stream_routes")["1"].value["server_port"] == 9100
            assert (await api.ask("GET", "stream_routes"))[1]["total"] == 1
            assert (await api.ask("PATCH", "stream_routes/1", {}))[0] == 405
            assert (await api.ask("DELETE", "stream_routes/1"))[1]["deleted"] == "1"

    play(scenario)


@pytest.mark.parametrize(
    ("route", "told"),
    [
        ({"plugins": {"mqttt-proxy": {}}}, "unknown plugin [mqttt-proxy]"),
        (
            {"plugins": {"mqtt-proxy": {}}},
            'failed to check the configuration of stream plugin [mqtt-proxy]: property "protocol_level" is required',
        ),
        (
            {"plugins": {"limit-conn": {"conn": 1, "burst": 0, "default_conn_delay": 1, "key": 1}}},
            "failed to check the configuration of stream plugin [limit-conn]: "
            'property "key" validation failed: wrong type: expected string, got number',
        ),
        ({"remote_addr": "x"}, None),
        ({"server_addr": "::1/200"}, "invalid server_addr: ::1/200"),
        ({"upstream_id": 7}, "failed to fetch upstream info by upstream id [7], response code: 404"),
        ({"service_id": 7}, "failed to fetch service info by service id [7], response code: 404"),
        ({"protocol": {"name": "kafka"}}, "unknown protocol [kafka]"),
        ({"protocol": {"name": "redis", "superior_id": "2"}}, "stream route can not set itself as superior_id"),
        ({"protocol": {"name": "redis", "superior_id": 9}}, "failed to fetch stream routes[9], response code: 404"),
        (
            {"protocol": {"name": "dubbo", "superior_id": 1}},
            "protocol mismatch: subordinate protocol [dubbo] does not match superior protocol [redis]",
        ),
        (
            {"protocol": {"name": "redis", "conf": {"faults": []}}},
            'property "faults" validation failed: expect array to have at least 1 items',
        ),
    ],
)
def test_what_a_stream_route_may_not_be(etcd: EtcdProcess, route: dict[str, Any], told: str | None) -> None:
    async def scenario() -> None:
        async with desk(etcd, STREAMS) as api:
            await api.ask("PUT", "stream_routes/1", {"protocol": {"name": "redis"}})
            status, body = await api.ask("PUT", "stream_routes/2", route)
            assert status == 400
            assert told is None or body["error_msg"] == told
            assert (await api.ask("GET", "stream_routes/2"))[0] == 404

    play(scenario)


def test_a_superior_stream_route_stays_while_it_has_subordinates(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd, STREAMS) as api:
            await api.ask("PUT", "stream_routes/1", {"protocol": {"name": "redis"}})
            await api.ask("PUT", "stream_routes/2", {"protocol": {"name": "redis", "superior_id": 1}})
            told = "can not delete this stream route directly, stream route [2] is still using it as superior_id"
            assert await api.ask("DELETE", "stream_routes/1") == (400, {"error_msg": told})
            assert (await api.ask("DELETE", "stream_routes/1?force=true"))[0] == 200

    play(scenario)


def test_plugins_of_streams_are_shown(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd) as api:
            names = ["ip-restriction", "limit-conn", "mqtt-proxy", "traffic-split", "syslog"]
            assert (await api.ask("GET", "plugins/list?subsystem=stream"))[1] == names
            everything = (await api.ask("GET", "plugins?all=true&subsystem=stream"))[1]
            assert sorted(everything) == sorted(names)
            assert everything["mqtt-proxy"]["priority"] == 1000
            assert (await api.ask("GET", "plugins/mqtt-proxy?subsystem=stream"))[1]["required"] == ["protocol_level"]
            assert (await api.ask("GET", "plugins/mqtt-proxy"))[0] == 404
            http = (await api.ask("GET", "plugins?all=true"))[1]
            assert {name for name, plugin in http.items() if plugin.get("scope") == "global"} >= {"batch-requests"}

    play(scenario)


def test_version_2_speaks_as_etcd_once_did(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with desk(etcd, Settings(admin_api_version="v2")) as api:
            response = await api.raw("PUT", "upstreams/1", UPSTREAM)
            assert ("X-API-VERSION", "v2") in response.headers
            assert json.loads(response.body or b"") == {
                "action": "set",
                "node": {"key": "/apisix/upstreams/1", "value": {**UPSTREAM, "id": "1", **TIMES}},
            }
            status, body = await api.ask("GET", "upstreams/1")
            assert (status, body["action"], body["node"]["value"]["id"]) == (200, "get", "1")
            assert set(body["node"]) == {"key", "value"}
            status, body = await api.ask("GET", "upstreams?page=1&page_size=10")
            node = body["node"]
            assert (body["action"], node["key"], node["dir"]) == ("get", "/apisix/upstreams", True)
            assert [item["key"] for item in node["nodes"]] == ["/apisix/upstreams/1"]
            assert {"createdIndex", "modifiedIndex"} <= set(node["nodes"][0])
            assert (await api.ask("GET", "routes"))[1]["node"]["nodes"] == []
            assert (await api.ask("PATCH", "upstreams/1", {"desc": "x"}))[1]["action"] == "compareAndSwap"
            assert (await api.ask("POST", "upstreams", UPSTREAM))[1]["action"] == "create"
            gone = {"action": "delete", "deleted": "1", "key": "/apisix/upstreams/1", "node": {}}
            assert await api.ask("DELETE", "upstreams/1") == (200, gone)
            assert await api.ask("GET", "upstreams/1") == (404, {"message": "Key not found"})

    play(scenario)


TIMES = {"create_time": 1_700_000_000, "update_time": 1_700_000_000}
