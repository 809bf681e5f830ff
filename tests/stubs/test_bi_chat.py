"""bi-chat: tokens by server-sent events, WebSocket and gRPC streams."""

from __future__ import annotations

import json
import queue
from typing import Any

import grpc
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from stubs.bi_chat import chat_pb2 as pb
from stubs.bi_chat.chat_pb2_grpc import ChatStub

QUESTION = {"message": "how are sales?", "token_ms": 0}
ANSWER = "You asked: how are sales? — here is what the figures say."


@pytest.fixture
def websocket(bi_chat):
    with connect(f"ws://{bi_chat.http.base_url.netloc.decode()}/v1/ws", subprotocols=["bi.v1"]) as found:  # type: ignore[list-item]
        yield found


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_an_answer_comes_token_by_token(bi_chat):
    with bi_chat.http.stream("POST", "/v1/chat", json={**QUESTION, "token_ms": 5}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        pieces = list(answer.iter_raw())
    assert len(pieces) > 5
    found = events(b"".join(pieces).decode())
    assert [name for name, _ in found] == ["token"] * (len(found) - 1) + ["done"]
    assert "".join(data["text"] for _, data in found) == ANSWER
    assert found[-1][1]["tokens"] == len(found) - 1


def test_an_answer_may_come_whole_or_cut(bi_chat):
    assert bi_chat.http.post("/v1/chat", json={**QUESTION, "stream": False}).json()["text"] == ANSWER
    cut = bi_chat.http.post("/v1/chat", json={**QUESTION, "stream": False, "max_tokens": 2}).json()
    assert (cut["text"], cut["tokens"]) == ("You asked: ", 2)
    assert bi_chat.http.post("/v1/chat", json={"message": ""}).status_code == 422


def test_the_websocket_gives_back_text_and_bytes(websocket):
    assert websocket.subprotocol == "bi.v1"
    websocket.send("plain")
    assert websocket.recv() == "plain"
    websocket.send(b"\x00\xff")
    assert websocket.recv() == b"\x00\xff"


def test_the_websocket_echoes_and_chats(websocket):
    websocket.send(json.dumps({"type": "echo", "data": {"a": [1]}}))
    answer = json.loads(websocket.recv())
    assert (answer["type"], answer["data"], answer["replica"]) == ("echo", {"a": [1]}, "bi-chat-0")
    websocket.send(json.dumps({"type": "chat", **QUESTION}))
    text = ""
    while (part := json.loads(websocket.recv()))["type"] == "token":
        text += part["text"]
    assert (part["type"], text) == ("done", ANSWER)


def test_the_websocket_answers_a_wrong_command_and_stays(websocket):
    websocket.send(json.dumps({"type": "chat"}))
    answer = json.loads(websocket.recv())
    assert (answer["type"], answer["code"], answer["errors"][0]["field"]) == ("error", "invalid", "message")
    websocket.send(json.dumps({"type": "fly"}))
    assert "unknown type 'fly'" in json.loads(websocket.recv())["message"]


def test_the_websocket_closes_with_the_code_asked_for(websocket, bi_chat):
    websocket.send(json.dumps({"type": "close", "code": 4001}))
    with pytest.raises(ConnectionClosed):
        websocket.recv()
    assert websocket.close_code == 4001
    (entry,) = bi_chat.http.get("/_stub/journal").json()["requests"]
    assert (entry["protocol"], entry["path"], entry["status"]) == ("websocket", "/v1/ws", 101)


def test_a_websocket_on_another_path_is_refused(bi_chat):
    with pytest.raises(Exception, match=r"404|403"), connect(f"ws://{bi_chat.http.base_url.netloc.decode()}/other"):
        pass


def test_the_knobs_refuse_the_websocket_too(bi_chat):
    bi_chat.http.put("/_stub/knobs", json={"status": 503})
    with pytest.raises(Exception, match="503"), connect(f"ws://{bi_chat.http.base_url.netloc.decode()}/v1/ws"):
        pass


def test_grpc_answers_at_once_by_stream_and_in_conversation(bi_chat):
    question = pb.ChatRequest(**QUESTION)
    with bi_chat.channel() as channel:
        stub = ChatStub(channel)
        assert stub.Ask(question).text == ANSWER
        parts = list(stub.Stream(question))
        assert ("".join(part.text for part in parts), parts[-1].done) == (ANSWER, True)
        talk = list(stub.Converse(iter([question, pb.ChatRequest(message="again", token_ms=0)])))
        assert len({part.id for part in talk}) == 2
        assert [part.done for part in talk].count(True) == 2


def test_a_conversation_answers_before_the_next_question_is_sent(bi_chat):
    questions: queue.Queue[pb.ChatRequest | None] = queue.Queue()
    with bi_chat.channel() as channel:
        answers = ChatStub(channel).Converse(iter(questions.get, None))
        for _ in range(2):
            questions.put(pb.ChatRequest(**QUESTION))
            assert any(part.done for part in answers)  # stops reading at the first `done`
        questions.put(None)
        assert list(answers) == []


def test_a_wrong_message_in_a_conversation_ends_it_with_its_status(bi_chat):
    with bi_chat.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        list(ChatStub(channel).Converse(iter([pb.ChatRequest()])))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
