"""The official client of 3.x's admin API (`nacos-maintainer-client`): what operators do, over the network.

Its methods are called by name. What it can't do, with any server: `readiness`, `getHealthCheckers`, `listSelectorTypes`
and `getClientList` ask for a path that no server has, or read a list where the server sends its envelope.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from official.builds import Build
from official.program import Program, Refused
from official.server import Server

from harness.processes import remove, temporary_directory

BUILD = Build(
    "java-maintainer",
    "java-maintainer",
    ("java", "javac", "mvn"),
    (("mvn", "-q", "-B", "compile", "dependency:copy-dependencies"),),
)
NS, GROUP = "public", "BI"
#: Refused by name, as the README lists them.
NOT_EMULATED = [
    ("config.getClusterLoaderMetrics", [], "one node only"),
    ("config.reloadConnectionCount", [1, ""], "one node only"),
    ("config.smartReloadCluster", ["0.1"], "one node only"),
    ("config.reloadSingleClient", ["id", ""], "one node only"),
    ("config.updateLookupMode", ["file"], "one node only"),
    ("config.getIdGenerators", [], "no id generator"),
    ("config.raftOps", ["command", "value", "group"], "no raft group"),
    ("config.updateLogLevel", ["logger", "DEBUG"], "log levels"),
    ("config.setLogLevel", ["logger", "DEBUG"], "log levels"),
    ("naming.setLogLevel", ["logger", "DEBUG"], "log levels"),
    ("config.updateLocalCacheFromStore", [], "no disk cache"),
]


class Maintainer:
    """`maintainer.config("getConfig", ...)` calls a method and returns its value; raises Refused."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def config(self, method: str, *args: Any) -> Any:
        return self._program.ask(f"config.{method}", args=list(args))

    def naming(self, method: str, *args: Any) -> Any:
        return self._program.ask(f"naming.{method}", args=list(args))


def _started(server: Server, **who: str) -> Iterator[Program]:
    missing = BUILD.missing()
    if missing:
        pytest.skip(f"not applicable: it is built with {', '.join(missing)}, not on the PATH")
    made, folder = BUILD.made(), temporary_directory("interop")
    options = ("-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.home=.")
    classes = f"{made}/target/classes:{made}/target/dependency/*"
    program = Program(["java", *options, "-cp", classes, "Maintainer"], Path(folder) / "log", {"HOME": str(folder)})
    program.ask("open", server=server.address, **who)
    yield program
    program.close()
    remove(folder)


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[Program]:
    yield from _started(server)


@pytest.fixture
def maintainer(shared: Program) -> Maintainer:
    """An operator's program."""
    return Maintainer(shared)


@pytest.fixture
def namespace(maintainer: Maintainer, name: str) -> Iterator[str]:
    """One of the test's own."""
    assert maintainer.config("createNamespace", name, "mine", "of a test") is True
    yield name
    maintainer.config("deleteNamespace", name)


# -- configuration -----------------------------------------------------------------------------------------------------


def test_a_configuration_s_life(maintainer: Maintainer, peer: Any, name: str) -> None:
    about = ("app", "me", "t1,t2", "what it is", "json")
    assert maintainer.config("publishConfig", name, GROUP, NS, "one", *about) is True
    assert peer.config(name, group=GROUP) == "one"
    found = maintainer.config("getConfig", name, GROUP, NS)
    assert (found["content"], found["namespaceId"]) == ("one", NS)
    assert tuple(found[key] for key in ("appName", "createUser", "configTags", "desc", "type")) == about
    assert maintainer.config("deleteConfig", name, GROUP, NS) is True
    with pytest.raises(Refused, match="Config not exist"):
        maintainer.config("getConfig", name, GROUP, NS)


def test_configurations_are_found(maintainer: Maintainer, name: str) -> None:
    for number in range(3):
        maintainer.config("publishConfig", f"{name}-{number}", GROUP, NS, f"content {number}")
    listed = maintainer.config("searchConfigs", f"{name}*", GROUP, NS)
    assert (listed["totalCount"], {one["dataId"] for one in listed["pageItems"]}) == (
        3,
        {f"{name}-{number}" for number in range(3)},
    )
    [detail] = maintainer.config(
        "searchConfigByDetails", f"{name}*", GROUP, NS, "blur", "content 1", None, None, None, 1, 9
    )["pageItems"]
    assert detail["dataId"] == f"{name}-1"
    everywhere = maintainer.config("getConfigListByNamespace", NS)
    assert {f"{name}-{number}" for number in range(3)} <= {one["dataId"] for one in everywhere}
    assert maintainer.config("deleteConfigs", [int(one["id"]) for one in listed["pageItems"]]) is True
    assert maintainer.config("searchConfigs", f"{name}*", GROUP, NS)["totalCount"] == 0


def test_history(maintainer: Maintainer, name: str) -> None:
    for content in ("one", "two"):
        maintainer.config("publishConfig", name, GROUP, NS, content)
    config_id = int(maintainer.config("getConfig", name, GROUP, NS)["id"])
    rows = maintainer.config("listConfigHistory", name, GROUP, NS, 1, 9)["pageItems"]
    assert [row["opType"].strip() for row in rows] == ["U", "I"]
    assert maintainer.config("getConfigHistoryInfo", name, GROUP, NS, int(rows[0]["id"]))["content"] == "one"
    assert maintainer.config("getPreviousConfigHistoryInfo", name, GROUP, NS, config_id)["content"] == "one"


def test_beta(maintainer: Maintainer, name: str) -> None:
    maintainer.config("publishConfig", name, GROUP, NS, "for all")
    beta = (name, GROUP, NS, "for few", None, None, None, None, "text", "9.9.9.9")
    assert maintainer.config("publishBetaConfig", *beta) is True
    found = maintainer.config("queryBeta", name, GROUP, NS)
    assert (found["content"], "9.9.9.9" in found["grayRule"]) == ("for few", True)
    assert maintainer.config("getConfig", name, GROUP, NS)["content"] == "for all"
    assert maintainer.config("stopBeta", name, GROUP, NS) is True
    with pytest.raises(Refused, match="not in beta"):
        maintainer.config("queryBeta", name, GROUP, NS)


def test_clone_under_another_name(maintainer: Maintainer, name: str, namespace: str) -> None:
    maintainer.config("publishConfig", name, GROUP, NS, "one")
    config_id = int(maintainer.config("getConfig", name, GROUP, NS)["id"])
    wanted = [{"configId": config_id, "targetDataId": "copy", "targetGroupName": "OTHER"}]
    assert maintainer.config("cloneConfig", namespace, wanted, "me", "ABORT")["succCount"] == 1
    copy = maintainer.config("getConfig", "copy", "OTHER", namespace)
    assert (copy["content"], copy["createUser"]) == ("one", "me")
    assert maintainer.config("cloneConfig", namespace, wanted, "me", "SKIP")["skipCount"] == 1
    assert maintainer.config("cloneConfig", namespace, wanted, "me", "OVERWRITE")["succCount"] == 1
    assert maintainer.config("deleteConfig", "copy", "OTHER", namespace) is True


# -- naming ------------------------------------------------------------------------------------------------------------


def test_a_service_s_life(maintainer: Maintainer, name: str) -> None:
    assert maintainer.naming("createService", NS, GROUP, name, False, 0.5) == "ok"
    with pytest.raises(Refused, match="already exists"):
        maintainer.naming("createService", NS, GROUP, name)
    assert maintainer.naming("updateService", NS, GROUP, name, {"k": "v"}, 0.25, {"type": "none"}) == "ok"
    found = maintainer.naming("getServiceDetail", NS, GROUP, name)
    assert (found["metadata"], found["protectThreshold"], found["ephemeral"]) == ({"k": "v"}, 0.25, False)
    [listed] = maintainer.naming("listServices", NS, GROUP, name, False, 1, 9)["pageItems"]
    assert (listed["name"], listed["ipCount"]) == (name, 0)
    assert maintainer.naming("removeService", NS, GROUP, name) == "ok"
    with pytest.raises(Refused, match="not found"):
        maintainer.naming("getServiceDetail", NS, GROUP, name)


def test_instances(maintainer: Maintainer, peer: Any, name: str) -> None:
    service = {"namespaceId": NS, "groupName": GROUP, "name": name, "ephemeral": False}
    one = {"ip": "10.0.0.1", "port": 80, "ephemeral": False, "weight": 2.0, "metadata": {"a": "1"}}
    assert maintainer.naming("registerInstance", service, one) == "ok"
    assert [(host["ip"], host["port"]) for host in peer.instances(name, group=GROUP)] == [("10.0.0.1", 80)]
    assert maintainer.naming("updateInstance", service, {**one, "weight": 3.0}) == "ok"
    assert maintainer.naming("partialUpdateInstance", service, {**one, "weight": 4.0, "metadata": {"b": "2"}}) == "ok"
    found = maintainer.naming("getInstanceDetail", NS, GROUP, name, "10.0.0.1", 80, "DEFAULT")
    assert (found["weight"], found["metadata"], found["ephemeral"]) == (4.0, {"a": "1", "b": "2"}, False)
    updated = maintainer.naming("batchUpdateInstanceMetadata", service, [one], {"c": "3"})["updated"]
    assert len(updated) == 1
    [listed] = maintainer.naming("listInstances", service, "", False)
    assert listed["metadata"] == {"a": "1", "b": "2", "c": "3"}
    maintainer.naming("batchDeleteInstanceMetadata", service, [one], {"c": "3"})
    [detail] = [
        at
        for at in maintainer.naming("listServicesWithDetail", NS, GROUP, name, 1, 9)["pageItems"]
        if at["serviceName"] == name
    ]
    assert [host["metadata"] for host in detail["clusterMap"]["DEFAULT"]["hosts"]] == [{"a": "1", "b": "2"}]
    assert maintainer.naming("deregisterInstance", service, one) == "ok"
    assert peer.instances(name, group=GROUP) == []


def test_a_cluster_s_health_checks(maintainer: Maintainer, name: str) -> None:
    service = {"namespaceId": NS, "groupName": GROUP, "name": name, "ephemeral": False}
    maintainer.naming("createService", service)
    checker = {"type": "HTTP", "path": "/up", "headers": "a:b", "expectedResponseCode": 200}
    cluster = {
        "clusterName": "DEFAULT",
        "healthChecker": checker,
        "healthyCheckPort": 81,
        "useInstancePortForCheck": False,
        "metadata": {"m": "1"},
    }
    assert maintainer.naming("updateCluster", service, cluster) == "ok"
    found = maintainer.naming("getServiceDetail", NS, GROUP, name)["clusterMap"]["DEFAULT"]
    assert {key: found[key] for key in cluster} == cluster
    maintainer.naming("removeService", service)


def test_health_by_hand_is_refused_while_it_is_checked(maintainer: Maintainer, name: str) -> None:
    service = {"namespaceId": NS, "groupName": GROUP, "name": name, "ephemeral": False}
    one = {"ip": "10.0.0.1", "port": 80, "ephemeral": False}
    maintainer.naming("registerInstance", service, one)
    with pytest.raises(Refused, match="health check is still working"):
        maintainer.naming("updateInstanceHealthStatus", service, {**one, "healthy": False})
    maintainer.naming("deregisterInstance", service, one)


def test_who_publishes(maintainer: Maintainer, name: str) -> None:
    service = {"namespaceId": NS, "groupName": GROUP, "name": name, "ephemeral": False}
    one = {"ip": "10.0.0.7", "port": 80, "ephemeral": False}
    maintainer.naming("registerInstance", service, one)
    client = "10.0.0.7:80#false"
    assert maintainer.naming("getClientDetail", client)["clientType"] == "ipPort"
    published = maintainer.naming("getPublishedServiceList", client)
    assert name in {at["serviceName"] for at in published}
    assert maintainer.naming("getSubscribeServiceList", client) == []
    [publisher] = maintainer.naming("getPublishedClientList", NS, GROUP, name, "10.0.0.7", 80)
    assert publisher["clientId"] == client
    maintainer.naming("deregisterInstance", service, one)
    with pytest.raises(Refused, match="nobody"):
        maintainer.naming("getClientDetail", "nobody")


# -- the server --------------------------------------------------------------------------------------------------------


def test_namespaces(maintainer: Maintainer, namespace: str) -> None:
    assert namespace in {one["namespace"] for one in maintainer.config("getNamespaceList")}
    assert maintainer.config("checkNamespaceIdExist", namespace) is True
    assert maintainer.config("updateNamespace", namespace, "renamed", "another text") is True
    found = maintainer.config("getNamespace", namespace)
    assert (found["namespaceShowName"], found["namespaceDesc"]) == ("renamed", "another text")
    assert maintainer.config("checkNamespaceIdExist", f"{namespace}-no") is False


def test_state_and_members(maintainer: Maintainer, server: Server) -> None:
    assert maintainer.config("getServerState")["startup_mode"] == "standalone"
    assert maintainer.config("liveness") is True
    [member] = maintainer.config("listClusterNodes", "", "")
    assert (member["state"], member["port"]) == ("UP", server.port)
    assert maintainer.naming("getMetrics", True)["status"] == "UP"
    assert maintainer.naming("getMetrics", False)["serviceCount"] >= 0


def test_connections(maintainer: Maintainer, server: Server, name: str) -> None:
    import asyncio

    from v2.nacos import ClientConfigBuilder, ConfigParam, NacosConfigService

    async def look() -> Any:
        folder = temporary_directory("interop")
        builder = ClientConfigBuilder().server_address(server.address).namespace_id(NS)
        client = await NacosConfigService.create_config_service(builder.cache_dir(str(folder)).build())
        await client.publish_config(ConfigParam(data_id=name, group=GROUP, content="x"))
        found = await asyncio.to_thread(maintainer.config, "getCurrentClients")
        await client.shutdown()
        remove(folder)
        return found

    connections = asyncio.run(look())
    assert connections
    for key, one in connections.items():
        meta = one["metaInfo"]
        assert (meta["connectionId"], meta["connectType"], meta["remoteIp"]) == (key, "GRPC", "127.0.0.1")
        assert meta["version"].startswith("Nacos-")
    assert maintainer.config("getListeners", name, GROUP, NS, True)["listenersStatus"] == {}


@pytest.mark.parametrize(("method", "args", "why"), NOT_EMULATED, ids=[one[0] for one in NOT_EMULATED])
def test_what_is_not_emulated_says_so(
    request: pytest.FixtureRequest, maintainer: Maintainer, method: str, args: list[Any], why: str
) -> None:
    if request.config.getoption("--nacos") is not None:
        pytest.skip("not applicable: a real server has it")
    module, _, name = method.partition(".")
    with pytest.raises(Refused, match=rf"501: .*is not emulated.*{why}"):
        getattr(maintainer, module)(name, *args)


def test_a_login_is_needed(guarded: Server, name: str) -> None:
    for program in _started(guarded, username=guarded.username, password=guarded.password):
        operator = Maintainer(program)
        assert operator.config("publishConfig", name, GROUP, NS, "one") is True
        assert operator.naming("listServices", NS)["totalCount"] >= 0
    for program in _started(guarded):
        with pytest.raises(Refused, match="403"):
            Maintainer(program).config("publishConfig", name, GROUP, NS, "two")
