"""The etcd client against the real etcd."""

from __future__ import annotations

import pytest

from harness.clients import EtcdClient
from harness.declared import Declared
from harness.etcd_process import EtcdProcess


@pytest.fixture(scope="module")
def url():
    with EtcdProcess() as process:
        yield process.url


@pytest.fixture
def etcd(url):
    client = EtcdClient(url)
    client.delete_prefix("/")
    return client


def test_put_get_delete(etcd):
    first = etcd.put("/a/1", "one")
    second = etcd.put("/a/1", b"\x00two")
    found = etcd.get("/a/1")
    assert (found.value, found.created, found.revision) == (b"\x00two", first, second)
    assert etcd.delete("/a/1") == second + 1
    assert etcd.get("/a/1") is None


def test_prefix_has_no_neighbours(etcd):
    for key in ("/a", "/a/1", "/a/2", "/a0", "/b"):
        etcd.put(key, key)
    assert set(etcd.prefix("/a/")) == {"/a/1", "/a/2"}


def test_health(etcd):
    assert etcd.healthy()


def test_declared_state_is_restored_in_one_revision(etcd):
    for key in ("changed", "gone", "same"):
        etcd.put(f"/apisix/{key}", "declared")
    declared = Declared(etcd, "/apisix")
    declared.remember()
    same = etcd.get("/apisix/same").revision
    etcd.put("/apisix/changed", "otherwise")
    etcd.put("/apisix/new", "x")
    last = etcd.delete("/apisix/gone")

    assert declared.restore() == last + 1
    assert {key: found.value for key, found in etcd.prefix("/").items()} == {
        "/apisix/changed": b"declared",
        "/apisix/gone": b"declared",
        "/apisix/same": b"declared",
    }
    assert etcd.get("/apisix/same").revision == same
    assert declared.restore() == 0, "a second time there is nothing to undo"


def test_a_value_put_again_counts_as_changed_but_comes_out_equal(etcd):
    etcd.put("/apisix/r", "v")
    declared = Declared(etcd, "/apisix")
    declared.remember()
    etcd.put("/apisix/r", "w")
    etcd.put("/apisix/r", "v")
    assert declared.restore() > 0
    assert etcd.get("/apisix/r").value == b"v"
