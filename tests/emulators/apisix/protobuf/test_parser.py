"""Sources that load, with their types, and refusals in protoc.lua's words."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from harness.emulators.apisix.protobuf.lexer import ProtoError
from harness.emulators.apisix.protobuf.parser import parse

SOURCE = """
// a comment
syntax = "proto3";
package shop.v1;
option go_package = "x/y";
/* another */
message Order {
  reserved 9, 20 to max;
  message Line { string sku = 1; int32 count = 2 [json_name = "n", deprecated = true]; }
  enum State { option allow_alias = true; NEW = 0; FRESH = 0; DONE = 1; }
  repeated Line lines = 1;
  State state = 2;
  map<string, Line> by_sku = 3;
  oneof paid { string card = 4; bool cash = 5; }
}
message Query { .shop.v1.Order like = 1; Order.State state = 2; }
service Orders {
  rpc Get(Query) returns (Order) { option (google.api.http) = { get: "/v1/{id}" body: "*" }; }
  rpc Watch(stream Query) returns (stream Order);
}
"""


def test_types_are_found_from_the_inside_out() -> None:
    file = parse(SOURCE)
    order, query = file.message_type
    assert [field.type_name for field in order.field[:3]] == [
        ".shop.v1.Order.Line",
        ".shop.v1.Order.State",
        ".shop.v1.Order.BySkuEntry",
    ]
    assert order.field[1].type == FieldDescriptorProto.TYPE_ENUM
    assert order.field[3].HasField("oneof_index")
    assert [field.type_name for field in query.field] == [".shop.v1.Order", ".shop.v1.Order.State"]
    assert order.nested_type[0].field[1].json_name == "n"
    get, watch = file.service[0].method
    assert (get.input_type, get.output_type) == (".shop.v1.Query", ".shop.v1.Order")
    assert (watch.client_streaming, watch.server_streaming) == (True, True)


def test_google_s_own_library_takes_the_descriptor() -> None:
    file = parse(SOURCE)
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    assert pool.FindMessageTypeByName("shop.v1.Order").fields_by_name["by_sku"].is_repeated


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("this is no proto", "filename for loaded:1:6: unknown keyword 'this'"),
        ("message A { string a = 1; }", "filename for loaded:1:20: proto2 disallow missing label"),
        (
            'syntax = "proto3";\nmessage A {\n  int32 a = 1;\n  int32 b = 1;\n}',
            "filename for loaded:4:3: field number '1' exists, previous at 3:3",
        ),
        ('syntax = "proto3"; message A { Gone b = 1; }', "filename for loaded:1:32: unknown type 'Gone'"),
        ('syntax = "proto3"; message A { int32 b = 0; }', "filename for loaded:1:43: invalid tag number: 0"),
        ('syntax = "proto3"; message A { int32 b; }', "filename for loaded:1:39: '=' expected"),
        ('syntax = "proto3"; message A {', "filename for loaded:1:31: type name expected"),
        ('syntax = "proto3" message A {}', "filename for loaded:1:19: ';' expected"),
        ('import "other.proto";', "module load error: other.proto"),
        ('syntax = "proto3"; service S { rpc A(int32) returns (B); }', "rpc input type must by message"),
        ("/* never ended", "unfinished comment"),
    ],
)
def test_refusals(source: str, text: str) -> None:
    with pytest.raises(ProtoError) as caught:
        parse(source)
    assert text in str(caught.value)
