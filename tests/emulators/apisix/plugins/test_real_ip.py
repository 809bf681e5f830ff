"""real-ip: the address from an argument, a header, or X-Forwarded-For."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.plugins.real_ip import RealIp

TRUSTED = ["127.0.0.0/8", "10.0.0.0/8"]


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("/a?ip=1.2.3.4", "1.2.3.4"),
        ("/a?ip=1.2.3.4:5678", "1.2.3.4"),
        ("/a?ip=[::1]:80", "::1"),
        ("/a?ip=::1", "::1"),
        ("/a?ip=rubbish", "127.0.0.1"),
        ("/a?ip=1.2.3.4:0", "127.0.0.1"),
        ("/a", "127.0.0.1"),
    ],
)
def test_from_an_argument(build: Any, request_of: Any, target: str, address: str) -> None:
    ctx = request_of(target)
    build(RealIp, {"source": "arg_ip"}).rewrite(ctx)
    assert ctx.remote_addr == address


def test_the_port_comes_along(build: Any, request_of: Any) -> None:
    ctx = request_of("/a?ip=1.2.3.4:5678")
    build(RealIp, {"source": "arg_ip"}).rewrite(ctx)
    assert ctx.variables["remote_port"] == "5678"


@pytest.mark.parametrize(
    ("recursive", "chain", "address"),
    [
        (True, "9.9.9.9, 8.8.8.8, 10.0.0.1", "8.8.8.8"),
        (True, "10.0.0.2, 10.0.0.1", "10.0.0.2"),
        (True, "9.9.9.9", "9.9.9.9"),
        (False, "9.9.9.9, 8.8.8.8", "8.8.8.8"),
    ],
)
def test_forwarded_for(build: Any, request_of: Any, recursive: bool, chain: str, address: str) -> None:
    conf = {"source": "http_x_forwarded_for", "trusted_addresses": TRUSTED, "recursive": recursive}
    ctx = request_of("/", headers={"X-Forwarded-For": chain})
    build(RealIp, conf).rewrite(ctx)
    assert ctx.remote_addr == address


def test_an_untrusted_peer_tells_nothing(build: Any, request_of: Any) -> None:
    ctx = request_of("/", headers={"X-Client": "5.6.7.8"})
    build(RealIp, {"source": "http_x_client", "trusted_addresses": ["10.0.0.0/8"]}).rewrite(ctx)
    assert ctx.remote_addr == "127.0.0.1"


def test_schema(refusal: Any) -> None:
    assert refusal(RealIp, {}) == 'property "source" is required'
    assert refusal(RealIp, {"source": "a", "trusted_addresses": [":/8"]}) == "invalid ip address: :/8"
