"""Fuzzed requests over real sockets: no crash, no hang, and no byte of an answer on another connection.

Every request carries a nonce that its answer echoes. On each connection valid requests stand before a mutated one and
behind it; the upstream, which answers nonsense as well now and then, takes nothing that isn't the gateway's own: one
hidden in another request would lack the fields that the gateway writes.
Run by itself for a long time: `python tests/emulators/apisix/proxy/fuzzing.py --count 100000 --seed 1`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import h2.connection

_FIRST = re.compile(rb"([A-Z_-]+) (/[^\x00-\x20\x7f]*) HTTP/1\.1")
_FIELD = re.compile(rb"([A-Za-z0-9_-]+): ([^\r\n\0]*)")
NONCE = re.compile(rb"n-([0-9]+)-([0-9])-([0-9a-f]{8})-n")
#: How long a connection may say nothing before it is given up, and how long its end may then take, in seconds.
IDLE, END = 0.15, 20.0

_TOKENS = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"\r\n\r\n", b"\n\n", b"\xff", b"\x0b", b"%00", b"%zz", b"/../"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: +5\r\n", b"Content-Length: 5, 5\r\n"),
    *(b"Content-Length: -1\r\n", b"Content-Length: 99999999999999999999\r\n", b"Content-Length:\r\n"),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
    ),
    *(b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n", b"TE: trailers\r\n", b"X: y\r\n z\r\n"),
    *(
        b"0\r\n\r\n",
        b"5\r\nabcde\r\n",
        b"5;x=y\r\nabcde\r\n",
        b"0x5\r\n",
        b"ffffffffffffffff\r\n",
        b"-1\r\n",
        b"00\r\n",
    ),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n"),
    *(
        b"Host: other\r\n",
        b"HTTP/1.0",
        b"HTTP/0.9",
        b"HTTP/2.0",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"A" * 9000,
        b"GET ",
    ),
]


def nonce(number: int, place: int) -> bytes:
    """What a request of a connection says; a mutated one doesn't carry its own sum."""
    return b"n-%d-%d-%08x-n" % (number, place, zlib.crc32(b"%d-%d" % (number, place)))


def numbers_of(data: bytes) -> list[tuple[int, int]]:
    """(connection, place) of the nonces in what was received."""
    found = [(int(number), int(place)) for number, place, _ in NONCE.findall(data)]
    sums = [found_sum for _, _, found_sum in NONCE.findall(data)]
    return [one for one, its_sum in zip(found, sums, strict=True) if nonce(*one).endswith(its_sum + b"-n")]


@dataclass
class Report:
    """What happened: statuses and ends by count, and everything that must not be."""

    connections: int = 0
    fuzzed: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.fuzzed} fuzzed requests and answers on {self.connections} connections; "
            f"statuses {dict(self.statuses)}; ends {dict(self.ends)}; wrong: {len(self.wrong)} {self.wrong[:5]}"
        )


def mutate(random: Random, data: bytes) -> bytes:
    """A few random changes."""
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        at, other = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
        kind = random.randrange(7)
        if kind == 0:
            data = data[:at] + random.choice(_TOKENS) + data[at:]
        elif kind == 1:
            data = data[:at] + random.randbytes(random.randrange(1, 6)) + data[at:]
        elif kind == 2:
            data = data[:at] + data[min(other, at + 12) :]
        elif kind == 3:
            data = data[:other] + data[at:other] + data[other:]
        elif kind == 4:
            data = data.replace(b"\r\n", random.choice((b"\n", b"\r", b"\r\n\r\n")), random.choice((1, -1)))
        elif kind == 5:
            lines = data.split(b"\r\n")
            lines.insert(random.randrange(len(lines)), random.choice(_TOKENS).rstrip(b"\r\n"))
            data = b"\r\n".join(lines)
        else:
            data = data[:other]
    return data


class Echo:
    """The upstream: it answers with the nonce, now and then with something mutated around it."""

    def __init__(self, random: Random, report: Report) -> None:
        self._random = random
        self._report = report

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the gateway's."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        fields = [_FIELD.fullmatch(line) for line in lines]
        names = Counter(field[1].lower() for field in fields if field)
        asked = _FIRST.fullmatch(first)
        own = all(names[name] == 1 for name in (b"x-real-ip", b"x-forwarded-proto", b"x-forwarded-port"))
        if not asked or not all(fields) or not own or names[b"content-length"] > 1 or names[b"transfer-encoding"]:
            self._report.wrong.append(f"the upstream got {head[:300]!r}")
            return False
        length = next((int(field[2]) for field in fields if field and field[1] == b"Content-Length"), 0)
        await reader.readexactly(length)
        said = NONCE.search(asked[2])
        writer.write(self._answer(said[0] if said else b"none", asked[1] == b"HEAD"))
        await writer.drain()
        return True

    def _answer(self, said: bytes, bodyless: bool) -> bytes:
        body = b"echo " + said
        if self._random.random() < 0.5:
            whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), b"" if bodyless else body)
        else:
            whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            whole += b"" if bodyless else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        if b"-9-" in said and self._random.random() < 0.2:
            self._report.fuzzed += 1
            whole = mutate(self._random, whole + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
        return whole


class Fuzzer:
    """`count` connections to the gateway, so many at once."""

    def __init__(self, address: tuple[str, int], random: Random, report: Report) -> None:
        self._address = address
        self._random = random
        self._report = report

    async def run(self, count: int, at_once: int = 48) -> None:
        """Play them all; the report tells."""
        numbers = iter(range(count))

        async def work() -> None:
            for number in numbers:
                try:
                    await (self._http2(number) if self._random.random() < 0.1 else self._http1(number))
                except (ConnectionError, OSError) as error:
                    self._report.ends[type(error).__name__] += 1
                if number % 500 == 0:
                    await self._alive(number)

        await asyncio.gather(*(work() for _ in range(at_once)))

    async def _alive(self, number: int) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        writer.write(b"GET /%b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % nonce(number, 0))
        answer = await asyncio.wait_for(reader.read(), END)
        writer.close()
        if b"echo " + nonce(number, 0) not in answer:
            self._report.wrong.append(f"a plain request was answered {answer[:200]!r}")

    def _valid(self, said: bytes, last: bool = False) -> bytes:
        close = b"Connection: close\r\n" if last else b""
        kind = self._random.randrange(3)
        if kind == 0:
            return b"GET /%b HTTP/1.1\r\nHost: h\r\n%b\r\n" % (said, close)
        if kind == 1:
            return b"POST /%b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n%b\r\nhello" % (said, close)
        return b"PUT /%b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n%b\r\n5\r\nhello\r\n0\r\n\r\n" % (
            said,
            close,
        )

    async def _http1(self, number: int) -> None:
        random, report = self._random, self._report
        reader, writer = await asyncio.open_connection(*self._address)
        before = list(range(1, 1 + random.randrange(3)))
        writer.write(b"".join(self._valid(nonce(number, place)) for place in before))
        got = b""
        while len(numbers_of(got)) < len(before):
            piece = await asyncio.wait_for(reader.read(65536), END)
            if not piece:
                report.wrong.append(f"closed on valid requests: {got[-200:]!r}")
                break
            got += piece
        if numbers_of(got) != [(number, place) for place in before]:
            report.wrong.append(f"{before} of {number} were answered {numbers_of(got)}")
        fuzzed = mutate(random, self._valid(nonce(number, 9)))
        for piece in self._cut(fuzzed + self._valid(nonce(number, 8)) + self._valid(nonce(number, 7), last=True)):
            writer.write(piece)
            await asyncio.sleep(0)
        report.connections += 1
        report.fuzzed += 1
        await self._finish(number, reader, writer, got)

    def _cut(self, data: bytes) -> list[bytes]:
        places = sorted(self._random.randrange(len(data)) for _ in range(self._random.choice((0, 0, 1, 3))))
        return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]

    async def _http2(self, number: int) -> None:
        client = h2.connection.H2Connection()
        client.initiate_connection()
        preface = client.data_to_send()
        frames = b""
        for place in (1, 8, 9):
            stream = client.get_next_available_stream_id()
            path = "/" + nonce(number, place).decode()
            block = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "h"), ("x-a", "b")]
            client.send_headers(stream, block)
            client.send_data(stream, b"hello", end_stream=True)
            frames += client.data_to_send()
        reader, writer = await asyncio.open_connection(*self._address)
        for piece in self._cut(preface + mutate(self._random, frames)):
            writer.write(piece)
            await asyncio.sleep(0)
        self._report.connections += 1
        self._report.fuzzed += 1
        await self._finish(number, reader, writer, b"")

    async def _finish(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, got: bytes
    ) -> None:
        """Read what comes, hang up, and see that the gateway does so too."""
        report = self._report
        try:
            while piece := await asyncio.wait_for(reader.read(65536), IDLE):
                got += piece
            report.ends["closed"] += 1
        except TimeoutError:
            report.ends["waiting"] += 1
            with contextlib.suppress(OSError):
                writer.write_eof()
            try:
                got += await asyncio.wait_for(reader.read(), END)
            except TimeoutError:
                report.wrong.append(f"connection {number} doesn't end after {got[-200:]!r}")
        writer.close()
        for other, place in numbers_of(got):
            if other != number:
                report.wrong.append(f"connection {number} got the answer {place} of {other}")
        report.statuses.update(status.decode() for status in re.findall(rb"HTTP/1\.1 (\d{3})", got))


async def play(gateway: Any, count: int, seed: int) -> Report:
    """Fuzz a gateway of the tests' own with `count` connections."""
    report = Report()
    random = Random(seed)
    upstream = await asyncio.start_server(Echo(random, report).serve, "127.0.0.1", 0, limit=1 << 20)
    port = upstream.sockets[0].getsockname()[1]
    route = {"type": "roundrobin", "nodes": {f"127.0.0.1:{port}": 1}, "timeout": {"connect": 5, "send": 5, "read": 5}}
    await asyncio.to_thread(gateway.put, "routes/fuzz", {"uri": "/*", "priority": -1, "upstream": route})
    async with upstream:
        await Fuzzer(gateway.address, random, report).run(count)
    await asyncio.to_thread(gateway.admin.delete, "/routes/fuzz")
    return report


def main() -> None:
    """A long run against a gateway in this process."""
    from conftest import Gateway  # type: ignore[import-not-found]  # beside this file, run as a script

    from harness.emulators.apisix import ApisixServer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with ApisixServer() as server:
        begun = time.monotonic()
        report = asyncio.run(play(Gateway(server), options.count, options.seed))
        print(f"{report} in {time.monotonic() - begun:.0f} s")
    raise SystemExit(1 if report.wrong else 0)


if __name__ == "__main__":
    main()
