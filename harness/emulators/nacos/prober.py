"""Makes the probes of persistent instances: the sockets of `naming/probes.py`. It asks nobody but permitted hosts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import httptools

from harness.emulators.nacos.naming.probes import Answer, Outcome, Probe, Target, link, url_of
from harness.errors import SpecError

#: The networks that are probed unless others are named.
LOOPBACK = ("127.0.0.0/8", "::1/128")
#: Seconds for a connection, and for each silence of an HTTP answer.
#: Upstream: `TcpHealthCheckProcessor.CONNECT_TIMEOUT_MS`, `HttpClientManager.ProcessorHttpClientFactory`.
TIMEOUT = 0.5
#: Probes under way at once; the others wait for their turn.
AT_ONCE = 128
#: Bytes of an HTTP answer that are read at most.
LONGEST = 1 << 20
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 50


class Permitted:
    """The hosts that may be probed: addresses in these networks, names only where every address is permitted.

    Raises SpecError for what is no network.
    """

    def __init__(self, networks: Iterable[str] = LOOPBACK) -> None:
        self._networks = [_network(text) for text in networks]
        self._everything = any(network.prefixlen == 0 for network in self._networks)

    def __call__(self, host: str) -> bool:
        """Whether this host may be probed; `localhost` is the loopback, any other name is one to look up."""
        try:
            address = ip_address("127.0.0.1" if host == "localhost" else host)
        except ValueError:
            return self._everything
        return any(address in network for network in self._networks)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise SpecError(
            f"no network that can be probed: {error}", where="probe", mend="name one as 10.0.0.0/8"
        ) from error


class Prober:
    """Runs probes in the present event loop and tells `ended` how each ended and how many ms it took."""

    def __init__(self, ended: Callable[[Probe, Answer, float], None], permits: Callable[[str], bool]) -> None:
        self._ended = ended
        self._permits = permits
        self._running: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)

    def make(self, probe: Probe) -> None:
        """Start one."""
        task = asyncio.get_running_loop().create_task(self._make(probe))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _make(self, probe: Probe) -> None:
        async with self._turns:
            started = time.monotonic()
            answer = await ask(probe, self._permits)
            self._ended(probe, answer, (time.monotonic() - started) * 1000)

    def close(self) -> None:
        """End those under way, untold."""
        for task in self._running:
            task.cancel()


async def ask(probe: Probe, permits: Callable[[str], bool]) -> Answer:
    """Make one probe; never raises.

    A TCP probe's connection ends at once, where the server holds it until the next; and a 503 is not asked for again
    after a second, as the server's client does.
    """
    try:
        if probe.kind == "HTTP":
            return await _browse(probe, permits)
        (await _connect(probe.host, probe.port))[1].transport.abort()
        return Outcome.CONNECTED
    except TimeoutError:
        return Outcome.TIMEOUT
    except ConnectionRefusedError:
        return Outcome.REFUSED
    except (OSError, ValueError, httptools.HttpParserError):
        return Outcome.ERROR


async def _connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(TIMEOUT):
        return await asyncio.open_connection(host, port)


async def _browse(probe: Probe, permits: Callable[[str], bool]) -> Answer:
    """Follow redirects as the server's client does (its `setMaxRedirects(0)` means 50), to permitted hosts."""
    target = Target(probe.host, probe.port, probe.path)
    seen: set[Target] = set()
    while True:
        reader, writer = await _connect(target.host, target.port)
        try:
            answer = await _get(reader, writer, request_of(target, probe.headers))
        finally:
            writer.transport.abort()
        if answer.status not in REDIRECTS or answer.location is None:
            return answer.status
        following = link(url_of(*target), answer.location)
        if following is None or following in seen or len(seen) >= MOST_REDIRECTS or not permits(following.host):
            return Outcome.ERROR
        seen.add(following)
        target = following


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> _Answer:
    writer.write(request)
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    left = LONGEST
    while not answer.complete:
        async with asyncio.timeout(TIMEOUT):
            data = await reader.read(1 << 16)
        left -= len(data)
        if (not data and not answer.until_close) or left < 0:
            raise ValueError("an answer that is cut short, or has no end")
        if not data:
            break
        parser.feed_data(data)
    answer.status = parser.get_status_code()
    return answer


def request_of(target: Target, own: Mapping[str, str]) -> bytes:
    """The request of the server's own client; raises ValueError for a path or a header that can't be sent."""
    headers = {"Content-Type": "application/json", "Accept-Charset": "UTF-8", "User-Agent": "VIPServer"}
    spelled = {name.lower(): name for name in headers}
    headers.update((spelled.get(name.lower(), name), value) for name, value in own.items())
    host = url_of(target.host, target.port, "").removeprefix("http://")
    lines = [f"GET {target.path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if " " in target.path or not all(line.isascii() and line.isprintable() for line in lines):
        raise ValueError("what a line of a request can't hold")
    return "\r\n".join([*lines, "", ""]).encode()


class _Answer:
    """An HTTP answer, as the parser tells it."""

    def __init__(self) -> None:
        self.status = 0
        self.location: str | None = None
        self.complete = False
        #: Its body has neither a length nor chunks.
        self.until_close = False
        self._framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        self._framed = self._framed or lower in (b"content-length", b"transfer-encoding")
        if lower == b"location" and self.location is None:
            self.location = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.until_close = not self._framed

    def on_message_complete(self) -> None:
        self.complete = True
