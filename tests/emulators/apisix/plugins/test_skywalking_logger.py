"""skywalking-logger: entries tied to traces."""

from __future__ import annotations

import json
import socket

from harness.emulators.apisix.plugins.skywalking_logger import SkywalkingLogger

TRACE = "1-dHJhY2U-c2VnbWVudA==-3-c3Zj-aW5z-ZW5k-YWRkcg=="


def test_an_entry_with_its_trace(build, deliver, request_of):
    conf = {"batch_max_size": 1, "log_format": {"u": "$uri"}, "service_instance_name": "$hostname"}
    [got] = deliver(
        lambda port: build(SkywalkingLogger, {**conf, "endpoint_addr": f"http://127.0.0.1:{port}/ignored"}),
        [request_of("/a", headers={"sw8": TRACE})],
    )
    assert (got.line, got.headers["host"]) == ("POST /v3/logs HTTP/1.1", "127.0.0.1")
    assert json.loads(got.body) == [
        {
            "traceContext": {"traceId": "trace", "traceSegmentId": "segment", "spanId": 3},
            "body": {"json": {"json": '{"u":"/a"}'}},
            "service": "APISIX",
            "serviceInstance": socket.gethostname(),
            "endpoint": "/a",
        }
    ]


def test_a_header_of_another_shape_is_no_trace(build, deliver, request_of, scope):
    conf = {"batch_max_size": 1, "service_name": "shop"}
    [got] = deliver(
        lambda port: build(SkywalkingLogger, {**conf, "endpoint_addr": f"http://127.0.0.1:{port}"}),
        [request_of("/a", headers={"sw8": "1-2-3"})],
    )
    (entry,) = json.loads(got.body)
    assert "traceContext" not in entry
    assert (entry["service"], entry["serviceInstance"]) == ("shop", "APISIX Instance Name")
    assert ("warn", "failed to parse trace_context header: 1-2-3") in scope.logs


def test_refused_configurations(refusal):
    assert refusal(SkywalkingLogger, {}) == 'property "endpoint_addr" is required'
