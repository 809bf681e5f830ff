"""zipkin: B3 headers and spans."""

from __future__ import annotations

import json

import pytest

from harness.emulators.apisix.plugins.zipkin import Zipkin

CONF = {"endpoint": "http://127.0.0.1:1/api/v2/spans", "sample_ratio": 1}
TRACE, SPAN = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1"


def test_a_trace_is_joined(build, request_of):
    plugin, ctx = build(Zipkin, CONF), request_of("/", headers={"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN})
    plugin.rewrite(ctx)
    plugin.access(ctx)
    assert ctx.headers.get("x-b3-traceid") == TRACE
    assert ctx.headers.get("x-b3-sampled") == "1"
    assert ctx.headers.get("x-b3-parentspanid") not in (None, SPAN)


@pytest.mark.parametrize(
    ("headers", "sampled"),
    [({"X-B3-Sampled": "0"}, "0"), ({"b3": "0"}, "0"), ({"b3": f"{TRACE}-{SPAN}-d"}, "1"), ({"X-B3-Flags": "1"}, "1")],
)
def test_the_clients_word_on_sampling(build, request_of, headers, sampled):
    plugin, ctx = build(Zipkin, {**CONF, "sample_ratio": 0.5}), request_of("/", headers=headers)
    plugin.rewrite(ctx)
    plugin.access(ctx)
    assert ctx.headers.get("x-b3-sampled") == sampled
    assert "b3" not in ctx.headers


def test_a_broken_header_is_refused(build, request_of):
    assert build(Zipkin, CONF).rewrite(request_of("/", headers={"b3": "abc"})).status == 400


@pytest.mark.parametrize(
    ("version", "names"),
    [
        (2, {"apisix.request", "apisix.proxy", "apisix.response_span"}),
        (1, {"apisix.request", "apisix.proxy", "apisix.rewrite", "apisix.access", "apisix.body_filter"}),
    ],
)
def test_spans_are_reported(build, request_of, run, monkeypatch, version, names):
    plugin, ctx = build(Zipkin, {**CONF, "span_version": version}), request_of("/a?b=1")
    told = []
    monkeypatch.setattr(plugin._queue, "push", lambda span, send, ctx: told.append(span))
    plugin.rewrite(ctx)
    plugin.access(ctx)
    ctx.status = 200
    plugin.header_filter(ctx)
    plugin.log(ctx)
    assert {span["name"] for span in told} == names
    root = told[-1]
    assert (root["kind"], root["tags"]["http.url"], root["tags"]["http.status_code"]) == ("SERVER", "/a?b=1", "200")
    assert root["localEndpoint"] == {"serviceName": "APISIX", "ipv4": "127.0.0.1", "port": 9080}
    assert len({span["traceId"] for span in told}) == 1


def test_a_batch_reaches_the_collector(build, deliver, request_of, monkeypatch):
    def make(port):
        plugin = build(Zipkin, {**CONF, "endpoint": f"http://127.0.0.1:{port}/spans"})
        plugin._queue._conf = {**plugin._queue._conf, "batch_max_size": 3}
        plugin.access = None
        return plugin

    ctx = request_of("/")
    [got] = deliver(lambda port: _started(make(port), ctx), [ctx])
    assert got.line == "POST /spans HTTP/1.1"
    assert len(json.loads(got.body)) == 3


def _started(plugin, ctx):
    plugin.rewrite(ctx)
    plugin.header_filter(ctx)
    return plugin


def test_refused_configurations(refusal):
    assert refusal(Zipkin, {"endpoint": "http://a"}) == 'property "sample_ratio" is required'
