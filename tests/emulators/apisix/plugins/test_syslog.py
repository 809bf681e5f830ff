"""syslog: RFC 5424 messages."""

from __future__ import annotations

import re

from harness.emulators.apisix.plugins.syslog import Syslog


def test_a_message_over_tcp(build, deliver, request_of):
    conf = {"host": "127.0.0.1", "batch_max_size": 1, "log_format": {"u": "$uri"}}
    [got] = deliver(lambda port: build(Syslog, {**conf, "port": port}), [request_of("/a")], plain=True)
    assert re.fullmatch(
        rb'<46>1 2023-11-14T22:13:20\.000Z golden\.test apisix \d+ - - \{"u":"/a"\}\n',
        got.body,
    )


def test_refused_configurations(refusal):
    expected = 'property "sock_type" validation failed: matches none of the enum values'
    assert refusal(Syslog, {"host": "a", "port": 1, "sock_type": "x"}) == expected
