"""elasticsearch-logger: bulk requests."""

from __future__ import annotations

import json
import re

from harness.emulators.apisix.plugins.elasticsearch_logger import ElasticsearchLogger


def test_entries_in_an_index_named_by_date_and_variable(build, deliver, request_of):
    conf = {
        "batch_max_size": 2,
        "log_format": {"u": "$uri"},
        "field": {"index": "logs-$host-{%Y}"},
        "auth": {"username": "u", "password": "p"},
    }
    asked, got = deliver(
        lambda port: build(ElasticsearchLogger, {**conf, "endpoint_addrs": [f"http://127.0.0.1:{port}"]}),
        [request_of("/a"), request_of("/b")],
        count=2,
    )
    assert asked.line == "GET / HTTP/1.1"
    assert got.line == "POST /_bulk HTTP/1.1"
    assert (got.headers["content-type"], got.headers["authorization"]) == ("application/x-ndjson", "Basic dTpw")
    lines = [json.loads(line) for line in got.body.splitlines()]
    assert re.fullmatch(r"logs-golden\.test-2023", lines[0]["index"]["_index"])
    assert [line["u"] for line in lines[1::2]] == ["/a", "/b"]


def test_refused_configurations(refusal):
    assert refusal(ElasticsearchLogger, {"endpoint_addr": "http://a"}) == (
        "value should match only one schema, but matches none"
    )
