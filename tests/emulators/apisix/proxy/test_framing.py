"""Framing side by side with the machine's real nginx: the same bytes, the same answers, the same requests upstream.

Where Debian's nginx and APISIX's own (OpenResty 1.29.2 in 3.18's image) differ, APISIX's way is kept, and listed here.
"""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Upstream  # type: ignore[import-not-found]
from .framing import Seen, see  # type: ignore[import-not-found]
from .framing_cases import CASES, request  # type: ignore[import-not-found]
from .real_nginx import RealNginx, needs_nginx  # type: ignore[import-not-found]

#: How many mutated requests are tried, and from what
MUTATED = 300
_ATOMS = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"4", b"/", b"%", b"?", b"#", b"..", b"//"),
    *(b"HTTP/1.1", b"HTTP/1.0", b"Content-Length: 4", b"Transfer-Encoding: chunked", b"Host: h.test", b"\r\n\r\n"),
    *(
        b"Connection: close",
        b"Connection: keep-alive",
        b"Expect: 100-continue",
        b"\xff",
        b"0\r\n\r\n",
        b"GET ",
        b"HEAD ",
    ),
    *(b"4\r\nabcd\r\n", b"_", b"(", b"%00", b"%2f", b"%2e", b"[::1]", b"X: y\r\n"),
)


def _answer(up: Any, to: socket.socket, asked: bytes) -> bool:
    to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if asked.startswith(b"HEAD") else b"ok"))
    return True


class Both:
    """The gateway and nginx, each before a node of its own."""

    def __init__(self, gateway: Any, ours: Any, nginx: RealNginx, its: Any) -> None:
        self._gateway, self._ours = gateway, ours
        self._nginx, self._its = nginx, its

    def see(self, data: bytes) -> tuple[Seen | None, Seen | None]:
        """What each makes of `data`; None for one that waits for more."""
        return _in_time(self._gateway.address, self._ours, data), _in_time(self._nginx.address, self._its, data)


def _in_time(address: tuple[str, int], node: Any, data: bytes) -> Seen | None:
    try:
        return see(address, node, data)
    except TimeoutError:
        return None


@pytest.fixture(scope="module")
def both(gateway: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    needs_nginx()
    ours, its = Upstream(_answer), Upstream(_answer)
    # whatever the target has become, and behind the routes of other tests
    gateway.route("/*", ours.node, id_="framing", priority=-10)
    with RealNginx(Path(tmp_path_factory.mktemp("nginx")), its.port) as nginx:
        yield Both(gateway, ours, nginx, its)
    gateway.admin.delete("/routes/framing")
    ours.close()
    its.close()


@pytest.mark.parametrize("kind", CASES)
def test_the_gateway_reads_requests_as_nginx_does(both: Both, kind: str) -> None:
    differs = {}
    for data in CASES[kind]:
        ours, its = both.see(data)
        if ours != its:
            differs[data] = (ours, its)
    assert not differs


#: An absolute target without a path but with a query: nginx writes it anew, APISIX sends $request_uri.
_REWRITTEN = re.compile(rb"[A-Za-z0-9+.-]+://[^/ \r\n]*\?")


def test_mutated_requests_are_read_as_nginx_does(both: Both) -> None:
    choose = random.Random(20)
    bases = [data for kind in CASES.values() for data in kind if len(data) < 400]
    differs = {}
    for _ in range(MUTATED):
        data = _mutated(choose, choose.choice(bases))
        if _REWRITTEN.search(data):
            continue
        ours, its = both.see(data)
        if ours != its:
            differs[data] = (ours, its)
    assert not differs


def _mutated(choose: random.Random, base: bytes) -> bytes:
    data = bytearray(base)
    for _ in range(choose.choice([1, 1, 1, 2, 2, 3])):
        place = choose.randint(0, len(data))
        kind = choose.random()
        if kind < 0.6:
            data[place:place] = choose.choice(_ATOMS)
        elif kind < 0.8:
            del data[place : place + choose.choice([1, 1, 2, 10])]
        else:
            data[place : place + 1] = bytes([choose.randrange(256)])
    return bytes(data)


def test_an_absolute_target_without_a_path_is_sent_on_with_its_fragment(both: Both) -> None:
    """nginx makes such a target anew and drops the fragment; APISIX's upstream_uri is $request_uri as it came."""
    ours, its = both.see(request(first=b"GET http://abs.test?a#b HTTP/1.1"))
    assert ours is not None and its is not None
    assert ours.statuses == its.statuses == (200, 200)
    assert ours.asked[0].startswith(b"GET /?a#b HTTP/1.1\r\n")
    assert its.asked[0].startswith(b"GET /?a HTTP/1.1\r\n")


def test_a_thousand_lines_of_a_head_are_not_too_many(both: Both) -> None:
    """Debian's nginx takes 1,000 lines (max_headers of later versions), the one in APISIX's image any number."""
    ours, _ = both.see(request(*[b"X: y"] * 1500, first=b"GET /w HTTP/1.1"))
    assert ours is not None and ours.statuses == (200, 200)
