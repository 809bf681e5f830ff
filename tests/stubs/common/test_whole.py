"""Answers leave in one piece."""

from __future__ import annotations

import asyncio
import socket

from stubs.common.whole import JoiningTransport


class Wire:
    def __init__(self):
        self.pieces = []
        self.closed = False
        self.written = asyncio.Event()

    def write(self, data):
        self.pieces.append(data)
        self.written.set()

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed


def on_a_loop(do):
    async def run():
        wire = Wire()
        await do(JoiningTransport(wire, asyncio.get_running_loop()), wire)
        return wire

    return asyncio.run(run())


def test_a_head_waits_for_its_body():
    async def answer(transport, wire):
        transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        assert wire.pieces == []
        transport.write(b"body")
        transport.write(b"more")

    assert on_a_loop(answer).pieces == [b"HTTP/1.1 200 OK\r\n\r\nbody", b"more"]


def test_a_head_goes_alone_when_nothing_follows_soon():
    async def answer(transport, wire):
        transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.wait_for(wire.written.wait(), 5)

    assert on_a_loop(answer).pieces == [b"HTTP/1.1 200 OK\r\n\r\n"]


def test_an_interim_answer_does_not_wait():
    async def answer(transport, wire):
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    assert on_a_loop(answer).pieces == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_closing_loses_nothing():
    async def answer(transport, wire):
        transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        transport.close()
        assert transport.is_closing()

    assert on_a_loop(answer).pieces == [b"HTTP/1.1 204 No Content\r\n\r\n"]


def test_a_replicas_answers_come_whole(bi_basic):
    host, port = bi_basic.http.base_url.host, bi_basic.http.base_url.port
    with socket.create_connection((host, port), 5) as client:
        for _ in range(100):
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            head, _, body = client.recv(65536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert body
