"""http-logger: entries, formats, bodies, batches, retries."""

from __future__ import annotations

import gzip
import json
from types import SimpleNamespace

import pytest

from harness.emulators.apisix.context import Try
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.http_logger import HttpLogger
from harness.emulators.apisix.plugins.prometheus import metrics_of

ONE = {"batch_max_size": 1}


@pytest.fixture
def over(request_of):
    """over(target, …) → a request that is over."""

    def make(target="/fx/bytes/5?a=1", **more):
        ctx = request_of(target, **more)
        ctx.status, ctx.from_upstream = 200, True
        ctx.route = SimpleNamespace(id="1", value={"id": "1"})
        ctx.response = Headers.of([("Content-Type", "text/plain"), ("Content-Length", "5")])
        ctx.tries = [Try("127.0.0.1:21980", status=200, response_time=0.002)]
        ctx.request_length, ctx.bytes_sent = 59, 134
        return ctx

    return make


@pytest.fixture
def sent(build, deliver):
    """sent(conf, contexts…) → what the server got."""

    def play(conf, *contexts, path="/log", **more):
        return deliver(
            lambda port: build(HttpLogger, {"uri": f"http://127.0.0.1:{port}{path}", **conf}), list(contexts), **more
        )

    return play


def test_the_full_entry(sent, over, scope):
    ctx = over(headers={"X-A": "b", "X-Ä": "ö".encode().decode("latin-1")})
    scope.clock.advance(0.005)
    [got] = sent(ONE, ctx)
    assert got.line == "POST /log? HTTP/1.1"
    assert (got.headers["host"], got.headers["content-type"]) == ("127.0.0.1", "application/json")
    entry = json.loads(got.body)
    assert entry["request"] == {
        "url": "http://golden.test:9080/fx/bytes/5?a=1",
        "uri": "/fx/bytes/5?a=1",
        "method": "GET",
        "headers": {"host": "golden.test", "x-a": "b", "x-Ä".lower(): "ö"},
        "querystring": {"a": "1"},
        "size": 59,
    }
    assert entry["response"] == {
        "status": 200,
        "headers": {"content-type": "text/plain", "content-length": "5", "connection": "close"},
        "size": 134,
    }
    latencies = [entry[name] for name in ("latency", "upstream_latency", "apisix_latency")]
    assert latencies == pytest.approx([5, 2, 3], abs=0.01)
    assert (entry["route_id"], entry["service_id"], entry["upstream"]) == ("1", "", "127.0.0.1:21980")


def test_a_format_of_ones_own(sent, over):
    log_format = {
        "host": "$host",
        "code": "$status",
        "who": "golden",
        "none": "$arg_none",
        "in": {"m": "$request_method"},
    }
    [got] = sent({**ONE, "auth_header": "tok", "log_format": log_format}, over(), path="/log?x=1")
    assert got.line == "POST /log?x=1 HTTP/1.1"
    assert got.headers["authorization"] == "tok"
    told = {"host": "golden.test", "code": 200, "who": "golden", "in": {"m": "GET"}, "route_id": "1"}
    assert json.loads(got.body) == told


def test_the_metadatas_format_and_extra_members(sent, over, scope):
    scope.plugin_metadata["http-logger"] = {"log_format": {"u": "$uri"}}
    assert json.loads(sent(ONE, over())[0].body) == {"u": "/fx/bytes/5", "route_id": "1"}
    scope.plugin_metadata["http-logger"] = {"log_format_extra": {"agent": "$arg_a", "route_id": "never"}}
    entry = json.loads(sent(ONE, over())[0].body)
    assert (entry["agent"], entry["route_id"], entry["client_ip"]) == ("1", "1", "127.0.0.1")


def test_bodies_where_the_expressions_hold(build, sent, over, run):
    conf = {**ONE, "include_req_body": True, "include_req_body_expr": [["arg_full", "==", "1"]]}
    [full] = sent(conf, over("/x?full=1", method="POST", body=b"the body"))
    [bare] = sent(conf, over("/x", method="POST", body=b"the body"))
    assert json.loads(full.body)["request"]["body"] == "the body"
    assert "body" not in json.loads(bare.body)["request"]


def test_the_answers_body_decoded(build, over):
    ctx = over()
    ctx.response.set("Content-Encoding", "gzip")
    plugin = build(HttpLogger, {"uri": "http://127.0.0.1/", "include_resp_body": True, "max_resp_body_bytes": 100})
    packed = gzip.compress(b"answer")
    assert plugin.body_filter(ctx, packed[:5], False) + plugin.body_filter(ctx, packed[5:], True) == packed
    assert plugin.entry(ctx)["response"]["body"] == "answer"


@pytest.mark.parametrize(
    ("conf", "body"),
    [
        ({}, b'[{"u":"/a","route_id":"1"},{"u":"/b","route_id":"1"}]'),
        ({"concat_method": "new_line"}, b'{"u":"/a","route_id":"1"}\n{"u":"/b","route_id":"1"}'),
    ],
)
def test_batches(sent, over, conf, body):
    [got] = sent({"batch_max_size": 2, "log_format": {"u": "$uri"}, **conf}, over("/a"), over("/b"))
    assert got.body == body


def test_a_batch_that_is_not_full_goes_after_a_while(sent, over):
    [got] = sent({"inactive_timeout": 1, "log_format": {"u": "$uri"}}, over("/a"))
    assert json.loads(got.body) == [{"u": "/a", "route_id": "1"}]


def test_failures_are_tried_again(sent, over, scope):
    got = sent({**ONE, "max_retry_count": 1, "retry_delay": 0}, over(), count=2, statuses=(500,))
    assert got[0].body == got[1].body
    assert "server returned status code[500]" in scope.logs[0][1]


def test_the_backlog_is_bounded(build, scope, over, run):
    scope.plugin_metadata["http-logger"] = {"max_pending_entries": 1}
    plugin = build(HttpLogger, {"uri": "http://127.0.0.1:1/"})

    async def play():
        plugin.log(over())
        plugin.log(over())

    run(play())
    assert [line for _, line in scope.logs] == [
        "max pending entries limit exceeded. discarding entry. max_pending_entries: 1"
    ]


def test_the_length_of_the_queue_is_a_metric(build, scope, over, run):
    plugin = build(HttpLogger, {"uri": "http://127.0.0.1:1/", "name": "mine"})

    async def play():
        plugin.log(over())
        return metrics_of(scope).text()

    line = 'apisix_batch_process_entries{name="mine",route_id="1",server_addr="127.0.0.1"} 1'
    assert line in run(play()).splitlines()


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, 'property "uri" is required'),
        (
            {"uri": "http://a/b", "batch_max_size": 0},
            'property "batch_max_size" validation failed: expected 0 to be at least 1',
        ),
        (
            {"uri": "http://a/b", "include_resp_body_expr": [["a", "bad", "b"]]},
            "failed to validate the 'include_resp_body_expr' expression: invalid operator 'bad'",
        ),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(HttpLogger, conf) == message
