"""proxy-mirror: what the mirror gets."""

from __future__ import annotations

import asyncio

import pytest

from harness.emulators.apisix.plugins.proxy_mirror import ProxyMirror

HOST = {"host": "http://127.0.0.1:21981"}


@pytest.fixture
def mirrored(build, scope):
    """mirrored(conf, ctx) → what was sent to the mirror."""

    def send(conf, ctx, change=lambda ctx: None):
        plugin = build(ProxyMirror, conf)

        async def play():
            plugin.rewrite(ctx)
            change(ctx)
            await plugin.before_proxy(ctx)
            await asyncio.gather(*scope.keep("proxy-mirror", set))

        asyncio.run(play())
        return scope.fetched

    return send


def test_the_whole_request_but_for_what_is_the_connections_own(mirrored, request_of, scope):
    headers = {"X-Real-IP": "1.1.1.1", "Content-Length": "8", "X-A": "b", "X-Forwarded-Proto": "http"}
    [sent] = mirrored(HOST, request_of("/m?a=1", method="POST", headers=headers, body=b"mirrored"))
    assert (sent.method, sent.url, sent.body) == ("POST", "http://127.0.0.1:21981/m?a=1", b"mirrored")
    no_agent = ("User-Agent", "")  # none is sent
    assert sent.headers == [("Host", "golden.test"), ("X-A", "b"), ("X-Forwarded-Proto", "http"), no_agent]
    assert scope.logs[0][0] == "error"


@pytest.mark.parametrize(("mode", "path"), [("replace", "/copy?x=1"), ("prefix", "/copy/p?x=1")])
def test_paths_of_ones_own(mirrored, request_of, mode, path):
    [sent] = mirrored({**HOST, "path": "/copy", "path_concat_mode": mode}, request_of("/p?x=1"))
    assert sent.url == "http://127.0.0.1:21981" + path


def test_what_proxy_rewrite_changes_later_does_not_count(mirrored, request_of):
    [sent] = mirrored(HOST, request_of("/p"), lambda ctx: setattr(ctx, "upstream_uri", "/changed"))
    assert sent.url.endswith("/p")


def test_a_share_of_the_requests(mirrored, request_of):
    for _ in range(60):
        sent = mirrored({**HOST, "sample_ratio": 0.5}, request_of("/"))
    assert 15 < len(sent) < 45


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, 'property "host" is required'),
        ({"host": "grpc://127.0.0.1:1"}, "mirroring to gRPC is not emulated"),
        ({**HOST, "sample_ratio": 0}, 'property "sample_ratio" validation failed: expected 0 to be at least 1e-05'),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(ProxyMirror, conf) == message
