"""Heads, routes and answers that were seen before take short ways: what comes out is the same as the first time."""

from __future__ import annotations

import logging
import re
import socket
from typing import Any

import jwt
import pytest

SECRET = "short-secret-short-secret-short-1"

#: path → the rest of the request's head; each is asked in every way of `_ways`
REQUESTS = {
    "plain": b"GET /short/plain HTTP/1.1\r\nHost: h\r\n\r\n",
    "query": b"GET /short/plain?a=1&b=%20 HTTP/1.1\r\nHost: H:80\r\nX-Forwarded-For: 1.2.3.4\r\nAccept: */*\r\n\r\n",
    "head": b"HEAD /short/plain HTTP/1.1\r\nHost: h\r\n\r\n",
    "empty body": b"POST /short/plain HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "body": b"POST /short/plain HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
    "auth": b"GET /short/auth HTTP/1.1\r\nHost: h\r\napikey: short\r\n\r\n",
    "spoofed": b"GET /short/auth HTTP/1.1\r\nHost: h\r\napikey: short\r\nX-Consumer-Username: other\r\n\r\n",
    "refused": b"GET /short/auth HTTP/1.1\r\nHost: h\r\n\r\n",
    "merged": b"GET /short/auth HTTP/1.1\r\nHost: h\r\napikey: merged\r\n\r\n",
    "hidden": b"GET /short/hidden?apikey=short&a=1 HTTP/1.1\r\nHost: h\r\n\r\n",
    "rewritten": b"GET /short/rewritten HTTP/1.1\r\nHost: h\r\n\r\n",
    "inside": b"GET /short/inside HTTP/1.1\r\nHost: h\r\n\r\n",
    "unmatched": b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
    "bad": b"GET /short/plain HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\n"
_CHANGES = re.compile(rb"(Date: [^\r]*|X-RateLimit-(?:Remaining|Reset): [^\r]*)")


def _answer(upstream: Any, connection: socket.socket, request: bytes) -> bool:
    if b"/short/inside" in request:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /short/auth\r\nContent-Length: 0\r\n\r\n")
    else:
        connection.sendall(ANSWER if request.startswith(b"HEAD") else ANSWER + b"ok")
    return True


@pytest.fixture
def node(gateway: Any, upstream: Any) -> Any:
    up = upstream(_answer)
    limit = {"count": 1000, "time_window": 60}
    gateway.put("consumers", {"username": "short", "plugins": {"key-auth": {"key": "short"}}})
    own = {"proxy-rewrite": {"headers": {"set": {"X-Merged": "1"}}}}
    gateway.put("consumers", {"username": "merged", "plugins": {"key-auth": {"key": "merged"}, **own}})
    gateway.route("/short/plain", up.node, id_="short-plain")
    hiding = {"key-auth": {"hide_credentials": True}}
    gateway.route("/short/hidden", up.node, id_="short-hidden", plugins=hiding)
    gateway.route("/short/inside", up.node, id_="short-inside")
    gateway.route("/short/auth", up.node, id_="short-auth", plugins={"key-auth": {}, "limit-count": limit})
    rewrite = {"uri": "/elsewhere", "headers": {"set": {"X-Set": "1"}}, "method": "PUT"}
    gateway.route("/short/rewritten", up.node, id_="short-rewritten", plugins={"proxy-rewrite": rewrite})
    return up


def _read(connection: socket.socket, *, bodyless: bool) -> bytes:
    """One answer, by its own framing."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    while not bodyless and (len(body) < int(length[1]) if length else not body.endswith(b"0\r\n\r\n")):
        body += _more(connection)
    return _CHANGES.sub(b"", head + b"\r\n\r\n" + body)


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    assert data, "closed too early"
    return data


def _ways(gateway: Any, request: bytes) -> list[bytes]:
    """The answers to the same request: as the first and second of a connection, in two pieces, pipelined."""
    bodyless = request.startswith(b"HEAD")
    answers = []
    for pieces in ([request], [request], [request[:9], request[9:]], [request[:-3], request[-3:]]):
        with gateway.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                connection.sendall(piece)
            answers.append(_read(connection, bodyless=bodyless))
            if b"Connection: close" not in answers[-1]:
                connection.sendall(request)
                answers.append(_read(connection, bodyless=bodyless))
    return answers


@pytest.mark.parametrize("name", REQUESTS)
def test_the_same_request_gets_the_same_answer_in_every_way(gateway: Any, node: Any, name: str) -> None:
    answers = _ways(gateway, REQUESTS[name])
    assert len(set(answers)) == 1
    assert len(set(node.seen)) <= (2 if name == "inside" else 1)


def test_what_the_upstream_is_sent(gateway: Any, node: Any) -> None:
    own = b"X-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\nX-Forwarded-Port: %d\r\n" % gateway.address[1]
    begin = b"Host: h\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\n"
    for name, first, more in (
        ("plain", b"GET /short/plain", own),
        ("auth", b"GET /short/auth", b"apikey: short\r\n" + own + b"X-Consumer-Username: short\r\n"),
        ("spoofed", b"GET /short/auth", b"apikey: short\r\nX-Consumer-Username: short\r\n" + own),
        ("merged", b"GET /short/auth", b"apikey: merged\r\n" + own + b"X-Consumer-Username: merged\r\nX-Merged: 1\r\n"),
        ("hidden", b"GET /short/hidden?a=1", own + b"X-Consumer-Username: short\r\n"),
        ("rewritten", b"PUT /elsewhere", own + b"X-Set: 1\r\n"),
    ):
        node.seen.clear()
        _ways(gateway, REQUESTS[name])
        assert set(node.seen) == {first + b" HTTP/1.1\r\n" + begin + more + b"\r\n"}, name


def test_pipelined_requests_are_answered_in_turn(gateway: Any, node: Any) -> None:
    with gateway.connect() as connection:
        connection.sendall(REQUESTS["plain"] + REQUESTS["unmatched"] + REQUESTS["plain"] + REQUESTS["auth"])
        received = b""
        while received.count(b"HTTP/1.1 ") < 4 or not received.endswith(b"ok"):
            received += _more(connection)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"404", b"200", b"200"]


def test_a_change_of_the_configuration_holds_for_heads_seen_before(gateway: Any, node: Any, upstream: Any) -> None:
    def status(name: str) -> bytes:
        (answer,) = set(_ways(gateway, REQUESTS[name]))
        return answer[9:12]

    assert (status("plain"), status("auth")) == (b"200", b"200")
    other = upstream()
    gateway.route("/short/plain", other.node, id_="short-plain")
    node.seen.clear()
    assert status("plain") == b"200"
    assert other.seen and not node.seen
    gateway.put("consumers", {"username": "short", "plugins": {"key-auth": {"key": "changed"}}})
    assert status("auth") == b"401"
    gateway.put("global_rules/short", {"plugins": {"ip-restriction": {"blacklist": ["127.0.0.1"]}}})
    try:
        assert status("plain") == b"403"
    finally:
        gateway.admin.delete("/global_rules/short").raise_for_status()
    assert status("plain") == b"200"
    gateway.admin.delete("/routes/short-plain").raise_for_status()
    assert status("plain") == b"404"


def test_a_head_shared_by_requests_is_not_changed_by_a_redirect_inside(gateway: Any, node: Any) -> None:
    gateway.put("consumers", {"username": "short", "plugins": {"key-auth": {"key": "short"}}})
    request = b"GET /short/inside HTTP/1.1\r\nHost: h\r\napikey: short\r\n\r\n"
    (answer,) = set(_ways(gateway, request))
    assert answer.startswith(b"HTTP/1.1 200")
    begun = [seen for seen in node.seen if b"/short/inside" in seen]
    assert begun and not any(b"Consumer" in seen for seen in begun)
    ended = [seen for seen in node.seen if b"/short/auth" in seen]
    assert ended and all(seen.count(b"X-Consumer-Username") == 1 for seen in ended)


def _status(gateway: Any, request: bytes) -> bytes:
    (answer,) = set(_ways(gateway, request))
    return answer[9:12]


def test_a_token_seen_before_is_good_for_its_own_time_alone(gateway: Any, node: Any) -> None:
    gateway.put("consumers", {"username": "timed", "plugins": {"jwt-auth": {"key": "timed", "secret": SECRET}}})
    gateway.route("/short/timed", node.node, id_="short-timed", plugins={"jwt-auth": {}})
    clock = gateway.server.gateway.clock
    now = int(clock.time())
    token = jwt.encode({"key": "timed", "nbf": now + 1000, "exp": now + 2000}, SECRET, algorithm="HS256")
    request = f"GET /short/timed HTTP/1.1\r\nHost: h\r\nAuthorization: {token}\r\n\r\n".encode()
    try:
        assert _status(gateway, request) == b"401"
        gateway.server.advance(1100)
        assert _status(gateway, request) == b"200"
        gateway.server.advance(1000)
        assert _status(gateway, request) == b"401"
        # back to where it is not good yet: what was kept of its good time must not count
        gateway.server.call(lambda running: running.clock.reset())
        assert _status(gateway, request) == b"401"
        gateway.server.advance(1100)
        assert _status(gateway, request) == b"200"
        secret = {"key": "timed", "secret": SECRET[::-1]}
        gateway.put("consumers", {"username": "timed", "plugins": {"jwt-auth": secret}})
        assert _status(gateway, request) == b"401"
    finally:
        gateway.server.call(lambda running: running.clock.reset())


def test_clients_with_the_same_head_keep_their_own_addresses(gateway: Any, node: Any) -> None:
    node.seen.clear()
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"):
        with socket.create_connection(gateway.address, timeout=5, source_address=(address, 0)) as connection:
            for name in ("plain", "auth"):
                connection.sendall(REQUESTS[name])
                assert _read(connection, bodyless=False).startswith(b"HTTP/1.1 200")
                assert b"X-Real-IP: %s\r\nX-Forwarded-For: %s\r\n" % (2 * (address.encode(),)) in node.seen[-1]


def test_a_refused_key_is_logged_each_time(gateway: Any, node: Any, caplog: pytest.LogCaptureFixture) -> None:
    gateway.put("consumers", {"username": "nobody"})
    anonymous = {"key-auth": {"anonymous_consumer": "nobody"}}
    gateway.route("/short/anonymous", node.node, id_="short-anonymous", plugins=anonymous)
    request = b"GET /short/anonymous HTTP/1.1\r\nHost: h\r\napikey: wrong\r\n\r\n"
    with caplog.at_level(logging.WARNING):
        assert len(set(_ways(gateway, request))) == 1
    logged = [record for record in caplog.records if "invalid api key" in record.getMessage()]
    assert len(logged) == 8


def test_the_journal_tells_of_requests_that_took_a_short_way(gateway: Any, node: Any) -> None:
    _ways(gateway, REQUESTS["auth"])
    told = gateway.server.journal(2)
    assert [one["consumer"] for one in told] == ["short", "short"]
    assert all([step["plugin"] for step in one["plugins"]] == ["key-auth", "limit-count"] for one in told)
    assert all(step["said"] == "went on" for one in told for step in one["plugins"])
    assert all(one["seconds"] > 0 for one in told)
