"""tcp-logger: entries over TCP."""

from __future__ import annotations

import json

from harness.emulators.apisix.plugins.tcp_logger import TcpLogger


def test_an_entry_over_a_connection(build, deliver, request_of):
    conf = {"host": "127.0.0.1", "batch_max_size": 1, "log_format": {"u": "$uri"}}
    [got] = deliver(lambda port: build(TcpLogger, {**conf, "port": port}), [request_of("/a")], plain=True)
    assert json.loads(got.body) == {"u": "/a"}


def test_a_server_that_is_not_there(build, request_of, scope, run):
    plugin = build(TcpLogger, {"host": "127.0.0.1", "port": 1})
    run(_sent(plugin))
    assert "failed to connect to TCP server: host[127.0.0.1] port[1]" in scope.logs[0][1]


async def _sent(plugin):
    await plugin._queue._deliver([{}], plugin.send)


def test_refused_configurations(refusal):
    assert refusal(TcpLogger, {"host": "a"}) == 'property "port" is required'
