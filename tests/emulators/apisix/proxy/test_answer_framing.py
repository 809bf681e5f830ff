"""Upstreams' answers side by side with the machine's real nginx: what a client gets of good, odd and broken ones.

Debian's nginx is older than the one in APISIX's image (1.29.2). Where the two differ APISIX's way is kept: see `NEWER`.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Upstream  # type: ignore[import-not-found]
from .framing import exchange  # type: ignore[import-not-found]
from .real_nginx import RealNginx, needs_nginx  # type: ignore[import-not-found]

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n"


def _with(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([first, *lines, b"Content-Length: 2", b"", b"ok"])


#: Answers, each followed by the end of the connection
CASES: dict[str, list[bytes]] = {
    "bodies": [
        *(
            _with(),
            _with() + b"EXTRA",
            _OK + b"Content-Length: 9\r\n\r\nok",
            _OK + b"\r\nok",
            _with(b"Connection: close"),
        ),
        *(_CHUNKED + b"\r\n2\r\nok\r\n0\r\n\r\n" + more for more in (b"", b"EXTRA")),
        *(
            _CHUNKED + b"\r\n" + body
            for body in (b"2\nok\n0\n\n", b"2;a=b\r\nok\r\n0;c\r\n\r\n", b"0\r\n\r\n", b"9\r\nok")
        ),
        *(_CHUNKED + b"\r\n2\r\nok\r\n" + more for more in (b"", b"0\r\n", b"0\r\nX: y\r\n\r\n")),
        *(_OK + b"Transfer-Encoding: " + name + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n" for name in (b"Chunked", b"chunked ")),
        *(_OK + b"Content-Length: " + value + b"\r\n\r\nok" for value in (b"2 ", b"02", b"0000000002")),
    ],
    "statuses": [
        _with(first=line)
        for line in (
            *(
                b"HTTP/1.0 200 OK",
                b"HTTP/1.1 200",
                b"HTTP/1.1 200 ",
                b"HTTP/1.1  200 OK",
                b"HTTP/1.1 20 OK",
                b"HTTP 200 OK",
            ),
            *(
                b"HTTP/1.1 2000 OK",
                b"HTTP/1.1 abc OK",
                b"HTTP/2.0 200 OK",
                b"HTTP/2 200",
                b"HTTP/0.9 200 OK",
                b"ICY 200 OK",
            ),
            *(b"HTTP/1.2 200 OK", b"HTTP/1.10 200 OK", b"http/1.1 200 OK", b"HTTP/1.1 999 X", b"HTTP/1.1 000 X"),
            *(
                b"HTTP/1.1 099 X",
                b"HTTP/1.1 600 X",
                b"HTTP/1.1 200 \xff\x01",
                b"HTTP/1.1 200 OK\0",
                b"HTTP/1.1 200 OK\r",
            ),
            *(b" HTTP/1.1 200 OK", b"\r\nHTTP/1.1 200 OK", b"HTTP/1.1\t200 OK", b"HTTP/1.1 200OK", b"HTTP/1.1 404 Not"),
            *(b"HTTP/1.1 418 tea", b"HTTP/1.1 301 M", b"HTTP/1.1 205 R", b"HTTP/1.1 304 N", b"HTTP/1.1 503 no"),
            b"HTTP/1.1 200 " + b"a" * 5000,
        )
    ],
    "fields": [
        _with(line)
        for line in (
            *(
                b"X : y",
                b" X: y",
                b"X",
                b": y",
                b"X: a\r\n b",
                b"X: a\0b",
                b"X: a\rb",
                b"X\0: y",
                b"X: \x01",
                b"X: \xff",
            ),
            *(b"X(: y", b"X y: z", b"X: a\nY: b", b"X: y\r", b"X:", b"Connection: X-A\r\nX-A: 1", b"Keep-Alive: 5"),
            *(
                b"Upgrade: x",
                b"Proxy-Connection: x",
                b"Trailer: X",
                b"Location: /x\r\nLocation: /y",
                b"Vary: a\r\nVary: b",
            ),
            *(
                b"Content-Type: a/b",
                b"Content-Type: a/b\r\nContent-Type: c/d",
                b"Set-Cookie: a\r\nSet-Cookie: b",
                b"TE: x",
            ),
            *(b"ETag: x\r\nETag: y", b"X-Accel-Buffering: no", b"X-Accel-Expires: 1", b"Status: 404", b"Refresh: 1"),
            *(b"X: " + b"a" * size for size in (3900, 4096 - 45, 4096 - 44, 8000)),
            *(b"\r\n".join([b"X: " + b"a" * 200] * most) for most in (18, 24)),
        )
    ],
    "ends": [
        *(
            b"",
            b"garbage",
            b"HTT",
            b"<html>hi",
            _OK + b"X: y\r\n",
            b"HTTP/1.1 200",
            b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        ),
        *(_OK + b"Content-Length: 0\r\n\r\n", b"HTTP/1.1 304 N\r\nX: y\r\n\r\n", b"HTTP/1.1 205 R\r\nX: y\r\n\r\n"),
        b"HTTP/1.1 101 Sw\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
    ],
}
#: What nginx calls an error since 1.23.0 (two lengths, a length and a coding, others than one `chunked`, no number)
NEWER = [
    *(_CHUNKED + b"Content-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n", _CHUNKED + _CHUNKED[17:] + b"\r\n0\r\n\r\n"),
    *(
        _OK + b"Transfer-Encoding: " + name + b"\r\n\r\n0\r\n\r\n"
        for name in (b"gzip", b"gzip, chunked", b"identity", b"")
    ),
    *(
        _OK + b"Content-Length: " + value + b"\r\n\r\nok"
        for value in (b"+2", b"-2", b"2,2", b"2x", b"", b"0x2", b"9" * 30)
    ),
    *(_OK + b"Content-Length: 2\r\n" + _with()[17:], _OK + b"Content-Length: 3\r\n" + _with()[17:]),
]
ASKED = {
    "GET": b"GET /w HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "HEAD": b"HEAD /w HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "1.0": b"GET /w HTTP/1.0\r\nHost: h\r\n\r\n",
}
#: The proxies' own fields, and their own pages with the lengths of those
_OWN = re.compile(rb"(?im)^(server|date|x-apisix-upstream-status):[^\n]*\n|; charset=utf-8|^content-length: \d\d\d\r\n")
_PAGE = re.compile(rb"<html>.*</html>\s*", re.DOTALL)


class Both:
    """The gateway and nginx, each before an upstream that answers with `answer` and closes."""

    def __init__(self) -> None:
        self.answer = b""
        self.addresses: list[tuple[str, int]] = []

    def say(self, up: Any, to: socket.socket, asked: bytes) -> bool:
        """The upstreams' script."""
        to.sendall(self.answer)
        return False

    def get(self, answer: bytes, asked: bytes) -> list[tuple[list[bytes], bytes, bool]]:
        """What the client of each gets: the lines of the head sorted, the body, whether by a reset."""
        self.answer = answer
        return [_plain(*exchange(address, asked, probe=b"")) for address in self.addresses]


def _plain(received: bytes, reset: bool) -> tuple[list[bytes], bytes, bool]:
    head, _, body = _PAGE.sub(b"<page>", _OWN.sub(b"", received)).partition(b"\r\n\r\n")
    return sorted(head.split(b"\r\n")), body, reset


@pytest.fixture(scope="module")
def both(gateway: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    needs_nginx()
    made = Both()
    ours, its = Upstream(made.say), Upstream(made.say)
    # no connection is used twice: whether its end is seen in time is a race
    once = {"keepalive_pool": {"size": 1, "requests": 1}}
    gateway.route("/w", ours.node, id_="answers", upstream=once)
    with RealNginx(Path(tmp_path_factory.mktemp("nginx")), its.port, keeps=False) as nginx:
        made.addresses = [gateway.address, nginx.address]
        yield made
    gateway.admin.delete("/routes/answers")
    ours.close()
    its.close()


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("kind", CASES)
def test_clients_get_what_nginx_gives_them(both: Both, kind: str, asked: str) -> None:
    differs = {}
    for answer in CASES[kind]:
        ours, its = both.get(answer, ASKED[asked])
        if ours != its:
            differs[answer] = (ours, its)
    assert not differs


def test_what_is_an_error_since_1_23_is_a_502(both: Both) -> None:
    differs = {}
    for answer in NEWER:
        ours, its = both.get(answer, ASKED["GET"])
        if b"HTTP/1.1 502 Bad Gateway" not in ours[0]:
            differs[answer] = (ours, its)
        assert b"HTTP/1.1 200 OK" in its[0], "no longer a difference: move it to CASES"
    assert not differs


@pytest.mark.parametrize("body", [b"zz\r\nok\r\n0\r\n\r\n", b"2\r\nokX\r\n0\r\n\r\n"])
def test_bad_chunks_end_the_answer_and_are_no_502(both: Both, body: bytes) -> None:
    """The head was good. nginx, which holds the first 1460 bytes back, has sent nothing then; we sent the head."""
    ours, its = both.get(_CHUNKED + b"\r\n" + body, ASKED["GET"])
    assert its == ([b""], b"", False)
    assert b"HTTP/1.1 200 OK" in ours[0]
    assert not ours[1].endswith(b"0\r\n\r\n")


def test_a_204_loses_its_length(both: Both) -> None:
    """Since nginx 1.29 (ngx_http_header_filter); the one of Debian passes it on."""
    ours, its = both.get(_with(first=b"HTTP/1.1 204 N"), ASKED["GET"])
    assert (ours[1], its[1]) == (b"", b"")
    assert b"Content-Length: 2" not in ours[0] and b"Content-Length: 2" in its[0]


def test_interim_answers_are_none(both: Both) -> None:
    """early_hints is off by default since nginx 1.29; older ones took a 103 for the answer."""
    ours, _ = both.get(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + _with(), ASKED["GET"])
    assert ours == ([b"Connection: close", b"Content-Length: 2", b"HTTP/1.1 200 OK"], b"ok", False)
