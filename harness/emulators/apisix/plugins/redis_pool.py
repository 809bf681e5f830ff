"""Connections to one redis server, kept while idle as nginx keeps them; redis-py speaks the protocol."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

#: redis-py's asyncio connection; typed loosely because the package is imported at the first use only (0.2 s)
Connection = Any


class RedisFailed(Exception):
    """Redis couldn't be asked, or refused; the text says why, as lua-resty-redis says it."""


class NoScript(RedisFailed):
    """The server doesn't have the script of an EVALSHA."""


class Moved(RedisFailed):
    """Another node of the cluster has the slot, for good or (`asking`) for this once."""

    def __init__(self, message: str, address: tuple[str, int], asking: bool) -> None:
        super().__init__(message)
        self.address = address
        self.asking = asking


class Unreachable(RedisFailed):
    """No connection, or it broke."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to connect; times in seconds. `idle` bounds how long, `most_idle` how many connections are kept."""

    username: str | None = None
    password: str | None = None
    database: int = 0
    connect_timeout: float = 1.0
    timeout: float = 1.0
    tls: bool = False
    verify: bool = False
    idle: float = 10.0
    most_idle: int = 100


class Pool:
    """The connections of this worker to one server."""

    def __init__(self, host: str, port: int, access: Access) -> None:
        self.address = (host, port)
        self._access = access
        self._idle: list[tuple[Connection, float]] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def call(self, *words: Any, asking: bool = False) -> Any:
        """A command's answer; raises RedisFailed."""
        from redis.exceptions import RedisError

        try:
            connection = await self._take()
            try:
                answer = await _speak(connection, words, asking)
            except BaseException as error:
                await self._after(error, connection)
                raise
        except (RedisError, OSError, TimeoutError) as error:
            raise _told(error) from error
        self._give(connection)
        return answer

    async def _after(self, error: BaseException, connection: Connection) -> None:
        """Keep a connection whose server merely refused; drop one in an unknown state."""
        from redis.exceptions import ResponseError

        if isinstance(error, ResponseError):
            self._give(connection)
        else:
            await connection.disconnect(nowait=True)

    async def _take(self) -> Connection:
        """An idle connection that is still open, else a new one."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection, until = self._idle.pop()
            if until > now and not await _stale(connection):
                return connection
            await connection.disconnect(nowait=True)
        connection = self._make()
        try:
            await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    def _make(self) -> Connection:
        from redis.asyncio import connection as redis_connection

        access, (host, port) = self._access, self.address
        given: dict[str, Any] = {
            "host": host,
            "port": port,
            "db": access.database,
            # as upstream's: a name without a password is not told
            "username": access.username if access.password else None,
            "password": access.password or None,
            "socket_connect_timeout": access.connect_timeout,
            "socket_timeout": access.timeout,
            "protocol": 2,
        }
        if not access.tls:
            return redis_connection.Connection(**given)
        # ngx_lua verifies the chain, and no name where none is given
        given |= {"ssl_cert_reqs": "required" if access.verify else "none", "ssl_check_hostname": False}
        return redis_connection.SSLConnection(**given)

    def _give(self, connection: Connection) -> None:
        """Keep a connection for the next command."""
        loop = asyncio.get_running_loop()
        if len(self._idle) >= self._access.most_idle:
            self._close(self._idle.pop(0)[0])
        self._idle.append((connection, loop.time() + self._access.idle))
        if self._sweep is None:
            self._sweep = loop.call_later(self._access.idle, self._close_old)

    def _close(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(connection.disconnect(nowait=True))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _close_old(self) -> None:
        """Close what nobody has used for long."""
        loop = asyncio.get_running_loop()
        self._sweep = None
        while self._idle and self._idle[0][1] <= loop.time():
            self._close(self._idle.pop(0)[0])
        if self._idle:
            self._sweep = loop.call_at(self._idle[0][1], self._close_old)


async def _speak(connection: Connection, words: tuple[Any, ...], asking: bool) -> Any:
    if asking:
        await connection.send_command("ASKING")
        await connection.read_response()
    await connection.send_command(*words)
    return await connection.read_response()


async def _stale(connection: Connection) -> bool:
    """Whether the server closed the connection, or said what nobody asked for."""
    from redis.exceptions import RedisError

    try:
        return bool(await connection.can_read())
    except (RedisError, OSError):
        return True


def _told(error: BaseException) -> RedisFailed:
    """What went wrong, in lua-resty-redis's words."""
    from redis import exceptions

    text = str(error)
    if isinstance(error, exceptions.NoScriptError):
        return NoScript(f"NOSCRIPT {text}")
    if isinstance(error, exceptions.AskError):  # MovedError is one too
        asking = not isinstance(error, exceptions.MovedError)
        return Moved(text, (error.host, error.port), asking)
    if isinstance(error, exceptions.AuthenticationError | exceptions.ResponseError):
        return RedisFailed(text)
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        return Unreachable("timeout")
    refused = (
        isinstance(error.__cause__, ConnectionRefusedError) or "Connection refused" in text or "Connect call" in text
    )
    return Unreachable("connection refused" if refused else text)
