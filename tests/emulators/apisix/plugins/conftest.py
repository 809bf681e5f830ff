"""What plugin tests stand on: a scope and a client in memory, and requests made by hand."""

from __future__ import annotations

import asyncio
import datetime
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.clock import ManualClock
from harness.emulators.apisix.consumers import ConsumerEntry, ConsumerIndex
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.base import Plugin
from harness.emulators.apisix.schema.validate import Validator


class MemoryStore:
    """A shared store of one process, its expiry on the scope's clock."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.held: dict[str, tuple[Any, float]] = {}

    def get(self, key: str) -> Any:
        value, until = self.held.get(key, (None, 0.0))
        if until and until <= self.clock.time():
            del self.held[key]
            return None
        return value

    def set(self, key: str, value: Any, ttl: float = 0) -> None:
        self.held[key] = (value, self.clock.time() + ttl if ttl else 0.0)

    def add(self, key: str, value: Any, ttl: float = 0) -> bool:
        if self.get(key) is not None:
            return False
        self.set(key, value, ttl)
        return True

    def incr(self, key: str, by: float, init: float | None = None, init_ttl: float = 0) -> float | None:
        value = self.get(key)
        if value is None:
            if init is None:
                return None
            self.set(key, init + by, init_ttl)
            return init + by
        self.held[key] = (value + by, self.held[key][1])
        return value + by

    def count(self, key: str, by: float, ttl: float) -> tuple[float, float]:
        return self.incr(key, by, 0, ttl) or 0, self.ttl(key) or 0

    def ttl(self, key: str) -> float | None:
        if self.get(key) is None:
            return None
        until = self.held[key][1]
        return until - self.clock.time() if until else 0

    def delete(self, key: str) -> None:
        self.held.pop(key, None)


@dataclass
class Fetched:
    """A request that a plugin made."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class MemoryScope:
    """A gateway with nothing behind it: tests put consumers and answers in, and read logs and requests out."""

    clock: ManualClock = field(default_factory=ManualClock)
    random: Random = field(default_factory=lambda: Random(7))
    resource: tuple[str, str, int] = ("routes", "1", 1)
    attr: Mapping[str, Any] = field(default_factory=dict)
    https_port: int | None = None
    plugins: Mapping[str, type[Plugin]] = field(default_factory=dict)
    resources: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    stores: dict[str, MemoryStore] = field(default_factory=dict)
    upstreams: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    plugin_metadata: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    entries: dict[str, list[ConsumerEntry]] = field(default_factory=dict)
    key_attributes: dict[str, str] = field(default_factory=dict)
    answer: Response | Exception | Callable[[Fetched], Response] | None = None
    fetched: list[Fetched] = field(default_factory=list)
    logs: list[tuple[str, str]] = field(default_factory=list)

    def stored(self, kind: str, id_: str) -> Mapping[str, Any] | None:
        return self.resources.get((kind, id_))

    def stored_below(self, kind: str, id_: str, part: str) -> list[Mapping[str, Any]]:
        below = f"{id_}/{part}/"
        return [value for (held, key), value in self.resources.items() if held == kind and key.startswith(below)]

    def shared(self, name: str) -> MemoryStore:
        return self.stores.setdefault(name, MemoryStore(self.clock))

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    def metadata(self, plugin: str) -> Mapping[str, Any] | None:
        return self.plugin_metadata.get(plugin)

    def consumers(self, plugin: str) -> ConsumerIndex:
        return ConsumerIndex(tuple(self.entries.get(plugin, ())), self.key_attributes.get(plugin, ""))

    def consumer(self, name: str, plugin: str = "") -> ConsumerEntry | None:
        everyone = (entry for entries in self.entries.values() for entry in entries)
        return next((replace(entry, auth_conf={}) for entry in everyone if entry.name == name), None)

    def secret(self, value: Any) -> Any:
        return value

    def upstream(self, which: str | Mapping[str, Any]) -> Any:
        """Stands for the compiled upstream: the id's entry in `upstreams`, or an object with the configuration."""
        return self.upstreams.get(which) if isinstance(which, str) else SimpleNamespace(conf=which)

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        within: float = 3.0,
        ssl_verify: bool = True,
        keepalive: bool = True,
    ) -> Response:
        self.fetched.append(Fetched(method, url, list(headers or ()), body))
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            raise ConnectionRefusedError("connection refused")
        return self.answer(self.fetched[-1]) if callable(self.answer) else self.answer

    def log(self, level: str, message: str) -> None:
        self.logs.append((level, message))

    def add_consumer(self, plugin: type[Plugin], name: str, auth_conf: dict[str, Any], **more: Any) -> ConsumerEntry:
        """A consumer whose `plugin` configuration is checked as the store would."""
        checked = dict(auth_conf)
        assert plugin.consumer_schema is not None
        problem = Validator(plugin.consumer_schema).check(checked) or plugin.check_consumer(checked)
        assert problem is None, problem
        entry = ConsumerEntry(name, checked, **more)
        self.entries.setdefault(plugin.name, []).append(entry)
        self.key_attributes[plugin.name] = plugin.consumer_key
        return entry


@dataclass
class MemoryClient:
    """A connection from the loopback."""

    remote_addr: str = "127.0.0.1"
    remote_port: int = 50000
    server_addr: str = "127.0.0.1"
    server_port: int = 9080
    scheme: str = "http"
    sni: str | None = None
    tls: Any = None


@dataclass
class MemoryExchange:
    """The transport of a request that is all there."""

    body: bytes

    async def read_body(self, limit: int) -> bytes:
        return self.body


@pytest.fixture
def scope() -> MemoryScope:
    return MemoryScope()


@pytest.fixture
def build(scope: MemoryScope) -> Callable[..., Any]:
    """build(Class, conf) → the plugin, its configuration checked and completed as by the store."""

    def make(plugin: type[Plugin], conf: dict[str, Any] | None = None) -> Plugin:
        checked = dict(conf or {})
        problem = Validator(plugin.schema).check(checked) or plugin.check(checked)
        assert problem is None, problem
        return plugin(checked, scope)

    return make


@pytest.fixture
def refusal() -> Callable[..., str | None]:
    """refusal(Class, conf[, consumer=True]) → what the Admin API would say against a configuration, or None."""

    def check(plugin: type[Plugin], conf: dict[str, Any], *, consumer: bool = False) -> str | None:
        if consumer:
            assert plugin.consumer_schema is not None
            return Validator(plugin.consumer_schema).check(conf) or plugin.check_consumer(conf)
        return Validator(plugin.schema).check(conf) or plugin.check(conf)

    return check


@pytest.fixture
def request_of(scope: MemoryScope) -> Callable[..., Context]:
    """request_of(target, method="GET", headers={…} or [(name, value)…], body=b"", remote_addr=…) → a Context."""

    def make(
        target: str = "/",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | list[tuple[str, str]] = (),  # type: ignore[assignment]
        body: bytes = b"",
        remote_addr: str = "127.0.0.1",
        host: str = "golden.test",
        scheme: str = "http",
    ) -> Context:
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        path, _, query = target.partition("?")
        return Context(
            client=MemoryClient(scheme=scheme),
            method=method,
            target=target,
            uri=unquote(path, "latin-1"),
            query=query,
            version=(1, 1),
            headers=Headers.of([("Host", host), *pairs]),
            remote_addr=remote_addr,
            started=scope.clock.time(),
            host=host,
            exchange=MemoryExchange(body),
        )

    return make


@pytest.fixture
def run() -> Callable[[Any], Exit | None]:
    """run(phase result) → the verdict, awaited when the phase had to wait."""

    def settle(verdict: Exit | Awaitable[Exit | None] | None) -> Exit | None:
        if inspect.isawaitable(verdict):
            return asyncio.run(_await(verdict))
        return verdict

    return settle


async def _await(verdict: Awaitable[Exit | None]) -> Exit | None:
    return await verdict


@dataclass
class Delivered:
    """A request that a log server got; over TCP the bytes alone."""

    line: str
    headers: dict[str, str]
    body: bytes


@pytest.fixture
def deliver() -> Callable[..., list[Delivered]]:
    """deliver(make, contexts, count=1, statuses=(), plain=False) → what a server on the loopback got.

    `make(port)` builds the logger; `statuses` are answered in turn, then 200; `plain` is for senders without HTTP.
    """

    def play(
        make: Callable[[int], Any],
        contexts: list[Context],
        *,
        count: int = 1,
        statuses: tuple[int, ...] = (),
        plain: bool = False,
    ) -> list[Delivered]:
        return asyncio.run(_deliver(make, contexts, count, list(statuses), plain))

    return play


async def _deliver(
    make: Callable[[int], Any], contexts: list[Context], count: int, statuses: list[int], plain: bool
) -> list[Delivered]:
    got: list[Delivered] = []
    enough = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if plain:
            got.append(Delivered("", {}, await reader.read()))
        else:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            got.append(Delivered(head[0], headers, body))
            status = statuses.pop(0) if statuses else 200
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        writer.close()
        if len(got) >= count:
            enough.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        plugin = make(server.sockets[0].getsockname()[1])
        for ctx in contexts:
            if getattr(plugin, "access", None):
                await plugin.access(ctx)
            plugin.log(ctx)
        async with asyncio.timeout(10):
            await enough.wait()
        # the sender still reads its answer
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
    return got


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of nobody's trust, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    directory = tmp_path_factory.mktemp("tls")
    (directory / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (directory / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return directory / "cert.pem", directory / "key.pem"
