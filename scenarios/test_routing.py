"""Requests reach the service that the platform declares for their prefix or host."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("name", ["bi-basic", "bi-analysis", "bi-chat", "bi-api-jushuitan", "bi-api-leke"])
def test_a_prefix_leads_to_its_service(gateway, name):
    answer = gateway.get(f"/{name}/healthz")
    assert answer.status_code == 200
    assert answer.json()["service"] == name


def test_the_prefix_is_stripped_and_the_rest_arrives_unchanged(gateway):
    sent = "/bi-basic/echo/a/b%20c?x=1&y=%2F&x=2"
    echo = gateway.get(sent, headers=gateway.bearer("bi-user")).json()
    assert echo["path"] == "/echo/a/b c"
    assert echo["query"] == [["x", "1"], ["y", "/"], ["x", "2"]]


def test_a_host_of_its_own_needs_no_prefix(gateway):
    answer = gateway.get("/healthz", headers={"Host": "chat.bi.example"})
    assert answer.status_code == 200
    assert answer.json()["service"] == "bi-chat"


def test_another_host_without_prefix_leads_nowhere(gateway):
    assert gateway.get("/healthz", headers={"Host": "other.bi.example"}).status_code == 404


@pytest.mark.parametrize("path", ["/", "/bi-none/healthz", "/bi-basicx/healthz", "/BI-BASIC/healthz"])
def test_the_unknown_is_a_404_of_the_gateway(gateway, path):
    answer = gateway.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"error_msg": "404 Route Not Found"}


@pytest.mark.parametrize("name", ["bi-basic", "bi-api-leke"], ids=["found through Nacos", "an explicit upstream"])
def test_all_replicas_take_part(gateway, name):
    seen = {gateway.get(f"/{name}/healthz").json()["replica"] for _ in range(8)}
    assert seen == {f"{name}-0", f"{name}-1"}


@pytest.mark.requires("nacos-write")
def test_every_replica_is_registered_with_what_the_gateway_needs(nacos, stack, service):
    where = {"group": stack.platform.nacos.group, "namespace": stack.platform.nacos.namespace}
    found = {f"{host['ip']}:{host['port']}": host["metadata"] for host in nacos.instances("bi-chat", **where)}
    assert found.keys() == {replica.inside for replica in service("bi-chat").replicas}
    for replica in service("bi-chat").replicas:
        metadata = found[replica.inside]
        assert metadata["gRPC_port"] == replica.inside_grpc.rpartition(":")[2]
        assert {"version", "protocol", "zone"} <= metadata.keys()
