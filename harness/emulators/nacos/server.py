"""A server in a thread of this process, for synchronous tests: `with NacosServer() as nacos: ...`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from harness.clock import Clock
from harness.emulators.nacos.domain import split_auth
from harness.emulators.nacos.grpc.tls import Tls
from harness.emulators.nacos.node import Node, Settings
from harness.emulators.nacos.prober import LOOPBACK
from harness.errors import NotReady

T = TypeVar("T")


class NacosServer:
    """An embedded Nacos with its own thread and event loop; with `grpc_tls` gRPC speaks TLS only.

    `auth` is `user:password`, None turns authentication off (the user `nacos`/`nacos` can log in all the same).
    With `port` 0 a free port is taken whose port + 1000 is free for gRPC. `clock` (default: one that `advance` moves)
    times heart-beats, tokens and stamps. `data_dir` keeps configuration, persistent instances, namespaces and accounts
    over restarts; `console_port` (0: a free one) opens the console's own port of 3.x. `version` is the server to
    mimic, `2.5.1` or `3.0.3` as shipped; by default the calls of all versions are answered. Who sends the
    `server_identity` (`header:value`) is asked for no token. Persistent instances in the networks of `probe` (CIDR; the
    loopback) are probed, others keep the health that they were given.
    Raises SpecError for what can't be had.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        grpc_port: int | None = None,
        auth: str | None = None,
        grpc_tls: Tls | None = None,
        clock: Clock | None = None,
        data_dir: str | Path | None = None,
        console_port: int | None = None,
        version: str | None = None,
        server_identity: str | None = None,
        probe: Sequence[str] = LOOPBACK,
    ) -> None:
        self._settings = Settings(
            host,
            port,
            grpc_port,
            auth,
            grpc_tls=grpc_tls,
            data_dir=Path(data_dir) if data_dir is not None else None,
            console_port=console_port,
            version=version,
            server_identity=server_identity,
            probe=tuple(probe),
        )
        self._clock = clock
        self._node: Node | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self.username, self.password = split_auth(auth)
        self.host = host
        self.port = port
        self.grpc_port = grpc_port or 0
        self.console_port = console_port

    # -- life --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> NacosServer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the thread and return when both ports answer; raises what the start raised."""
        ready: concurrent.futures.Future[Node] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="nacos", daemon=True)
        self._thread.start()
        try:
            self._node = ready.result(timeout=30)
        except concurrent.futures.TimeoutError:
            raise NotReady("the embedded Nacos to listen", seconds=30) from None
        self.port = self._node.site.identity.port
        self.grpc_port = self._node.site.identity.grpc_port
        self.console_port = self._node.site.identity.console_port

    def _run(self, ready: concurrent.futures.Future[Node]) -> None:
        loop = self._loop = uvloop.new_event_loop()
        try:
            loop.run_until_complete(self._serve(ready))
        finally:
            loop.close()

    async def _serve(self, ready: concurrent.futures.Future[Node]) -> None:
        try:
            node = Node(self._settings, self._clock)
            await node.start()
        except BaseException as error:
            ready.set_exception(error)
            return
        self._stopping = asyncio.Event()
        ready.set_result(node)
        await self._stopping.wait()
        await node.stop()

    def stop(self) -> None:
        """Close the ports, send clients away, end the thread. A stopped server may be started again, empty."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=10)
        self._thread = self._node = self._loop = self._stopping = None

    def call(self, act: Callable[[Node], T]) -> T:
        """Run `act` inside the server's loop and return what it returns; raises RuntimeError if it is not running."""
        node, loop = self._node, self._loop
        if node is None or loop is None:
            raise RuntimeError("the embedded Nacos is not running: use it as a context manager, or call start()")

        async def inside() -> T:
            return act(node)

        return asyncio.run_coroutine_threadsafe(inside(), loop).result(timeout=30)

    # -- addresses ---------------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """`host:port`, what SDKs call the server address."""
        return f"{self.host}:{self.port}"

    @property
    def http_url(self) -> str:
        """`http://host:port`, without the context path `/nacos`."""
        return f"http://{self.address}"

    # -- for tests ---------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Back to the state at start; connected clients stay connected with what they registered."""
        self.call(lambda node: node.controls.reset())

    def snapshot(self) -> str:
        """Keep the present state; answers an id for `restore`."""
        return self.call(lambda node: node.controls.snapshot())

    def restore(self, snapshot_id: str) -> None:
        """Back to a snapshot; raises NacosError for an unknown id."""
        self.call(lambda node: node.controls.restore(snapshot_id))

    def advance(self, seconds: float) -> None:
        """Move the clock: heart-beats expire, tokens lapse, without waiting."""
        self.call(lambda node: node.controls.advance(seconds))

    def connections(self) -> list[dict[str, Any]]:
        """Every registered gRPC connection: id, ip, port, version, module, app, labels."""
        return self.call(lambda node: node.controls.connections())

    def drop(self, connection_id: str) -> None:
        """Cut a connection as a dead network would."""
        self.call(lambda node: node.controls.drop(connection_id))

    def send_away(self, connection_id: str) -> None:
        """Ask a client to connect anew, as a server does that is too full (Java and Go clients follow)."""
        self.call(lambda node: node.controls.send_away(connection_id))

    def pushes(self) -> list[dict[str, Any]]:
        """What was pushed since the start or the last reset, oldest first, with `ack_ms`."""
        return self.call(lambda node: node.controls.pushes())

    def freeze(self) -> None:
        """Take requests but do not answer them, until `thaw`."""
        self.call(lambda node: node.controls.freeze())

    def thaw(self) -> None:
        """Answer again, what was held back first."""
        self.call(lambda node: node.controls.thaw())

    def fail_next(self, kind: str, times: int = 1, status: int = 500, message: str = "failed on demand") -> None:
        """Fail the next calls of a gRPC request type, of `METHOD /v1/...` (no context path), or with `*` of any."""
        self.call(lambda node: node.controls.fail_next(kind, times, status, message))
