"""batch-requests: what is sent for each member, and the errors for all."""

from __future__ import annotations

import asyncio
import json

import pytest

from harness.emulators.apisix.exchange import Request
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.batch_requests import BatchRequests


async def answer(reader, writer):
    """A server that tells what it got."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.strip().split("\r\n")
    length = next((int(field.split(":")[1]) for field in fields if field.startswith("Content-Length")), 0)
    body = (await reader.readexactly(length)).decode()
    if "slow" in line:
        await asyncio.sleep(1)
    told = json.dumps({"line": line, "fields": sorted(fields), "body": body}).encode()
    status = "204 Golden" if "204" in line else "200 Golden"
    told = b"" if status.startswith("204") else told
    writer.write(f"HTTP/1.1 {status}\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: {len(told)}\r\n\r\n".encode())
    writer.write(b"" if line.startswith("HEAD") else told)


@pytest.fixture
def batch(scope):
    """batch(body, headers) → (status, the JSON answered)."""
    [handle] = BatchRequests.public_api(scope).values()

    async def play(body, headers):
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            request = Request("POST", "/b", "/b", "", Headers.of(headers), body, "127.0.0.9", port)
            return await handle(request)

    def send(body, headers=(("Host", "golden.test"),)):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = asyncio.run(play(raw, headers))
        return response.status, json.loads(response.body)

    return send


def test_members_with_the_headers_and_query_of_all(batch):
    pipeline = [
        {"method": "POST", "path": "/one", "body": "b1", "headers": {"X-Own": "o"}, "query": {"own": "2"}},
        {"path": "/204"},
        {"method": "HEAD", "path": "/head"},
    ]
    outer = [("Host", "golden.test"), ("X-Outer", "x"), ("Content-Type", "application/json")]
    status, answers = batch({"headers": {"X-Common": "c"}, "query": {"q": 1}, "pipeline": pipeline}, outer)
    told = json.loads(answers[0]["body"])
    assert status == 200
    assert (told["line"], told["body"]) == ("POST /one?q=1&own=2 HTTP/1.1", "b1")
    assert {"x-own: o", "x-common: c", "x-outer: x", "host: golden.test", "x-real-ip: 127.0.0.9"} < set(told["fields"])
    assert not any(field.startswith("content-type") for field in told["fields"])
    assert (answers[0]["reason"], answers[0]["headers"]["X-A"]) == ("Golden", ["1", "2"])
    assert answers[1]["status"] == 204
    assert "body" not in answers[1]
    assert "body" not in answers[2]


def test_a_member_that_takes_too_long(batch):
    assert batch({"timeout": 50, "pipeline": [{"path": "/slow"}]})[1] == [{"status": 504, "reason": "upstream timeout"}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no request body, you should give at least one pipeline setting"),
        (b"nope", "invalid request body: nope, err: Expected value but found invalid token at character 1"),
        ({}, 'bad request body: object matches none of the required: ["pipeline"]'),
        ({"pipeline": [{"path": "/a?b"}]}, "request failed: invalid characters found in path"),
        ({"pipeline": [{"path": "/"}] * 3}, "too many pipeline requests, 3 exceeds the maximum of 2"),
    ],
)
def test_errors_for_all(batch, scope, body, message):
    scope.plugin_metadata["batch-requests"] = {"max_pipeline_items": 2}
    assert batch(body) == (400, {"error_msg": message})


def test_a_body_that_is_too_large(batch, scope):
    scope.plugin_metadata["batch-requests"] = {"max_body_size": 3}
    assert batch(b"four")[0] == 413
