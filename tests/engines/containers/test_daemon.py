"""Where the daemon is, and how its ports are reached."""

from __future__ import annotations

import os
import socket

import pytest

from harness.engines.containers.daemon import connect, publish_address, reachable
from harness.engines.images.daemon import unreachable
from harness.errors import EngineUnavailable


def test_without_a_daemon_the_mend_is_told(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(EngineUnavailable, match="start Docker") as told:
        connect()
    assert "embedded" in str(told.value)


def test_a_daemon_that_refuses_this_user_is_told_apart(tmp_path, monkeypatch):
    if os.geteuid() == 0:
        refused = unreachable(OSError("('Connection aborted.', PermissionError(13, 'Permission denied'))"))
    else:
        with socket.socket(socket.AF_UNIX) as closed:
            closed.bind(str(tmp_path / "docker.sock"))
            (tmp_path / "docker.sock").chmod(0)
            monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'docker.sock'}")
            with pytest.raises(EngineUnavailable) as told:
                connect()
            refused = told.value
    assert "may not speak" in str(refused) and "usermod -aG docker" in str(refused)


def test_ports_are_the_loopbacks_of_a_local_daemon(monkeypatch):
    for host in ("unix:///run/user/1000/docker.sock", "tcp://127.0.0.1:2375", "npipe:////./pipe/docker_engine"):
        monkeypatch.setenv("DOCKER_HOST", host)
        assert publish_address() == "127.0.0.1"


def test_another_machines_loopback_is_refused_until_an_address_is_named(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.5:2375")
    with pytest.raises(EngineUnavailable, match="HARNESS_DOCKER_PUBLISH"):
        publish_address()
    monkeypatch.setenv("HARNESS_DOCKER_PUBLISH", "10.0.0.5")
    assert publish_address() == "10.0.0.5"


def test_localhost_is_reached_by_its_number():
    assert reachable("localhost") == "127.0.0.1"
    assert reachable("10.0.0.5") == "10.0.0.5"
