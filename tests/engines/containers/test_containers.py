"""Each container alone, as somebody else's project would use it."""

from __future__ import annotations

import pytest

from harness.errors import EngineUnavailable, NotReady

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]
containers = pytest.importorskip("harness.engines.containers", reason="the extra `docker` is not installed")


@pytest.fixture(scope="module")
def etcd(docker_engine):
    with containers.EtcdContainer() as running:
        yield running


def test_etcd_serves_and_is_published_on_the_loopback_alone(etcd):
    etcd.client().put("/key", "value")
    assert etcd.client().get("/key").value == b"value"
    published = etcd.get_wrapped_container().attrs["NetworkSettings"]["Ports"]["2379/tcp"]
    assert {binding["HostIp"] for binding in published} == {"127.0.0.1"}
    assert etcd.about.startswith("real ")


def test_nacos_serves_its_client(docker_engine):
    with containers.NacosContainer() as nacos:
        client = nacos.client()
        client.publish("app.yaml", "greeting: hello")
        assert client.config("app.yaml") == "greeting: hello"
        client.register("orders", "10.0.0.1", 80, ephemeral=False)
        http, grpc = (int(nacos.address(port).rpartition(":")[2]) for port in (nacos.HTTP, nacos.GRPC))
        assert grpc - http == 1000, "where the SDKs look for it"


def test_apisix_keeps_its_routes_in_etcd(etcd):
    address = etcd.get_docker_client().bridge_ip(etcd.get_container_id())
    with containers.ApisixContainer().with_etcd(f"http://{address}:{etcd.PORT}") as apisix:
        apisix.admin().put("routes", "one", {"uri": "/one", "upstream": {"nodes": {"127.0.0.1:1": 1}}})
        assert etcd.client().get("/apisix/routes/one") is not None
        assert apisix.log() is not None


def test_one_that_ends_says_why(docker_engine):
    broken = containers.EtcdContainer().with_command(["--no-such-flag"])
    with pytest.raises(NotReady, match="exited, exit code") as told, broken:
        pass
    assert "Usage:" in str(told.value), "its last lines"


def test_a_port_that_is_taken_is_told_with_the_mend(docker_engine, etcd):
    taken = int(etcd.address(etcd.PORT).rpartition(":")[2])
    second = containers.EtcdContainer().with_published(etcd.PORT, taken)
    with pytest.raises(EngineUnavailable, match=r"(?s)bi-harness/etcd.*refused it.*another process has that port"):
        second.begin()


def test_a_wrong_image_is_told_with_the_mend(docker_engine):
    from harness.engines.images import pins

    with pytest.raises(EngineUnavailable, match=r"(?s)base:bookworm.*is it the right one\?"):
        containers.EtcdContainer(pins.BASE).with_name("bi-harness-test-wrong").begin()
    assert docker_engine.containers.list(all=True, filters={"name": "bi-harness-test-wrong"}) == []


def test_an_image_that_cannot_be_had_is_told_with_the_mend(docker_engine, monkeypatch):
    monkeypatch.setenv("HARNESS_ETCD_IMAGE", "127.0.0.1:1/nowhere/etcd:9.9.9")
    with pytest.raises(EngineUnavailable, match="harness images build --offline"):
        containers.EtcdContainer()
