"""What the official images are told: their own entry points, their variables, their paths (none of them is pulled).

The facts are those of apache/apisix-docker 3.18.0, nacos-group/nacos-docker and etcd 3.5's release Dockerfile.
"""

from __future__ import annotations

import base64
import re

import pytest

from harness.engines.images.pins import PINS

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]
containers = pytest.importorskip("harness.engines.containers", reason="the extra `docker` is not installed")
#: apisix/discovery/nacos/schema.lua
NACOS_HOST = r"^http(s)?:\/\/([a-zA-Z0-9-_.]+:.+\@)?[a-zA-Z0-9-_.:]+$"


@pytest.fixture
def nacos():
    return containers.NacosContainer(PINS["nacos"].official)


@pytest.fixture
def apisix(nacos):
    made = containers.ApisixContainer(PINS["apisix"].official).with_etcd("http://etcd:2379")
    return made.with_nacos(f"http://{nacos.username}:{nacos.password}@nacos:8848").with_trusted("10.9.8.1")


def test_all_three_count_as_real(nacos, apisix):
    etcd = containers.EtcdContainer(PINS["etcd"].official)
    assert [one.about for one in (etcd, nacos, apisix)] == ["real 3.5.21", "real 3.1.0", "real 3.18.0-debian"]
    assert not any(one.emulated for one in (etcd, nacos, apisix))


def test_nacos_has_what_its_start_script_insists_on(nacos):
    assert nacos.env["MODE"] == "standalone", "else it waits for a cluster and a MySQL"
    assert len(base64.b64decode(nacos.env["NACOS_AUTH_TOKEN"], validate=True)) >= 32
    assert nacos.env["NACOS_AUTH_IDENTITY_KEY"] and nacos.env["NACOS_AUTH_IDENTITY_VALUE"]
    assert nacos.env["NACOS_AUTH_ENABLE"] == "true"
    assert nacos._command is None and "entrypoint" not in nacos._options, "bin/docker-startup.sh starts it"


def test_nacos_heap_has_room_for_more_than_the_young_generation(nacos):
    assert (nacos.env["JVM_XMS"], nacos.env["JVM_XMX"]) == ("384m", "384m")
    assert nacos.env["JVM_XMN"] == "", "the image has 512m, which is more than the heap"
    assert nacos.with_heap("1g").env["JVM_XMX"] == "1g"


def test_nacos_ports_are_published_1000_apart(nacos):
    http, grpc = (nacos.ports[f"{port}/tcp"] for port in (8848, 9848))
    assert http[0] == grpc[0] == "127.0.0.1" and grpc[1] - http[1] == 1000


def test_apisix_starts_by_its_own_script_and_reads_its_own_path(apisix, monkeypatch):
    monkeypatch.setattr("testcontainers.core.container.DockerContainer.start", lambda self: self)
    apisix.begin()
    assert apisix._command is None and "entrypoint" not in apisix._options, "docker-start: init, init_etcd, openresty"
    assert not {name for name in apisix.env if name.startswith("APISIX")}, "APISIX_STAND_ALONE would leave etcd out"
    ((_, path, mode),) = apisix._transferable_specs
    assert path == "/usr/local/apisix/conf/config.yaml"
    assert mode & 0o004, "its user is apisix (636), and the file root's"


def test_apisix_configuration(apisix):
    config = apisix.config()
    assert config.keys() == {"apisix", "deployment", "nginx_config", "plugin_attr", "discovery"}
    deployment = config["deployment"]
    assert (deployment["role"], deployment["role_traditional"]) == ("traditional", {"config_provider": "etcd"})
    (admin,) = deployment["admin"]["admin_key"]
    assert admin["role"] == "admin" and admin["key"] == apisix.admin_key
    assert deployment["admin"]["allow_admin"] == ["0.0.0.0/0"], "who comes through a published port comes from outside"
    assert deployment["etcd"] == {"host": ["http://etcd:2379"], "prefix": "/apisix", "timeout": 30}
    assert config["nginx_config"]["http"]["real_ip_from"] == ["127.0.0.1", "unix:", "10.9.8.1"], "the default and ours"


def test_apisix_listens_where_its_ports_are_published(apisix):
    config = apisix.config()
    told = {
        *((one["ip"], one["port"]) for one in config["apisix"]["node_listen"]),
        *((one["ip"], one["port"]) for one in config["apisix"]["ssl"]["listen"]),
        tuple(config["deployment"]["admin"]["admin_listen"].values()),
        tuple(config["apisix"]["control"].values()),
        tuple(config["plugin_attr"]["prometheus"]["export_addr"].values()),
    }
    assert told == {("0.0.0.0", port) for port in apisix.PORTS}


def test_apisix_finds_nacos_by_a_host_that_its_schema_takes(apisix):
    (host,) = apisix.config()["discovery"]["nacos"]["host"]
    assert re.match(NACOS_HOST, host) and len(host) <= 100
    assert apisix.config()["discovery"]["nacos"]["fetch_interval"] >= 1


def test_etcd_keeps_its_data_where_any_user_may_write():
    etcd = containers.EtcdContainer(PINS["etcd"].official)
    assert etcd.env == {"ETCD_DATA_DIR": "/tmp/etcd"}
    assert etcd._options["entrypoint"] == ["etcd"], "on PATH in the official image and in ours"
    assert "--data-dir" not in etcd._command
