"""How a replica leaves: what is in flight is finished, new work is not taken."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from harness.wait import until
from stubs.bi_chat import chat_pb2 as chat
from stubs.bi_chat.chat_pb2_grpc import ChatStub


def in_flight(replica) -> bool:
    requests = replica.http.get("/_stub/journal").json()["requests"]
    return any(entry["status"] is None for entry in requests)


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor() as found:
        yield found


def test_a_request_in_flight_is_finished_after_sigterm(warm, pool):
    replica = warm.start("bi-analysis", "analysis-drains")
    slow = pool.submit(replica.http.post, "/v1/queries", json={"latency_ms": 700})
    until(lambda: in_flight(replica), 5, awaited="the request in flight")
    os.kill(replica.pid, signal.SIGTERM)
    assert slow.result().status_code == 200
    warm.event("exited", id="analysis-drains", code=0)
    with pytest.raises(httpx.TransportError):
        replica.http.get("/healthz")


def test_streams_in_flight_are_finished_too(warm, pool):
    replica = warm.start("bi-chat", "chat-drains")
    question = {"message": "x", "token_ms": 60}

    def tokens_by_grpc() -> int:
        with replica.channel() as channel:
            return len(list(ChatStub(channel).Stream(chat.ChatRequest(**question))))

    by_http = pool.submit(replica.http.post, "/v1/chat", json=question)
    by_grpc = pool.submit(tokens_by_grpc)
    until(lambda: len(replica.http.get("/_stub/journal").json()["requests"]) == 2, 5, awaited="both in flight")
    os.kill(replica.pid, signal.SIGTERM)
    assert by_http.result().text.count("event: done") == 1
    assert by_grpc.result() == by_http.result().text.count("event: ")
    warm.event("exited", id="chat-drains", code=0)


def test_what_outlasts_the_grace_is_cut(warm, pool):
    replica = warm.start("bi-chat", "chat-cut", GRACE_SECONDS="0.2")
    endless = pool.submit(replica.http.post, "/v1/chat", json={"message": "x " * 1000, "token_ms": 900})
    until(lambda: in_flight(replica), 5, awaited="the request in flight")
    os.kill(replica.pid, signal.SIGTERM)
    warm.event("exited", id="chat-cut", code=0)
    with pytest.raises(httpx.TransportError):
        endless.result()


def test_one_replica_runs_by_its_own_command_and_ends_on_sigterm():
    env = {**os.environ, "REPLICA_ID": "alone", "DEPLOY_ENV": "test"}
    process = subprocess.Popen(
        [sys.executable, "-m", "stubs", "bi-api-leke"], env=env, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    ready = json.loads(process.stdout.readline())
    assert (ready["message"], ready["replica"]) == ("ready", "alone")
    answer = httpx.get(f"http://{ready['http']}/readyz")
    assert answer.json() == {"status": "ready", "service": "bi-api-leke", "replica": "alone", "deploy_env": "test"}
    process.terminate()
    assert process.wait(10) == 0


@pytest.mark.parametrize("arguments", [[], ["bi-other"], ["bi-basic", "--warm"]])
def test_a_wrong_command_line_is_explained(arguments):
    done = subprocess.run([sys.executable, "-m", "stubs", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: python -m stubs" in done.stderr
