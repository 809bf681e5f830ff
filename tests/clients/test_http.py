"""The kept connection."""

from __future__ import annotations

import socket
import threading

import pytest

from harness.clients.http import Connection
from harness.errors import RemoteError, SpecError


def test_one_connection_for_many_requests(server):
    connection = Connection(server.url + "/base/")
    for _ in range(3):
        assert connection.ask("GET", "/x").status == 200
    assert {asked.target for asked in server.asked} == {"/base/x"}
    assert len({asked.port for asked in server.asked}) == 1


def test_a_connection_that_the_server_has_closed_is_opened_anew(server):
    server.hang_up = True
    connection = Connection(server.url)
    for _ in range(3):
        assert connection.ask("POST", "/x", "a body").status == 200
    assert [asked.body for asked in server.asked] == ["a body"] * 3
    assert len({asked.port for asked in server.asked}) == 3


def test_a_server_that_is_not_there(server):
    from harness.ports import free_port

    with pytest.raises(OSError):
        Connection(f"http://127.0.0.1:{free_port()}").ask("GET", "/")


def test_a_server_that_speaks_something_else():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].sendall(b"220 mail.example ESMTP\r\n")).start()
        with pytest.raises(OSError, match="doesn't speak HTTP"):
            Connection(f"http://127.0.0.1:{listener.getsockname()[1]}").ask("GET", "/")


def test_a_refusal_has_what_where_status_and_body_but_not_the_query(server):
    server.reply = lambda asked: (409, "because")
    with pytest.raises(RemoteError) as caught:
        Connection(server.url).checked("PUT", "/x?accessToken=t0ken")
    assert (caught.value.status, caught.value.body, caught.value.where) == (409, "because", server.url)
    assert "PUT /x was refused: 409 because" in str(caught.value)
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "ftp://host", "http://"])
def test_no_url(url):
    with pytest.raises(SpecError, match="is not an http"):
        Connection(url)
