"""The Admin API under arbitrary bodies: an answer always, never an error page, never half of a resource."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.admin import make_admin
from harness.emulators.apisix.etcd import Etcd
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.registry import BY_NAME
from harness.emulators.apisix.resources.prepare import make_prepare
from harness.emulators.apisix.resources.registry import BY_DIRECTORY
from harness.emulators.apisix.settings import Settings
from harness.emulators.apisix.store import Store
from harness.etcd_process import EtcdProcess

#: HARNESS_FUZZ=10000 tries as many bodies as a release should see
EXAMPLES = int(os.environ.get("HARNESS_FUZZ", "200"))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["/a", "127.0.0.1:80", "GET", "roundrobin", "chash", "rewrite", "$env://X", "1", "a.test"])
)
KNOWN = {name for kind in BY_DIRECTORY.values() for name in (kind.schema or {}).get("properties", {})}
DEEPER = {"127.0.0.1:80", "host", "port", "weight", "active", "passive", "client_cert", "filter", "_meta", "rules"}
MEMBERS = sorted(KNOWN | DEEPER | set(BY_NAME))
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "uri": st.just("/a") | VALUES,
        "upstream": st.just({"type": "roundrobin", "nodes": {"127.0.0.1:80": 1}}) | VALUES,
        "nodes": st.just([{"host": "h", "port": 1, "weight": 1}]) | VALUES,
        "plugins": st.dictionaries(st.sampled_from(sorted(BY_NAME)), VALUES, max_size=2) | VALUES,
        "username": st.just("jack") | VALUES,
        "vars": VALUES,
        "hosts": VALUES,
        "id": VALUES,
        "content": VALUES,
        "labels": VALUES,
    },
)
WHOLE = st.dictionaries(
    st.sampled_from(sorted(BY_DIRECTORY)), st.lists(LIKELY | VALUES, max_size=2) | VALUES, max_size=2
)
BODIES = LIKELY | VALUES | WHOLE | st.sampled_from([{}, []]) | st.binary(max_size=30)
METHODS = st.sampled_from(["PUT", "POST", "PATCH"])
PATHS = st.sampled_from(
    [f"{name}{rest}" for name in BY_DIRECTORY for rest in ("", "/1", "/1/plugins", "/1/upstream/nodes")]
    + ["consumers/jack/credentials/c", "secrets/vault/1", "secrets/gcp/1", "services/1/graphql_cost_decorations/d"]
    + ["schema/validate/routes", *["configs/validate"] * 6, "plugin_metadata/key-auth", "plugin_metadata/http-logger"]
)
#: bodies at which the real gateway's Lua stumbles are 500 there and here: scalars where an object is needed, and paths
#: without the name that they need
EXPECTED_STUMBLES = ("secrets", "secrets/1", "credentials", "schema/validate/routes")


class Bench:
    """A loop, an etcd, a store and an Admin API for many examples."""

    def __init__(self, etcd: EtcdProcess) -> None:
        self.loop = asyncio.new_event_loop()
        self.store = Store(Etcd([etcd.url], timeout=5), "/apisix", make_prepare(Settings()))
        self.loop.run_until_complete(self.store.start())
        self.app: App = make_admin(self.store, Settings())

    def ask(self, method: str, path: str, body: bytes) -> Response:
        request = Request(method, path, f"/apisix/admin/{path}", "", Headers(), body)
        answer = self.app(request)
        return answer if isinstance(answer, Response) else self.loop.run_until_complete(answer)

    def stored(self, path: str) -> Any:
        response = self.ask("GET", path, b"")
        return lua_json.decode(response.body or b"null") if response.status == 200 else None

    def close(self) -> None:
        self.loop.run_until_complete(self.store.stop())
        self.loop.close()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with EtcdProcess() as etcd:
        bench = Bench(etcd)
        yield bench
        bench.close()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(method=METHODS, path=PATHS, body=BODIES)
def test_every_body_gets_a_reasoned_answer(bench: Bench, method: str, path: str, body: Any) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    before = bench.stored(path)
    response = bench.ask(method, path, raw)
    if response.status == 500:
        assert path.startswith(EXPECTED_STUMBLES) or not isinstance(_decoded(raw), (dict, list))
    elif response.status >= 400:
        assert {"error_msg", "message"} & set(lua_json.decode(response.body or b"{}"))
    if response.status >= 300:
        assert bench.stored(path) == before
    elif method != "POST" and path in ("routes/1", "upstreams/1", "services/1"):
        stored = bench.stored(path)
        assert stored["value"] == lua_json.decode(response.body or b"")["value"]
        assert bench.store.get(path.split("/")[0])["1"].modified_index == stored["modifiedIndex"]


def _decoded(raw: bytes) -> Any:
    try:
        return lua_json.decode(raw)
    except ValueError:
        return {}
