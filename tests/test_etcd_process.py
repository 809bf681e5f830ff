"""The real etcd, started and stopped."""

from __future__ import annotations

import socket
import urllib.request

import pytest

from harness import etcd_process
from harness.errors import EngineUnavailable


def test_serves_and_leaves_nothing():
    with etcd_process.EtcdProcess() as etcd:
        body = urllib.request.urlopen(f"{etcd.url}/version", timeout=5).read()
        directory = etcd.directory
        assert b"etcdserver" in body and directory.exists()
    assert not directory.exists()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", etcd.port), timeout=1)


def test_two_side_by_side():
    with etcd_process.EtcdProcess() as one, etcd_process.EtcdProcess() as other:
        assert one.port != other.port


def test_a_taken_port_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        etcd = etcd_process.EtcdProcess(port=taken.getsockname()[1]).start()
        with pytest.raises(EngineUnavailable, match="address already in use"):
            etcd.ready(5)
        etcd.stop()


def test_no_binary_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineUnavailable, match="install etcd"):
        etcd_process.find_binary()
