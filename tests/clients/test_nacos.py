"""The Nacos client against the emulator, with authentication on."""

from __future__ import annotations

import hashlib

import pytest

from harness.clients import NacosClient
from harness.emulators.nacos import NacosServer
from harness.errors import RemoteError


@pytest.fixture(scope="module")
def server():
    with NacosServer(auth="nacos:secret-word") as server:
        yield server


@pytest.fixture
def nacos(server):
    server.reset()
    return NacosClient(server.http_url, username="nacos", password="secret-word")


def test_configuration_comes_and_goes(nacos):
    nacos.publish("a.yaml", "port: 1\nname: «ü»", type="yaml")
    assert nacos.config("a.yaml") == "port: 1\nname: «ü»"
    nacos.remove_config("a.yaml")
    assert nacos.config("a.yaml") is None


def test_compare_and_set(nacos):
    nacos.publish("a", "one")
    nacos.publish("a", "two", cas_md5=hashlib.md5(b"one").hexdigest())
    with pytest.raises(RemoteError):
        nacos.publish("a", "three", cas_md5=hashlib.md5(b"one").hexdigest())
    assert nacos.config("a") == "two"


def test_namespaces_keep_apart(nacos):
    nacos.create_namespace("team", "Team")
    nacos.publish("a", "theirs", namespace="team")
    assert nacos.config("a") is None and nacos.config("a", namespace="team") == "theirs"


def test_instances(nacos):
    nacos.register("svc", "127.0.0.1", 8001, metadata={"zone": "a"}, weight=2.0)
    (found,) = nacos.instances("svc")
    assert (found["ip"], found["port"], found["weight"], found["metadata"]) == ("127.0.0.1", 8001, 2.0, {"zone": "a"})
    assert nacos.services() == ["svc"]
    nacos.deregister("svc", "127.0.0.1", 8001)
    assert nacos.instances("svc") == []


def test_a_wrong_password_is_told(server):
    with pytest.raises(RemoteError, match=r"/v1/auth/login was refused: 500"):  # a 3.0.3 refuses so
        NacosClient(server.http_url, username="nacos", password="wrong").config("a")


def test_an_error_does_not_show_the_token(nacos):
    with pytest.raises(RemoteError) as caught:
        nacos.publish("bad id!", "x")
    assert "accessToken" not in str(caught.value)
