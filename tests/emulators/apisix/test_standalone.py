"""The standalone modes: a file followed as it changes, a configuration given whole; the same as through etcd."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.admin import Admin
from harness.emulators.apisix.config_yaml import load
from harness.emulators.apisix.etcd import Etcd
from harness.emulators.apisix.exchange import Request, Response
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.resources.prepare import make_prepare
from harness.emulators.apisix.settings import AdminKey, Settings
from harness.emulators.apisix.standalone import StandaloneTable, with_environment
from harness.emulators.apisix.standalone_admin import StandaloneAdmin
from harness.emulators.apisix.store import Store
from harness.errors import SpecError
from harness.etcd_process import EtcdProcess

UPSTREAM = {"type": "roundrobin", "nodes": {"127.0.0.1:80": 1}}
SETTINGS = Settings(standalone="api", encrypt_fields=False)


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scenario(), 30)

    asyncio.run(bounded())


def written(path: Path, text: str) -> Path:
    """Replaced at once, as a careful editor does it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(path)
    return path


def test_a_file_is_read_and_followed(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = written(tmp_path / "apisix.yaml", "routes:\n  - {id: 1, uri: /a, plugins: {}}\n#END\n")
        table = StandaloneTable(make_prepare(SETTINGS), path)
        await table.start()
        assert table.get("routes")["1"].value["uri"] == "/a"
        written(path, "routes:\n  - {id: 1, uri: /unfinished, plugins: {}}\n")  # no #END: still being written
        written(path, "routes:\n  - {id: 1, uri: /b, plugins: {}}\n  - {uri: 5}\n  - {uri: /c, plugins: {}}\n#END\n")
        await table.reached(2)
        assert {id_: entry.value["uri"] for id_, entry in table.get("routes").items()} == {"1": "/b", "arr_3": "/c"}
        await table.stop()

    play(scenario)


def test_variables_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "WORD", "there")
    assert with_environment("a: ${{WORD}} ${{NONE:=default}} ${{ NONE := x }}") == "a: there default  x"
    with pytest.raises(ValueError, match="can't find environment variable NONE"):
        with_environment("${{NONE}}")


@pytest.mark.parametrize(
    ("deployment", "standalone", "name"),
    [
        ("role: data_plane\n  role_data_plane: {config_provider: yaml}", "file", "apisix.yaml"),
        ("role: data_plane\n  role_data_plane: {config_provider: json}", "file", "apisix.json"),
        ("role: traditional\n  role_traditional: {config_provider: yaml}", "api", None),
        ("role: traditional", "", None),
    ],
)
def test_config_yaml_chooses_the_mode(tmp_path: Path, deployment: str, standalone: str, name: str | None) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"deployment:\n  {deployment}\n")
    found = load(path)
    assert (found.standalone, found.standalone_file) == (standalone, name and tmp_path / name)


def test_another_provider_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("deployment:\n  role: data_plane\n  role_data_plane: {config_provider: xds}\n")
    with pytest.raises(SpecError, match="'xds' is not emulated"):
        load(path)


class Given:
    """A standalone Admin API."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.table = StandaloneTable(make_prepare(settings))
        self.admin = StandaloneAdmin(self.table, settings, ManualTime())

    async def ask(self, method: str, body: Any = None, path: str = "configs", **headers: str) -> Response:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        pairs = Headers.of((name.replace("_", "-"), value) for name, value in headers.items())
        return await self.admin.answer(Request(method, path, f"/apisix/admin/{path}", "", pairs, raw))


class ManualTime:
    def time(self) -> float:
        return 1_700_000_000.9

    def monotonic(self) -> float:
        return 0.0


def message(response: Response) -> str:
    return str(json.loads(response.body or b"{}").get("error_msg"))


def test_a_configuration_given_whole() -> None:
    async def scenario() -> None:
        api = Given()
        empty = lua_json.decode((await api.ask("GET")).body or b"")
        assert empty["routes_conf_version"] == 0
        assert message(await api.ask("PUT", {})) == "missing digest header"
        assert message(await api.ask("PUT", X_Digest="1")) == "invalid request body: empty request body"
        whole = {"routes": [{"id": "r", "uri": "/a", "upstream": UPSTREAM, "modifiedIndex": 7}]}
        accepted = await api.ask("PUT", whole, X_Digest="1")
        assert accepted.status == 202
        assert ("X-Digest", "1") in accepted.headers
        assert ("X-Last-Modified", "1700000000") in accepted.headers
        assert api.table.get("routes")["r"].modified_index == 7
        assert (await api.ask("PUT", whole, X_Digest="1")).status == 204
        assert (await api.ask("HEAD")).status == 200
        yaml_body = (await api.ask("GET", Accept="application/yaml")).body or b""
        assert b"routes_conf_version: 1" in yaml_body

    play(scenario)


def test_versions_decide_what_is_taken() -> None:
    async def scenario() -> None:
        api = Given()
        one = {"routes": [{"id": "1", "uri": "/a", "upstream": UPSTREAM}], "routes_conf_version": 5}
        assert (await api.ask("PUT", one, X_Digest="1")).status == 202
        other = {"routes": [{"id": "2", "uri": "/b", "upstream": UPSTREAM}], "routes_conf_version": 5}
        assert (await api.ask("PUT", other, X_Digest="2")).status == 202
        assert list(api.table.get("routes")) == ["1"]  # the version is the same, so the kind stays
        older = await api.ask("PUT", {**other, "routes_conf_version": 4}, X_Digest="3")
        assert message(older) == "routes_conf_version must be greater than or equal to (5)"
        assert (await api.ask("PUT", {**other, "routes_conf_version": 6}, X_Digest="4")).status == 202
        assert list(api.table.get("routes")) == ["2"]

    play(scenario)


def test_a_wrong_configuration_changes_nothing() -> None:
    async def scenario() -> None:
        api = Given(Settings(standalone="api", encrypt_fields=False, admin_keys=(AdminKey("admin", "k"),)))
        key = {"X_API_KEY": "k"}
        assert (await api.ask("PUT", {}, X_Digest="1")).status == 401
        wrong = {"routes": [{"id": "1", "uri": "/a", "upstream": UPSTREAM}, {"id": "2", "uri": 5}]}
        refused = await api.ask("PUT", wrong, X_Digest="1", **key)
        assert "invalid configuration" in message(refused)
        assert api.table.get("routes") == {}
        twice = {"routes": [{"id": "1", "uri": "/a", "upstream": UPSTREAM}] * 2}
        assert message(await api.ask("PUT", twice, X_Digest="1", **key)) == "found duplicate id 1 in routes"
        checked = await api.ask("POST", wrong, "configs/validate", **key)
        assert [error["index"] for error in json.loads(checked.body or b"")["errors"]] == [1]
        assert (await api.ask("GET", path="routes", **key)).status == 404

    play(scenario)


NAMES = st.sampled_from(["a", "b", "c"])
PLUGINS = st.fixed_dictionaries(
    {}, optional={"key-auth": st.just({}), "cors": st.just({"max_age": 9}), "request-id": st.just({})}
)
RESOURCES = st.fixed_dictionaries(
    {
        "upstreams": st.dictionaries(NAMES, st.just(UPSTREAM)),
        "services": st.dictionaries(
            NAMES, st.fixed_dictionaries({"name": NAMES}, optional={"upstream": st.just(UPSTREAM), "plugins": PLUGINS})
        ),
        "plugin_configs": st.dictionaries(NAMES, st.fixed_dictionaries({"plugins": PLUGINS})),
        "routes": st.dictionaries(
            NAMES,
            st.fixed_dictionaries(
                {"uri": st.sampled_from(["/a", "/b/*"]), "upstream": st.just(UPSTREAM)},
                optional={
                    "plugins": PLUGINS,
                    "priority": st.integers(0, 3),
                    "labels": st.just({"x": "y"}),
                    "vars": st.just([["arg_a", "==", "1"]]),
                },
            ),
        ),
    }
)
#: enough to be accepted, so that PATCH can add the rest
SEED: dict[str, Any] = {
    "upstreams": UPSTREAM,
    "services": {"desc": "gone"},
    "plugin_configs": {"plugins": {}},
    "routes": {"uri": "/first", "upstream": UPSTREAM, "desc": "gone"},
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(resources=RESOURCES)
def test_put_patch_and_standalone_come_to_the_same(
    etcd: EtcdProcess, resources: dict[str, dict[str, dict[str, Any]]]
) -> None:
    async def scenario() -> None:
        put, patched = await through_etcd(etcd, resources, False), await through_etcd(etcd, resources, True)
        assert put == patched
        table = StandaloneTable(make_prepare(SETTINGS))
        whole = {kind: [{**value, "id": id_} for id_, value in items.items()] for kind, items in resources.items()}
        table.replace(json.loads(json.dumps(whole)), {})
        assert contents(table, resources) == put[0]

    play(scenario)


@pytest.fixture(scope="module", name="etcd")
def _etcd() -> Any:
    with EtcdProcess() as process:
        yield process


async def through_etcd(
    etcd: EtcdProcess, resources: dict[str, dict[str, dict[str, Any]]], patching: bool
) -> tuple[Any, Any]:
    """What the data plane has and what etcd holds, without the times."""
    client = Etcd([etcd.url], timeout=5)
    await client.delete("/apisix/", prefix=True)
    store = Store(client, "/apisix", make_prepare(Settings()))
    await store.start()
    admin = Admin(store, Settings(), ManualTime())
    for kind, items in resources.items():
        for id_, value in items.items():
            if patching:
                await stored(admin, "PUT", kind, id_, SEED[kind])
                gone = {"desc": None} if "desc" in SEED[kind] else {}
                await stored(admin, "PATCH", kind, id_, {**value, **gone})
            else:
                await stored(admin, "PUT", kind, id_, value)
    held = {
        pair.key: without_times(lua_json.decode(pair.value or b""))
        for pair in await store.below("/")
        if pair.value != b"init_dir"
    }
    found = contents(store, resources), held
    await store.stop()
    return found


async def stored(admin: Admin, method: str, kind: str, id_: str, value: Any) -> None:
    request = Request(method, "", f"/apisix/admin/{kind}/{id_}", "", Headers(), json.dumps(value).encode())
    assert (await admin.answer(request)).status in (200, 201)


def contents(table: Any, resources: dict[str, Any]) -> dict[str, Any]:
    return {
        kind: {id_: without_times(entry.value) for id_, entry in table.get(kind).items()} for kind in sorted(resources)
    }


def without_times(value: dict[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in value.items() if name not in ("create_time", "update_time")}
