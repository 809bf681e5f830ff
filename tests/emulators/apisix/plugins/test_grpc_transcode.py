"""grpc-transcode: JSON to protocol buffers and back."""

from __future__ import annotations

import base64
import json

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.grpc_transcode import GrpcTranscode
from harness.emulators.apisix.plugins.proto_messages import Options, Proto, decode, encode
from harness.emulators.apisix.protobuf.parser import parse

SOURCE = """
syntax = "proto3";  // a comment
package golden;
option java_package = "x.y";
/* more */
service Echo {
  option deprecated = true;
  rpc Say (Msg) returns (Msg) {}
  rpc Watch (Msg) returns (stream golden.Msg);
}
enum Kind { NONE = 0; SOME = 1 [deprecated = true]; }
message Msg {
  reserved 90, 91;
  string text = 1;
  int64 n = 2;
  Kind kind = 3;
  repeated string list = 4;
  map<string, int32> counts = 5;
  Inner inner = 6;
  repeated Inner inners = 7;
  oneof choice { string left = 8; int32 right = 9; }
  bool flag = 10;
  bytes raw = 11;
  double ratio = 12;
  message Inner { string name = 1; }
}
"""
FULL = {
    "text": "ö",
    "n": 5,
    "kind": "SOME",
    "list": ["a", "b"],
    "counts": {"x": 1},
    "inner": {"name": "i"},
    "inners": [{"name": "j"}],
    "right": 3,
    "flag": True,
    "raw": "r",
    "ratio": 0.5,
}
CONF = {"proto_id": "1", "service": "golden.Echo", "method": "Say"}


@pytest.fixture
def msg():
    return Proto(SOURCE).message("golden.Msg")


def test_all_kinds_of_fields_there_and_back(msg):
    assert decode(msg, encode(msg, {**FULL, "unknown": 1}), Options()) == FULL


def test_numbers_in_text_and_enumerations_by_number(msg):
    table = decode(msg, encode(msg, {"n": "#7", "kind": 1, "list": "one"}), Options(enum_as_value=True))
    assert (table["n"], table["kind"], table["list"]) == (7, 1, ["one"])


@pytest.mark.parametrize(
    ("options", "n"), [([], 2**40), (["int64_as_string"], "#1099511627776"), (["int64_as_hexstring"], "#0x10000000000")]
)
def test_wide_numbers(msg, options, n):
    assert decode(msg, encode(msg, {"n": 2**40}), Options.of(options))["n"] == n


def test_defaults(msg):
    empty = {"text": "", "n": 0, "kind": "NONE", "list": [], "counts": {}, "inners": [], "raw": "", "ratio": 0}
    empty["flag"] = False
    assert decode(msg, b"", Options.of(["auto_default_values"])) == empty
    assert decode(msg, b"", Options.of(["no_default_values"])) == {}


def test_a_descriptor_set_in_base64():
    packed = base64.b64encode(FileDescriptorSet(file=[parse(SOURCE, "a.proto")]).SerializeToString()).decode()
    assert Proto(packed).method("golden.Echo", "Watch").server_streaming


def test_streams_and_types_of_methods():
    method = Proto(SOURCE).method("golden.Echo", "Say")
    assert (method.input_type.full_name, method.client_streaming) == ("golden.Msg", False)
    assert Proto(SOURCE).method("golden.Echo", "Nope") is None


@pytest.mark.parametrize("content", ["message {", 'syntax = "proto3"; message A { B b = 1; }'])
def test_content_that_can_not_be_read(content):
    with pytest.raises(ValueError, match=r"\S"):
        Proto(content)


@pytest.fixture
def asked(build, request_of, run, scope):
    """asked(conf, target, …) → (plugin, context, verdict)."""
    scope.resources["protos", "1"] = {"id": "1", "content": SOURCE}

    def play(conf=None, target="/say?text=hi&n=3", **request):
        plugin, ctx = build(GrpcTranscode, {**CONF, **(conf or {})}), request_of(target, **request)
        return plugin, ctx, run(plugin.access(ctx))

    return play


def test_a_call_made_of_a_query(asked, msg):
    _, ctx, verdict = asked({"deadline": 300})
    assert verdict is None
    assert (ctx.upstream_method, ctx.upstream_uri) == ("POST", "/golden.Echo/Say")
    assert ctx.headers.get("grpc-timeout") == "300m"
    assert ctx.body[:5] == b"\0" + len(ctx.body[5:]).to_bytes(4, "big")
    assert decode(msg, ctx.body[5:], Options.of(["no_default_values"])) == {"text": "hi", "n": 3}


@pytest.mark.parametrize(
    ("kind", "body"), [("application/json", b'{"text":"hi"}'), ("application/x-www-form-urlencoded", b"text=hi")]
)
def test_a_call_made_of_a_body(asked, msg, kind, body):
    _, ctx, _ = asked(target="/say", method="POST", headers={"Content-Type": kind}, body=body)
    assert decode(msg, ctx.body[5:], Options.of(["no_default_values"])) == {"text": "hi"}


@pytest.mark.parametrize(("conf", "target", "status"), [({"method": "Nope"}, "/say", 503), ({}, "/say?n=many", 400)])
def test_calls_that_can_not_be_made(asked, conf, target, status):
    assert asked(conf, target)[2].status == status


def test_the_answer_as_json(asked, msg):
    plugin, ctx, _ = asked({"pb_option": ["no_default_values"]})
    ctx.status, ctx.response = 200, Headers.of([("Content-Type", "application/grpc")])
    plugin.header_filter(ctx)
    assert ctx.response.get_all("trailer") == ["grpc-status", "grpc-message"]
    message = encode(msg, {"text": "hello"})
    frame = b"\0" + len(message).to_bytes(4, "big") + message
    assert json.loads(plugin.body_filter(ctx, frame, True)) == {"text": "hello"}


def test_a_failed_call(asked, msg):
    plugin, ctx, _ = asked({"show_status_in_body": True, "status_detail_type": "golden.Msg"})
    detail = encode(msg, {"text": "why"})
    # google.rpc.Status by hand: code 14, a message, one detail
    any_ = b"\x12" + bytes([len(detail)]) + detail
    status = b"\x08\x0e\x12\x04down\x1a" + bytes([len(any_)]) + any_
    packed = base64.b64encode(status).decode().rstrip("=")
    ctx.status, ctx.response = 200, Headers.of([("grpc-status", "14"), ("grpc-status-details-bin", packed)])
    plugin.header_filter(ctx)
    assert ctx.status == 503
    error = json.loads(plugin.body_filter(ctx, b"", True))["error"]
    assert (error["code"], error["message"], error["details"][0]["text"]) == (14, "down", "why")


def test_refused_configurations(refusal):
    assert refusal(GrpcTranscode, {"service": "a", "method": "b"}) == 'property "proto_id" is required'
