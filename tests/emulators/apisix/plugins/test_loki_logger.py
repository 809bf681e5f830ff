"""loki-logger: streams by labels."""

from __future__ import annotations

import json

from harness.emulators.apisix.plugins.loki_logger import LokiLogger


def test_entries_are_grouped_by_their_labels(build, deliver, request_of):
    conf = {
        "batch_max_size": 3,
        "log_format": {"u": "$uri"},
        "log_labels": {"job": "x", "who": "$arg_who"},
        "headers": {"X-Own": "1"},
        "tenant_id": "me",
    }
    targets = ["/a?who=ann", "/b?who=bob", "/c?who=ann"]
    [got] = deliver(
        lambda port: build(LokiLogger, {**conf, "endpoint_addrs": [f"http://127.0.0.1:{port}"]}),
        [request_of(target) for target in targets],
    )
    assert got.line == "POST /loki/api/v1/push HTTP/1.1"
    assert (got.headers["x-scope-orgid"], got.headers["x-own"]) == ("me", "1")
    ann, bob = json.loads(got.body)["streams"]
    assert ann["stream"] == {"job": "x", "who": "ann"}
    assert [json.loads(line)["u"] for _, line in ann["values"]] == ["/a", "/c"]
    assert bob["values"][0][0] == "1700000000000000000"


def test_refused_configurations(refusal):
    assert refusal(LokiLogger, {}) == 'property "endpoint_addrs" is required'
