"""sls-logger: RFC 5424 over TLS."""

from __future__ import annotations

import asyncio
import os
import ssl

import pytest

from harness.emulators.apisix.plugins.sls_logger import SlsLogger

WHERE = {"project": "p", "logstore": "l", "access_key_id": "i", "access_key_secret": "s"}


@pytest.fixture
def server_tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_messages_over_tls(build, request_of, run, server_tls, scope):
    async def play():
        got = asyncio.get_running_loop().create_future()

        async def serve(reader, writer):
            got.set_result(await reader.read())
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls) as server:
            port = server.sockets[0].getsockname()[1]
            conf = {"host": "127.0.0.1", "port": port, **WHERE, "ssl_verify": False, "log_format": {"u": "$uri"}}
            plugin = build(SlsLogger, {**conf, "batch_max_size": 2})
            plugin.log(request_of("/a"))
            plugin.log(request_of("/b"))
            return await asyncio.wait_for(got, 10)

    lines = run(play()).decode().splitlines()
    data = '[logservice project="p" logstore="l" access-key-id="i" access-key-secret="s"]'
    assert [line.split("Z ", 1)[1] for line in lines] == [
        f'golden.test apisix {os.getpid()} - {data} {{"u":"/{name}"}}' for name in "ab"
    ]
    assert all(line.startswith("<46>1 2023-") for line in lines)


def test_a_certificate_of_nobodys_trust_is_refused(build, request_of, run, server_tls, scope):
    async def play():
        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=server_tls) as server:
            port = server.sockets[0].getsockname()[1]
            plugin = build(SlsLogger, {"host": "127.0.0.1", "port": port, **WHERE, "batch_max_size": 1})
            plugin.log(request_of("/a"))
            await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    run(play())
    assert any("certificate verify failed" in message for _, message in scope.logs)


def test_refused_configurations(refusal):
    assert refusal(SlsLogger, {"host": "h", "port": 1, **WHERE, "logstore": 3}).startswith('property "logstore"')
