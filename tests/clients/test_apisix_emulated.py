"""The Admin API's client against the emulator, with all that the sample platform becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.clients import ApisixClient
from harness.clients.apisix import DELETE_ORDER
from harness.emulators.apisix import ApisixServer
from harness.errors import RemoteError
from harness.model import Resource, compile_platform, load_platform

SAMPLE = Path(__file__).parents[2] / "stubs" / "platform.yaml"


@pytest.fixture(scope="module")
def server():
    with ApisixServer(admin_key="k") as server:
        yield server


@pytest.fixture
def admin(server):
    client = ApisixClient(server.admin_url, "k")
    yield client
    client.wipe()


@pytest.mark.parametrize("environment", ["dev", "test", "prod"])
def test_the_gateway_takes_the_sample_and_gives_it_back(admin, environment):
    resources = compile_platform(load_platform(SAMPLE, environment, environ={})).resources
    admin.apply(resources)
    for resource in resources:
        stored = admin.get(resource.kind, resource.id)
        assert {key: stored[key] for key in resource.body} == resource.body


def test_applying_twice_changes_nothing_but_the_time(admin):
    resources = compile_platform(load_platform(SAMPLE, environ={})).resources
    for _ in range(2):
        admin.apply(resources)
    assert len(admin.list("routes")) == sum(resource.kind == "routes" for resource in resources)


def test_wipe_leaves_nothing(admin):
    admin.apply(compile_platform(load_platform(SAMPLE, environ={})).resources)
    admin.wipe()
    assert [kind for kind in DELETE_ORDER if kind != "stream_routes" and admin.list(kind)] == []


def test_a_refusal_names_the_resource(admin):
    with pytest.raises(RemoteError, match="the gateway refused routes/r: 400") as caught:
        admin.apply([Resource("routes", "r", {"uri": "/a", "service_id": "none"})])
    assert "service" in caught.value.body


def test_what_is_not_there_is_a_404(admin):
    with pytest.raises(RemoteError) as caught:
        admin.get("routes", "none")
    assert caught.value.status == 404


def test_what_others_refer_to_is_kept(admin):
    admin.put("upstreams", "u", {"nodes": {"127.0.0.1:1": 1}, "type": "roundrobin"})
    admin.put("routes", "r", {"uri": "/a", "upstream_id": "u"})
    with pytest.raises(RemoteError, match="can not delete this upstream"):
        admin.delete("upstreams", "u")
    admin.patch("routes", "r", {"uri": "/b"})
    assert admin.get("routes", "r")["uri"] == "/b"
