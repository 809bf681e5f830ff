"""loggly: syslog by UDP, bulk by HTTP."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from harness.emulators.apisix.plugins.loggly import Loggly

CONF = {"customer_token": "tok", "tags": ["a", "b"], "batch_max_size": 1, "log_format": {"u": "$uri"}}


@pytest.mark.parametrize(
    ("more", "status", "priority"),
    [({}, 200, 14), ({"severity": "err"}, 200, 11), ({"severity_map": {"503": "ALERT"}}, 503, 9)],
)
def test_syslog(more, status, priority, build, request_of, run, scope):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(10)
        scope.plugin_metadata["loggly"] = {"host": "127.0.0.1", "port": sink.getsockname()[1]}
        plugin = build(Loggly, {**CONF, **more})

        async def play():
            ctx = request_of("/a")
            ctx.status = status
            plugin.log(ctx)
            return await asyncio.to_thread(sink.recv, 65536)

        first, stamp, *rest = run(play()).decode().split(" ")
    assert first == f"<{priority}>1"
    assert stamp.endswith("Z")
    told = ["golden.test", "apisix", str(os.getpid()), "-", "[tok@41058", 'tag="a"', 'tag="b"]', '{"u":"/a"}']
    assert rest == told


def test_bulk(build, deliver, request_of, scope):
    def make(port):
        scope.plugin_metadata["loggly"] = {"host": f"127.0.0.1:{port}", "protocol": "http"}
        return build(Loggly, {**CONF, "batch_max_size": 2})

    [got] = deliver(make, [request_of("/a"), request_of("/b")])
    assert got.line == "POST /bulk/tok/tag/bulk HTTP/1.1"
    assert got.body == b'{"u":"/a"}\n{"u":"/b"}'
    assert got.headers["x-loggly-tag"] == "b"  # the second of the two


def test_a_refusal_is_logged(build, deliver, request_of, scope):
    def make(port):
        scope.plugin_metadata["loggly"] = {"host": f"http://127.0.0.1:{port}", "protocol": "https"}
        return build(Loggly, CONF)

    deliver(make, [request_of("/a")], statuses=(401,))
    said = "failed to send log to loggly, http status code: 401 response body: {}"
    assert ("error", f"Batch Processor[loggly] failed to process entries: {said}") in scope.logs


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, 'property "customer_token" is required'),
        ({"customer_token": "t", "severity": "Info"}, 'property "severity" validation failed: '),
        ({"customer_token": "t", "tags": ["tag=a"]}, 'property "tags" validation failed: '),
        ({"customer_token": "t", "severity_map": {"600": "ERR"}}, 'property "severity_map" validation failed: '),
    ],
)
def test_refused_configurations(conf, message, refusal):
    assert refusal(Loggly, conf).startswith(message)
