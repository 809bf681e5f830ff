"""Listening sockets: a free port whose port + 1000 is free too, because SDKs derive the gRPC port so."""

from __future__ import annotations

import socket

from harness.errors import SpecError

GRPC_OFFSET = 1000
_TRIES = 200


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises SpecError if the port is taken or the address not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)
    except (OSError, OverflowError) as error:
        sock.close()
        raise SpecError(
            f"can't listen: {error}", where=f"{host}:{port}", mend="give another port, or 0 for a free one"
        ) from error
    sock.setblocking(False)
    return sock


def listen_pair(host: str, port: int, grpc_port: int | None) -> tuple[socket.socket, socket.socket]:
    """The HTTP and the gRPC socket. `port` 0 takes a free one; `grpc_port` None means port + 1000."""
    if port or grpc_port is not None:
        first = listen(host, port)
        return first, _second(host, first, first.getsockname()[1] + GRPC_OFFSET if grpc_port is None else grpc_port)
    for _ in range(_TRIES):
        first = listen(host, 0)
        try:
            return first, _second(host, first, first.getsockname()[1] + GRPC_OFFSET)
        except SpecError:
            continue
    raise SpecError(f"no free pair of ports P and P+{GRPC_OFFSET} found", where=host)


def _second(host: str, first: socket.socket, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except SpecError:
        first.close()
        raise
