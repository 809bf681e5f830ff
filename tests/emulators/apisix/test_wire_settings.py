"""What config.yaml says of the sockets."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.wire_settings import Tls, Wire, seconds, size, wire_of
from harness.errors import SpecError


def test_nothing_said_is_apisixs_default() -> None:
    wire = wire_of({})
    assert wire == Wire()
    assert (wire.patience.send_timeout, wire.patience.client_body_timeout, wire.keepalive.size) == (10, 60, 320)


def test_what_is_said_counts() -> None:
    http = {
        "client_header_timeout": "1m",
        "client_body_timeout": "500ms",
        "send_timeout": 3,
        "keepalive_timeout": "75s",
        "client_max_body_size": "10m",
        "upstream": {"keepalive": 7, "keepalive_requests": 9, "keepalive_timeout": "5s"},
    }
    tls = {"ssl_protocols": "TLSv1.3", "ssl_session_tickets": True, "ssl_ciphers": "HIGH"}
    wire = wire_of({"nginx_config": {"http": http}, "apisix": {"ssl": tls}})
    patience = wire.patience
    assert (patience.client_header_timeout, patience.client_body_timeout) == (60, 0.5)
    assert (patience.send_timeout, patience.keepalive_timeout) == (3, 75)
    assert (wire.keepalive.size, wire.keepalive.requests, wire.keepalive.idle_timeout) == (7, 9, 5)
    assert wire.max_body == 10 * 1024 * 1024
    assert wire.tls == Tls(("TLSv1.3",), "HIGH", session_tickets=True)


@pytest.mark.parametrize(
    "config",
    [
        {"apisix": {"ssl": {"ssl_protocols": "SSLv3 TLSv1.2"}}},
        {"nginx_config": {"http": {"send_timeout": "soon"}}},
        {"nginx_config": {"http": {"client_max_body_size": "-1"}}},
    ],
)
def test_what_cant_be_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        wire_of(config)


def test_units() -> None:
    assert [seconds(text, "x") for text in ("1d", "2h", "3m", "4s", "5", 6, "7ms")] == [
        86400,
        7200,
        180,
        4,
        5,
        6,
        0.007,
    ]
    assert [size(text, "x") for text in ("1g", "2M", "3k", "4", 0)] == [2**30, 2 * 2**20, 3 * 2**10, 4, 0]
