"""Answers that come bit by bit: exports, server-sent events, WebSocket, gRPC."""

from __future__ import annotations

import itertools
import json
import time

import grpc
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from stubs.bi_basic import basic_pb2, basic_pb2_grpc
from stubs.bi_chat import chat_pb2, chat_pb2_grpc


@pytest.fixture
def user(gateway):
    return gateway.bearer("bi-user")


def test_an_export_streams_every_row(gateway, user):
    path = "/bi-analysis/v1/reports/r-sales-1000-3/export.csv"
    with gateway.stream("GET", path, params={"rows": 20_000}, headers=user) as answer:
        assert answer.headers["Content-Type"].startswith("text/csv")
        rows = sum(1 for _ in answer.iter_lines())
    assert rows == 20_001, "the header line and 20,000 rows"


def test_an_answer_comes_token_by_token(gateway, user):
    question = {"message": "one two three four five", "token_ms": 60}
    arrivals, events = [], []
    with gateway.stream("POST", "/bi-chat/v1/chat", json=question, headers=user) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                arrivals.append(time.monotonic())
                events.append(json.loads(line[6:]))
    assert [event["done"] for event in events] == [False] * (len(events) - 1) + [True]
    assert arrivals[-1] - arrivals[0] > 0.06 * (len(events) - 2) * 0.5, "spread over time, not in one piece at the end"


def test_a_websocket_goes_through(gateway, stack):
    url = stack.endpoints.gateway_http.replace("http", "ws", 1) + "/bi-chat/v1/ws"
    with connect(url, additional_headers=gateway.bearer("bi-user")) as socket:
        socket.send("hello")
        assert socket.recv(5) == "hello"
        socket.send(b"\x00\xff")
        assert socket.recv(5) == b"\x00\xff"
        socket.send(json.dumps({"type": "chat", "message": "hi", "token_ms": 0}))
        kinds = [json.loads(socket.recv(5))["type"]]
        while kinds[-1] != "done":
            kinds.append(json.loads(socket.recv(5))["type"])
    assert set(kinds[:-1]) == {"token"}


def test_a_websocket_needs_a_token_too(stack):
    url = stack.endpoints.gateway_http.replace("http", "ws", 1) + "/bi-chat/v1/ws"
    with pytest.raises(InvalidStatus) as refused, connect(url):
        pass
    assert refused.value.response.status_code == 401


@pytest.fixture
def channel(service):
    """`channel("bi-chat")`: a gRPC channel to the first replica, past the gateway."""
    opened = []

    def open_channel(name: str) -> grpc.Channel:
        opened.append(grpc.insecure_channel(service(name).replicas[0].grpc))
        return opened[-1]

    yield open_channel
    for each in opened:
        each.close()


@pytest.mark.requires("direct")
def test_grpc_unary(channel):
    users = basic_pb2_grpc.BasicStub(channel("bi-basic"))
    assert users.GetUser(basic_pb2.GetUserRequest(id="u-1001"), timeout=5).username == "alice"
    with pytest.raises(grpc.RpcError) as missing:
        users.GetUser(basic_pb2.GetUserRequest(id="u-0"), timeout=5)
    assert missing.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.requires("direct")
def test_grpc_server_stream(channel):
    chat = chat_pb2_grpc.ChatStub(channel("bi-chat"))
    tokens = list(chat.Stream(chat_pb2.ChatRequest(message="one two", token_ms=0), timeout=5))
    assert tokens[-1].done and tokens[-1].tokens == len(tokens) - 1


@pytest.mark.requires("direct")
def test_grpc_in_both_directions(channel):
    chat = chat_pb2_grpc.ChatStub(channel("bi-chat"))
    questions = [chat_pb2.ChatRequest(message=text, token_ms=0) for text in ("first", "second")]
    answers = list(chat.Converse(iter(questions), timeout=5))
    ids = [id for id, _ in itertools.groupby(token.id for token in answers)]
    assert len(ids) == 2 and sum(token.done for token in answers) == 2
