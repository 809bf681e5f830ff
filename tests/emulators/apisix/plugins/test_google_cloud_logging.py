"""google-cloud-logging: entries in the name of a service account."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.emulators.apisix.plugins.google_cloud_logging import GoogleCloudLogging


@pytest.fixture(scope="module")
def key():
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), made.public_key()


class Google:
    """The token's and the entries' end-point in one."""

    def __init__(self, status=200):
        self.status = status
        self.asked = []

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line[16:]) for line in head.splitlines() if line.lower().startswith("content-length:"))
        self.asked.append((head, await reader.readexactly(length)))
        answer = b'{"access_token":"tok","token_type":"Bearer","expires_in":100}'
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
        writer.close()


@pytest.fixture
def play(build, run, scope, key):
    """play(google, contexts, **conf): the plugin logs the requests."""

    def start(google, contexts, auth_file=None, **more):
        async def go():
            async with await asyncio.start_server(google.serve, "127.0.0.1", 0) as server:
                origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
                auth = {
                    "client_email": "me@shop",
                    "private_key": key[0],
                    "project_id": "shop",
                    "token_uri": f"{origin}/token",
                    "entries_uri": f"{origin}/entries",
                    "scopes": ["one", "two"],
                }
                conf = {"batch_max_size": 1, "log_format": {"u": "$uri"}, **more}
                if auth_file is None:
                    conf["auth_config"] = auth
                else:
                    auth_file.write_text(json.dumps(auth))
                    conf["auth_file"] = str(auth_file)
                plugin = build(GoogleCloudLogging, conf)
                for ctx, wait in contexts:
                    scope.clock.advance(wait)
                    plugin.log(ctx)
                    async with asyncio.timeout(10):
                        while others := asyncio.all_tasks() - {asyncio.current_task()}:
                            await asyncio.wait(others)

        run(go())

    return start


def test_a_token_is_asked_for_and_used_until_it_is_old(play, request_of, key, scope, tmp_path):
    google = Google()
    requests = [(request_of("/a"), 0), (request_of("/b"), 30), (request_of("/c"), 20)]
    play(google, requests, auth_file=tmp_path / "auth.json")
    paths = [head.split()[1] for head, _ in google.asked]
    assert paths == ["/token", "/entries", "/entries", "/token", "/entries"]
    form = parse_qs(google.asked[0][1].decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    audience = jwt.decode(form["assertion"][0], options={"verify_signature": False})["aud"]
    claims = jwt.decode(
        form["assertion"][0], key[1], algorithms=["RS256"], audience=audience, options={"verify_exp": False}
    )
    assert (claims["iss"], claims["scope"], claims["exp"] - claims["iat"]) == ("me@shop", "one two", 3600)
    assert "Authorization: Bearer tok" in google.asked[1][0]


def test_an_entry_in_the_users_format(play, request_of):
    google = Google()
    ctx = request_of("/a", headers={"User-Agent": "ua"})
    ctx.status, ctx.bytes_sent, ctx.request_length = 200, 20, 10
    play(google, [(ctx, 0.5)])
    told = json.loads(google.asked[1][1])
    assert told["partialSuccess"] is False
    (entry,) = told["entries"]
    assert entry["logName"] == "projects/shop/logs/apisix.apache.org%2Flogs"
    assert entry["resource"] == {"type": "global"}
    assert entry["labels"] == {"source": "apache-apisix-google-cloud-logging"}
    assert len(entry["insertId"]) == 32
    assert entry["jsonPayload"] == {"u": "/a"}


def test_the_full_entry(build, request_of, scope, key):
    auth = {"client_email": "e", "private_key": key[0], "project_id": "shop", "token_uri": "http://127.0.0.1:1"}
    plugin = build(GoogleCloudLogging, {"auth_config": auth, "log_format_extra": {"mine": "$uri", "service_id": "x"}})
    pushed = []
    plugin._queue.push = lambda entry, send, ctx: pushed.append(entry)
    ctx = request_of("/a", headers={"User-Agent": "ua"})
    ctx.status, ctx.bytes_sent, ctx.request_length = 200, 20, 10
    scope.clock.advance(0.5)
    plugin.log(ctx)
    assert pushed[0]["httpRequest"] == {
        "requestMethod": "GET",
        "requestUrl": "http://golden.test:9080/a",
        "requestSize": 10,
        "status": 200,
        "responseSize": 20,
        "userAgent": "ua",
        "remoteIp": "127.0.0.1",
        "latency": "0.500s",
    }
    assert pushed[0]["jsonPayload"] == {"mine": "/a", "service_id": "golden.test"}


def test_without_a_token_nothing_is_sent(play, request_of, scope):
    google = Google(status=400)
    play(google, [(request_of("/a"), 0)])
    assert len(google.asked) == 1
    said = "Batch Processor[google-cloud-logging] failed to process entries: failed to get google oauth token"
    assert ("error", said) in scope.logs


def test_a_file_that_can_not_be_read(build, request_of, scope, tmp_path):
    build(GoogleCloudLogging, {"auth_file": str(tmp_path / "none")}).log(request_of("/a"))
    assert scope.logs[0][1].startswith("failed to fetch google-cloud-logging.oauth object: failed to read")


def test_refused_configurations(refusal):
    assert refusal(GoogleCloudLogging, {}) == "value should match only one schema, but matches none"
