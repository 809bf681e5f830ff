"""opentelemetry: sampling, propagation, what the collector gets."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest

from harness.emulators.apisix.plugins.opentelemetry import Opentelemetry
from harness.emulators.apisix.plugins.otlp import OtelSpan, export_request

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ALWAYS = {"sampler": {"name": "always_on"}}


@pytest.fixture(autouse=True)
def metadata(scope):
    scope.plugin_metadata["opentelemetry"] = {}
    return scope.plugin_metadata["opentelemetry"]


def parent(flags):
    return {"traceparent": f"00-{TRACE}-{SPAN}-{flags}"}


@pytest.mark.parametrize(
    ("sampler", "headers", "flags"),
    [
        ({"name": "always_on"}, {}, "01"),
        ({}, {}, "00"),
        ({"name": "trace_id_ratio", "options": {"fraction": 1}}, {}, "01"),
        ({"name": "trace_id_ratio", "options": {"fraction": 0}}, {}, "00"),
        ({"name": "parent_base"}, parent("01"), "01"),
        ({"name": "parent_base", "options": {"root": {"name": "always_on"}}}, parent("00"), "00"),
        ({"name": "parent_base", "options": {"root": {"name": "always_on"}}}, {}, "01"),
    ],
)
def test_samplers(build, request_of, sampler, headers, flags):
    ctx = request_of("/", headers=headers)
    build(Opentelemetry, {"sampler": sampler}).rewrite(ctx)
    version, trace, span, told = ctx.headers.get("traceparent").split("-")
    assert (version, told) == ("00", flags)
    assert (trace == TRACE) == bool(headers)
    assert span != SPAN


def test_nothing_without_metadata(build, request_of, scope):
    scope.plugin_metadata.clear()
    ctx = request_of("/")
    build(Opentelemetry, ALWAYS).rewrite(ctx)
    assert "traceparent" not in ctx.headers
    assert scope.logs[0][0] == "warn"


def test_the_trace_id_of_the_request_id(build, request_of, metadata):
    metadata.update({"trace_id_source": "x-request-id", "set_ngx_var": True})
    ctx = request_of("/", headers={"X-Request-Id": TRACE.upper()})
    build(Opentelemetry, ALWAYS).rewrite(ctx)
    assert ctx.variables["opentelemetry_trace_id"] == TRACE


def test_the_collector_gets_a_span(build, deliver, request_of, metadata):
    conf = {**ALWAYS, "additional_attributes": ["arg_a"], "additional_header_prefix_attributes": ["x-my-*"]}
    ctx = request_of("/x?a=1", headers={"X-My-A": "mine"})
    ctx.route = SimpleNamespace(value={"id": "1", "name": "r"})
    ctx.path_params, ctx.status = {"_path": "/x"}, 500

    def make(port):
        collector = {"address": f"127.0.0.1:{port}", "request_headers": {"X-Token": "t"}}
        metadata.update({"collector": collector, "batch_span_processor": {"max_export_batch_size": 1}})
        plugin = build(Opentelemetry, conf)
        plugin.rewrite(ctx)
        return plugin

    [got] = deliver(make, [ctx])
    assert got.line == "POST /v1/traces HTTP/1.1"
    assert (got.headers["content-type"], got.headers["x-token"]) == ("application/x-protobuf", "t")
    for text in (b"GET /x", b"hostname", b"apisix.route_name", b"arg_a", b"x-my-a", b"apisix error: 500"):
        assert text in got.body


def fields(data):
    """number → values of a protocol buffer, read by hand."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 1:
            value, at = data[at : at + 8], at + 8
        else:
            value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
        found.setdefault(key >> 3, []).append(value)
    return found


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def test_the_wire_format():
    span = OtelSpan(TRACE, SPAN, SPAN, "n", 2, 1, 258, {"a": True, "b": 300, "c": 1.5, "d": "x" * 200}, "bad", "s=1")
    [of_resource] = fields(export_request({"r": "v"}, "lib", [span]))[1]
    [resource], [of_scope] = fields(of_resource)[1], fields(of_resource)[2]
    assert fields(resource)[1] == [b"\x0a\x01r\x12\x03\x0a\x01v"]
    assert fields(of_scope)[1] == [b"\x0a\x03lib"]
    [told] = fields(of_scope)[2]
    members = fields(told)
    attributes = members.pop(9)
    assert members == {
        1: [bytes.fromhex(TRACE)],
        2: [bytes.fromhex(SPAN)],
        3: [b"s=1"],
        4: [bytes.fromhex(SPAN)],
        5: [b"n"],
        6: [2],
        7: [(1).to_bytes(8, "little")],
        8: [(258).to_bytes(8, "little")],
        15: [b"\x12\x03bad\x18\x02"],
    }
    values = {fields(one)[1][0]: fields(fields(one)[2][0]) for one in attributes}
    assert values == {b"a": {2: [1]}, b"b": {3: [300]}, b"c": {4: [struct.pack("<d", 1.5)]}, b"d": {1: [b"x" * 200]}}


def test_refused_configurations(refusal):
    problem = refusal(Opentelemetry, {"sampler": {"name": "often"}})
    assert problem.endswith('property "name" validation failed: matches none of the enum values')
