"""A server that answers as it is told and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Reply = tuple[int, str]


@dataclass
class Asked:
    """One request: `port` is the client's, so that kept connections can be told apart."""

    method: str
    target: str
    headers: dict[str, str]
    body: str
    port: int


@dataclass
class Told:
    """The server: `reply` makes the answer to each request; `hang_up` closes after each."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    reply: Callable[[Asked], Reply] = lambda asked: (200, "{}")
    hang_up: bool = False


@pytest.fixture
def server() -> Iterator[Told]:
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length).decode()
            asked = Asked(self.command, self.path, headers, body, self.client_address[1])
            told.asked.append(asked)
            status, text = told.reply(asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())
            self.close_connection = told.hang_up

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _serve

        def log_message(self, *_: object) -> None:
            """Nothing: the tests look at `asked`."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    yield told
    httpd.shutdown()
    httpd.server_close()
    thread.join()
