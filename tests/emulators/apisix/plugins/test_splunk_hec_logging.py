"""splunk-hec-logging: events, formats, refusals."""

from __future__ import annotations

import json
import socket

from harness.emulators.apisix.plugins.splunk_hec_logging import SplunkHecLogging


def conf(port, **more):
    endpoint = {"uri": f"http://127.0.0.1:{port}/services/collector", "token": "t", "channel": "c"}
    return {"endpoint": endpoint, "batch_max_size": 1, **more}


def test_an_event_with_its_fixed_members(build, deliver, request_of, scope):
    ctx = request_of("/a?b=1", headers={"X-A": "x"})
    ctx.status = 201
    extra = {"mine": "$uri", "latency": "never"}
    [got] = deliver(lambda port: build(SplunkHecLogging, conf(port, log_format_extra=extra)), [ctx])
    assert got.line == "POST /services/collector HTTP/1.1"
    assert got.headers["authorization"] == "Splunk t"
    assert got.headers["x-splunk-request-channel"] == "c"
    told = json.loads(got.body)
    assert (told["source"], told["sourcetype"]) == ("apache-apisix-splunk-hec-logging", "_json")
    assert (told["host"], told["time"]) == (socket.gethostname(), scope.clock.time())
    event = told["event"]
    assert (event["request_url"], event["request_query"]) == ("http://golden.test:9080/a?b=1", {"b": "1"})
    assert (event["response_status"], event["mine"], event["latency"]) == (201, "/a", 0)
    assert "upstream" not in event


def test_a_batch_is_one_event_after_another_in_the_users_format(build, deliver, request_of):
    def make(port):
        return build(SplunkHecLogging, conf(port, batch_max_size=2, log_format={"u": "$uri"}))

    [got] = deliver(make, [request_of("/a"), request_of("/b")])
    first, second = got.body.replace(b"}{", b"}\n{").splitlines()
    assert [json.loads(line)["event"] for line in (first, second)] == [{"u": "/a"}, {"u": "/b"}]


def test_a_refusal_is_logged(build, deliver, request_of, scope):
    deliver(lambda port: build(SplunkHecLogging, conf(port)), [request_of("/a")], statuses=(403,))
    assert (
        "error",
        "Batch Processor[splunk-hec-logging] failed to process entries: failed to send splunk, http status code: 403",
    ) in scope.logs


def test_refused_configurations(refusal):
    assert refusal(SplunkHecLogging, {}) == 'property "endpoint" is required'
    wrong = {"endpoint": {"uri": "host", "token": "t"}}
    assert "failed to match pattern" in refusal(SplunkHecLogging, wrong)
