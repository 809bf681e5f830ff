"""`--nacos`: what the tests can ask of a server that runs already, what it lacks, and how it is left."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.emulators.nacos import NacosServer

VERSIONS = ["2.5.1", "3.0.3"]


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, NacosServer]]:
    """One server of each version, without the compatibility switches."""
    with NacosServer(version="2.5.1") as two, NacosServer(version="3.0.3") as three:
        yield {"2.5.1": two, "3.0.3": three}


def real(nacos: NacosServer) -> Any:
    """The server as `--nacos` sees it."""
    spec = importlib.util.spec_from_file_location("real_server_tested", Path(__file__).parent / "real_server.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.RealServer(nacos.http_url)


@pytest.mark.parametrize(
    ("version", "call", "why"),
    [
        ("2.5.1", "GET /v3/admin/core/state", "this server has no GET /v3/admin/core/state"),
        ("3.0.3", "GET /v1/console/namespaces", "is retired"),
        ("3.0.3", "PUT /v1/auth/password", "this server has no PUT /v1/auth/password"),
    ],
)
def test_a_call_that_it_lacks_is_not_applicable(
    running: dict[str, NacosServer], version: str, call: str, why: str
) -> None:
    with real(running[version]).client() as http, pytest.raises(pytest.skip.Exception, match=why):
        http.request(*call.split())


@pytest.mark.parametrize("version", VERSIONS)
def test_what_no_server_knows_is_answered(running: dict[str, NacosServer], version: str) -> None:
    with real(running[version]).client() as http:
        assert http.get("/v1/none").status_code == 404
        assert http.get("/v1/cs/configs?dataId=none&group=G").status_code == 404


def test_the_emulators_controls_are_not_applicable(running: dict[str, NacosServer]) -> None:
    server = real(running["2.5.1"])
    with pytest.raises(pytest.skip.Exception, match="no `advance` of the emulator's own"):
        server.advance(1)
    assert not hasattr(server, "nonsense")


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_left_as_it_was_found(running: dict[str, NacosServer], version: str) -> None:
    nacos = running[version]
    before = nacos.snapshot()
    server, is_2 = real(nacos), version == "2.5.1"
    with closing(server.client()) as http:
        http.post("/v1/cs/configs", data={"dataId": "d", "group": "G", "content": "x"})
        http.post("/v1/cs/configs", data={"dataId": "d", "group": "G", "content": "x"}, headers={"betaIps": "1.1.1.1"})
        for cluster, ephemeral in (("c", "true"), ("DEFAULT", "true")):
            place = {"serviceName": "s", "ip": "1.1.1.1", "port": len(cluster), "clusterName": cluster}
            http.post("/v1/ns/instance", params={**place, "ephemeral": ephemeral})
        http.post("/v1/ns/instance", params={"serviceName": "p", "ip": "1.1.1.1", "port": 1, "ephemeral": "false"})
        namespace = "/v1/console/namespaces?customNamespaceId=ns" if is_2 else "/v3/admin/core/namespace?namespaceId=ns"
        http.post(f"{namespace}&namespaceName=mine")
        http.post("/v1/auth/users" if is_2 else "/v3/auth/user", params={"username": "u", "password": "p"})
        switches = "/v1/ns/operator/switches" if is_2 else "/v3/admin/ns/ops/switches"
        http.put(switches, params={"entry": "check", "value": "false"})
        assert nacos.call(_held) == ({"G/d"}, {"s", "p"}, {"public", "ns"}, {"nacos", "u"}, False)
        server.reset()
        assert nacos.call(_held) == (set(), set(), {"public"}, {"nacos"}, True)
    nacos.restore(before)


def _held(node: Any) -> tuple[set[str], set[str], set[str], set[str], bool]:
    domain = node.site.domain
    configs = {*domain.config.state.entries, *domain.config.state.grays}
    return (
        {f"{key.group}/{key.data_id}" for key in configs},
        {key.name for key in domain.registry.services},
        {one or "public" for one in domain.namespaces.all},
        set(domain.accounts.state.users),
        domain.switches.checks_health,
    )
