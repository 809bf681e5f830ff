"""udp-logger: entries in datagrams."""

from __future__ import annotations

import asyncio
import json
import socket

from harness.emulators.apisix.plugins.udp_logger import UdpLogger


def test_a_datagram_for_each_batch(build, request_of, run):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(10)
        conf = {"host": "127.0.0.1", "port": sink.getsockname()[1], "batch_max_size": 1, "log_format": {"u": "$uri"}}
        plugin = build(UdpLogger, conf)

        async def play():
            plugin.log(request_of("/a"))
            return await asyncio.to_thread(sink.recv, 65536)

        assert json.loads(run(play())) == {"u": "/a"}


def test_refused_configurations(refusal):
    assert refusal(UdpLogger, {"port": 1}) == 'property "host" is required'
