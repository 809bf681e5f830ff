"""A declarative tool's round, by the documented calls of ADC: find the version, dump, validate, sync, dump again."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from harness.emulators.apisix.admin import Admin
from harness.emulators.apisix.etcd import Etcd
from harness.emulators.apisix.exchange import Request
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.resources.prepare import make_prepare
from harness.emulators.apisix.settings import AdminKey, Settings
from harness.emulators.apisix.store import Store
from harness.etcd_process import EtcdProcess

SETTINGS = Settings(admin_keys=(AdminKey("admin", "k"),))
NODES = [{"host": "127.0.0.1", "port": 80, "weight": 1}]
#: in an order in which all references are there already
KINDS = ("upstreams", "services", "plugin_configs", "consumer_groups", "routes", "global_rules", "plugin_metadata")
CONFIGURATION: dict[str, list[dict[str, Any]]] = {
    "upstreams": [{"id": "u1", "name": "up", "type": "roundrobin", "nodes": NODES}],
    "services": [{"id": "s1", "name": "svc", "upstream_id": "u1", "labels": {"team": "a"}}],
    "plugin_configs": [{"id": "p1", "plugins": {"cors": {}}}],
    "consumer_groups": [{"id": "g1", "plugins": {"cors": {}}}],
    "routes": [
        {"id": "r1", "name": "one", "uris": ["/a"], "service_id": "s1", "plugin_config_id": "p1"},
        {"id": "r2", "name": "two", "uris": ["/b"], "service_id": "s1", "plugins": {"key-auth": {}}},
    ],
    "global_rules": [{"id": "cors", "plugins": {"cors": {"max_age": 9}}}],
    "plugin_metadata": [{"id": "http-logger", "log_format": {"host": "$host"}}],
}


class Tool:
    """What the tool does with one gateway."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any, dict[str, str]]:
        raw = b"" if body is None else json.dumps(body).encode()
        headers = Headers.of([("X-API-KEY", "k"), ("Content-Type", "application/json")])
        path, _, query = path.partition("?")
        response = await self._admin.answer(Request(method, path, f"/apisix/admin/{path}", query, headers, raw))
        return response.status, json.loads(response.body or b"null"), dict(response.headers)

    async def dump(self) -> dict[str, list[dict[str, Any]]]:
        """All pages of all kinds, without what the gateway added."""
        found: dict[str, list[dict[str, Any]]] = {}
        for kind in KINDS:
            items: list[Any] = []
            for page in range(1, 100):
                _, body, headers = await self.call("GET", f"{kind}?page={page}&page_size=10")
                assert headers["X-API-VERSION"] == "v3"
                items += body["list"]
                if len(items) == body["total"]:
                    break
            added = ("create_time", "update_time")
            found[kind] = [{n: v for n, v in item["value"].items() if n not in added} for item in items]
        return found

    async def sync(self, wanted: dict[str, list[dict[str, Any]]]) -> None:
        """Check, then write what is wanted and delete what is not, users before what they use."""
        _, listed, _ = await self.call("GET", "plugins/list")
        assert "key-auth" in listed
        assert (await self.call("POST", "configs/validate", wanted))[0] == 200
        present = await self.dump()
        for kind in KINDS:
            for item in wanted[kind]:
                body = {name: value for name, value in item.items() if kind != "plugin_metadata" or name != "id"}
                assert (await self.call("PUT", f"{kind}/{item['id']}", body))[0] in (200, 201)
        for kind in reversed(KINDS):
            ids = {item["id"] for item in wanted[kind]}
            for item in present[kind]:
                if item["id"] not in ids:
                    assert (await self.call("DELETE", f"{kind}/{item['id']}"))[0] == 200


def test_what_was_synced_is_what_is_dumped() -> None:
    async def scenario(etcd: EtcdProcess) -> None:
        store = Store(Etcd([etcd.url], timeout=5), "/apisix", make_prepare(SETTINGS))
        await store.start()
        tool = Tool(Admin(store, SETTINGS, _Clock()))
        await tool.sync(CONFIGURATION)
        assert await tool.dump() == CONFIGURATION
        many = [{"id": f"r{i:02}", "name": f"n{i}", "uris": [f"/{i}"], "service_id": "s1"} for i in range(25)]
        await tool.sync({**CONFIGURATION, "routes": many, "consumer_groups": []})
        assert await tool.dump() == {**CONFIGURATION, "routes": many, "consumer_groups": []}
        await tool.sync({kind: [] for kind in KINDS})
        assert await tool.dump() == {kind: [] for kind in KINDS}
        await store.stop()

    with EtcdProcess() as etcd:
        asyncio.run(asyncio.wait_for(scenario(etcd), 30))


class _Clock:
    def time(self) -> float:
        return 1_700_000_000.0

    def monotonic(self) -> float:
        return 0.0
