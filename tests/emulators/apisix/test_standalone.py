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
from harness.wait import until

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


def test_an_item_with_the_index_it_has_stays_as_it_is() -> None:
    async def scenario() -> None:
        api = Given()
        for digest, (index, uri, seen) in enumerate([(1, "/a", "/a"), (1, "/b", "/a"), (2, "/b", "/b")]):
            route = {"id": "r", "uri": uri, "upstream": UPSTREAM, "modifiedIndex": index}
            assert (await api.ask("POST", {"routes": [route]}, "configs/validate")).status == 200
            assert (await api.ask("PUT", {"routes": [route]}, X_Digest=str(digest))).status == 202
            assert api.table.get("routes")["r"].value["uri"] == seen

    play(scenario)


def test_consumers_bring_their_credentials_along() -> None:
    async def scenario() -> None:
        api = Given()
        credential = {"id": "john/credentials/a", "plugins": {"key-auth": {"key": "k"}}}
        whole = {"consumers": [{"username": "john"}, credential]}
        assert (await api.ask("PUT", whole, X_Digest="1")).status == 202
        assert sorted(api.table.get("consumers")) == ["john", "john/credentials/a"]
        twice = {"consumers": [{"username": "john"}, credential, credential]}
        told = json.loads((await api.ask("POST", twice, "configs/validate")).body or b"")
        assert told["errors"][0]["error"] == "found duplicate credential id john/credentials/a in consumers"

    play(scenario)


def test_what_is_no_yaml() -> None:
    async def scenario() -> None:
        api = Given()
        yaml_type = {"Content_Type": "application/yaml"}
        checked = await api.ask("POST", b"a: b: [", "configs/validate", **yaml_type)
        assert message(checked) == "invalid request body: invalid yaml request body"
        # the same error is nobody's to catch where the configuration is taken
        assert (await api.ask("PUT", b"a: b: [", X_Digest="1", **yaml_type)).status == 500
        scalar = await api.ask("PUT", b"word", X_Digest="1", **yaml_type)
        assert message(scalar) == "invalid request body: invalid yaml request body"
        assert (await api.ask("PUT", b"routes: []", X_Digest="1", **yaml_type)).status == 202

    play(scenario)


@pytest.mark.parametrize(
    "bad", ["routes: [\n#END\n", "#END\n", "- 1\n#END\n", "a: ${{UNSET_HERE}}\n#END\n", "routes: []\n"]
)
def test_a_bad_file_keeps_the_last_good_one(tmp_path: Path, bad: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        path = written(tmp_path / "apisix.yaml", "routes:\n  - {id: 1, uri: /a, plugins: {}}\n#END\n")
        table = StandaloneTable(make_prepare(SETTINGS), path)
        await table.start()
        written(path, bad)
        await asyncio.to_thread(until, lambda: "failed to parse the content" in caplog.text, 5, awaited="the bad file")
        assert table.get("routes")["1"].value["uri"] == "/a"
        assert table.revision == 1
        written(path, "routes:\n  - {id: 1, uri: /better, plugins: {}}\n#END\n")
        await table.reached(2)
        assert table.get("routes")["1"].value["uri"] == "/better"
        await table.stop()

    play(scenario)


def test_a_json_file_with_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIORITY_HERE", "7")
    monkeypatch.setenv("NAME_HERE", "r")

    async def scenario() -> None:
        route = {"id": "${{NAME_HERE}}", "uri": "/${{NONE_HERE:=a}}", "priority": "${{PRIORITY_HERE}}", "plugins": {}}
        path = written(tmp_path / "apisix.json", json.dumps({"routes": [route]}))
        table = StandaloneTable(make_prepare(SETTINGS), path)
        await table.start()
        value = table.get("routes")["r"].value
        assert (value["uri"], value["priority"]) == ("/a", 7)
        await table.stop()

    play(scenario)


NAMES = st.sampled_from(["a", "b", "c"])
PLUGINS = st.fixed_dictionaries(
    {},
    optional={
        "key-auth": st.just({}),
        "cors": st.just({"max_age": 9}),
        "request-id": st.just({}),
        "csrf": st.just({"key": "kept encrypted"}),
    },
)
VALUES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "upstreams": st.just(UPSTREAM),
    "services": st.fixed_dictionaries({"name": NAMES}, optional={"upstream": st.just(UPSTREAM), "plugins": PLUGINS}),
    "plugin_configs": st.fixed_dictionaries({"plugins": PLUGINS}),
    "consumer_groups": st.fixed_dictionaries({"plugins": PLUGINS}),
    "consumers": st.fixed_dictionaries({}, optional={"labels": st.just({"x": "y"}), "desc": NAMES}),
    "routes": st.fixed_dictionaries(
        {"uri": st.sampled_from(["/a", "/b/*"]), "upstream": st.just(UPSTREAM)},
        optional={
            "plugins": PLUGINS,
            "priority": st.integers(0, 3),
            "labels": st.just({"x": "y"}),
            "vars": st.just([["arg_a", "==", "1"]]),
        },
    ),
}
#: (kind, id, value, or None to delete it)
STEPS = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(
        lambda kind: st.tuples(st.just(kind), NAMES, st.none() | VALUES[kind] | VALUES[kind])
    ),
    max_size=12,
)
Step = tuple[str, str, dict[str, Any] | None]
#: enough to be accepted, so that PATCH can add the rest
SEED: dict[str, Any] = {
    "upstreams": UPSTREAM,
    "services": {"desc": "gone"},
    "plugin_configs": {"plugins": {}},
    "consumer_groups": {"plugins": {}},
    "routes": {"uri": "/first", "upstream": UPSTREAM, "desc": "gone"},
}


def ways(kind: str, value: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """(method, sub-path, body): a seed, then each member by the sub-path, then what the seed had too much."""
    calls: list[tuple[str, str, Any]] = [("PUT", "", SEED[kind])]
    calls += [("PATCH", f"/{name}", member) for name, member in value.items()]
    return calls + [("PATCH", "", {name: None}) for name in SEED[kind] if name not in value]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_put_patch_and_standalone_come_to_the_same(etcd: EtcdProcess, steps: list[Step]) -> None:
    async def scenario() -> None:
        plane, held = await through_etcd(etcd, steps, patching=False)
        assert (plane, held) == await through_etcd(etcd, steps, patching=True)
        api = Given()
        for digest, whole in enumerate(states(steps)):
            answer = await api.ask("PUT", whole, X_Digest=str(digest))
            assert answer.status == 202, answer.body
        assert contents(api.table) == plane

    play(scenario)


def states(steps: list[Step]) -> list[dict[str, Any]]:
    """The whole configuration after each step, as the standalone API takes it."""
    held: dict[str, dict[str, Any]] = {kind: {} for kind in VALUES}
    found: list[dict[str, Any]] = []
    for kind, id_, value in steps:
        if value is None:
            held[kind].pop(id_, None)
        else:
            held[kind][id_] = {**value, **({"username": id_} if kind == "consumers" else {"id": id_})}
        found.append(json.loads(json.dumps({name: list(items.values()) for name, items in held.items()})))
    return found


@pytest.fixture(scope="module", name="etcd")
def _etcd() -> Any:
    with EtcdProcess() as process:
        yield process


async def through_etcd(etcd: EtcdProcess, steps: list[Step], *, patching: bool) -> tuple[Any, Any]:
    """What the data plane has and what etcd holds, without the times."""
    client = Etcd([etcd.url], timeout=5)
    await client.delete("/apisix/", prefix=True)
    store = Store(client, "/apisix", make_prepare(Settings()))
    await store.start()
    admin = Admin(store, Settings(), ManualTime())
    for kind, id_, value in steps:
        if value is None:
            await called(admin, "DELETE", f"{kind}/{id_}", None)
        elif kind == "consumers":  # PATCH is not supported there
            await called(admin, "PUT", kind, {**value, "username": id_})
        elif patching:
            for method, below, body in ways(kind, value):
                await called(admin, method, f"{kind}/{id_}{below}", body)
        else:
            await called(admin, "PUT", f"{kind}/{id_}", value)
    held = {
        pair.key: without_times(lua_json.decode(pair.value or b""))
        for pair in await store.below("/")
        if pair.value != b"init_dir"
    }
    found = contents(store), held
    await store.stop()
    return found


async def called(admin: Admin, method: str, path: str, value: Any) -> None:
    raw = b"" if value is None and method == "DELETE" else json.dumps(value).encode()
    answer = await admin.answer(Request(method, "", f"/apisix/admin/{path}", "", Headers(), raw))
    assert answer.status in ((200, 404) if method == "DELETE" else (200, 201)), answer.body


def contents(table: Any) -> dict[str, Any]:
    return {kind: {id_: without_times(entry.value) for id_, entry in table.get(kind).items()} for kind in VALUES}


def without_times(value: dict[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in value.items() if name not in ("create_time", "update_time")}
