"""What every replica does around its RPCs: echo, health, journal, knobs, refusals."""

from __future__ import annotations

import grpc
import pytest

from stubs.bi_basic import basic_pb2 as basic
from stubs.bi_basic.basic_pb2_grpc import BasicStub
from stubs.bi_chat import chat_pb2 as chat
from stubs.bi_chat.chat_pb2_grpc import ChatStub
from stubs.common import stub_pb2 as pb
from stubs.common.stub_pb2_grpc import StubStub

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


def health(channel: grpc.Channel, service: str = "") -> bytes:
    name = service.encode()
    request = bytes((0x0A, len(name))) + name if name else b""
    check = channel.unary_unary("/grpc.health.v1.Health/Check", lambda data: data, lambda data: data)
    answer: bytes = check(request)
    return answer


def test_echo_returns_metadata_and_body(bi_chat):
    with bi_chat.channel() as channel:
        metadata = [("x-request-id", "rid"), ("x-twice", "1"), ("x-twice", "2")]
        seen = StubStub(channel).Echo(pb.EchoRequest(body=b"\xff"), metadata=metadata)
    assert (seen.service, seen.replica, seen.request_id, seen.body) == ("bi-chat", "bi-chat-0", "rid", b"\xff")
    assert [header.value for header in seen.headers if header.name == "x-twice"] == ["1", "2"]


def test_health_follows_the_knob_and_knows_the_service_by_name(bi_chat):
    with bi_chat.channel() as channel:
        assert (health(channel), health(channel, "bi-chat")) == (SERVING, SERVING)
        bi_chat.http.put("/_stub/knobs", json={"healthy": False})
        assert health(channel) == NOT_SERVING
        with pytest.raises(grpc.RpcError) as refused:
            health(channel, "bi-other")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_watched_health_tells_each_change(bi_chat):
    with bi_chat.channel() as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch", lambda data: data, lambda data: data)
        states = watch(b"", timeout=10)
        assert next(states) == SERVING
        bi_chat.http.put("/_stub/knobs", json={"healthy": False})
        assert next(states) == NOT_SERVING
        states.cancel()


def test_calls_are_in_the_journal_with_the_status_that_stands_for_theirs(bi_basic):
    with bi_basic.channel() as channel:
        BasicStub(channel).GetUser(basic.GetUserRequest(id="u-1001"), metadata=[("x-request-id", "rid-g")])
        with pytest.raises(grpc.RpcError) as refused:
            BasicStub(channel).GetUser(basic.GetUserRequest(id="u-0"), metadata=[("x-request-id", "rid-g")])
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert dict(refused.value.trailing_metadata()) == {"x-error-code": "not_found", "x-request-id": "rid-g"}
    entries = bi_basic.http.get("/_stub/journal?request_id=rid-g").json()["requests"]
    assert [(entry["protocol"], entry["path"], entry["status"]) for entry in entries] == [
        ("grpc", "/bi.basic.v1.Basic/GetUser", 200),
        ("grpc", "/bi.basic.v1.Basic/GetUser", 404),
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, grpc.StatusCode.UNAVAILABLE),
        (429, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (418, grpc.StatusCode.UNKNOWN),
        (599, grpc.StatusCode.INTERNAL),
    ],
)
def test_the_knobs_touch_calls_of_every_kind(bi_chat, status, code):
    bi_chat.http.put("/_stub/knobs", json={"status": status})
    question = chat.ChatRequest(message="x")
    with bi_chat.channel() as channel:
        stub = ChatStub(channel)
        for call in (
            lambda: stub.Ask(question),
            lambda: list(stub.Stream(question)),
            lambda: list(stub.Converse(iter([question]))),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                call()
            assert refused.value.code() is code


def test_a_call_given_up_by_its_caller_is_noted_as_such(bi_chat):
    with bi_chat.channel() as channel:
        tokens = ChatStub(channel).Stream(chat.ChatRequest(message="x", token_ms=1000))
        tokens.initial_metadata()  # the call has arrived
        tokens.cancel()
        assert ChatStub(channel).Ask(chat.ChatRequest(message="x", token_ms=0)).tokens
    entries = bi_chat.http.get("/_stub/journal").json()["requests"]
    assert [entry["status"] for entry in entries] == [499, 200]
