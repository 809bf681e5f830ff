"""proxy-buffering: an event reaches the client while its upstream still holds the answer open."""

from __future__ import annotations

import socket
import threading

import httpx

from harness import wait
from harness.emulators.apisix.plugins.proxy_buffering import ProxyBuffering
from harness.emulators.apisix.server import ApisixServer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"data: one\n\n"


def serve(listener: socket.socket, seen: threading.Event) -> None:
    """One answer, which ends when the test has seen its first event."""
    connection, _ = listener.accept()
    with connection:
        while b"\r\n\r\n" not in connection.recv(65536):
            pass
        connection.sendall(HEAD + b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
        seen.wait(20)
        connection.sendall(b"0\r\n\r\n")


def test_each_piece_is_passed_on_as_it_comes() -> None:
    seen = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, ApisixServer() as server:
        upstream = threading.Thread(target=serve, args=(listener, seen))
        upstream.start()
        node = {"type": "roundrobin", "nodes": {f"127.0.0.1:{listener.getsockname()[1]}": 1}}
        route = {"uri": "/events", "upstream": node, "plugins": {"proxy-buffering": {"disable_proxy_buffering": True}}}
        headers = {"X-API-KEY": server.admin_key}
        put = httpx.put(f"{server.admin_url}/apisix/admin/routes/1", json=route, headers=headers)
        assert put.status_code == 201, put.text

        def first() -> bytes:
            with httpx.stream("GET", f"{server.http_url}/events", timeout=20) as answer:
                if answer.status_code == 404:
                    return b""
                piece = next(answer.iter_raw())
                seen.set()
                return piece

        assert wait.until(first, 20, awaited="the first event") == EVENT
        upstream.join(20)


def test_refused_configurations(refusal) -> None:
    assert refusal(ProxyBuffering, {"disable_proxy_buffering": 1}).startswith('property "disable_proxy_buffering"')
