"""Ports for servers that must be told theirs before they start."""

from __future__ import annotations

import socket

from harness import ports


def test_one_that_nobody_has_bound_yet_is_not_handed_out_again(monkeypatch):
    monkeypatch.setattr(ports, "RANGE", (10_000, 10_080))
    assert len({ports.free_port() for _ in range(20)}) == 20


def test_the_one_above_is_free_too():
    with socket.socket() as taken:
        port = ports.free_port(1)
        taken.bind(("127.0.0.1", port + 1))
        assert port + 1 not in {ports.free_port() for _ in range(50)}
