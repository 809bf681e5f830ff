"""A producer to a Kafka cluster on lua-resty-kafka's terms; aiokafka speaks the protocol.

The version of the Produce request is what broker and aiokafka agree on, whatever `api_version` says.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.emulators.apisix.plugins.senders import tls_client

log = logging.getLogger("harness.emulators.apisix")
#: lua-resty-kafka knows no limit of its own; the broker has one
_LARGEST = 2**30


class KafkaFailed(Exception):
    """The message can't be sent; the text says why."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to begin, and how to log in."""

    host: str
    port: int
    sasl: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Terms:
    """How to send; times in seconds. `waits` for each message, else they go out in the background."""

    waits: bool
    acks: int
    timeout: float
    linger: float
    batch_count: int
    batch_bytes: int
    most_waiting: int
    refresh: float
    tls: bool
    verify: bool


class Producer:
    """One connection to a cluster for this worker, opened at the first message."""

    def __init__(self, brokers: list[Broker], terms: Terms) -> None:
        self._brokers = brokers
        self._terms = terms
        self._producer: Any = None
        self._opening = asyncio.Lock()
        self._waiting = 0
        self._unsent = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turn = itertools.count()

    async def send(self, topic: str, key: bytes | None, data: bytes) -> None:
        """Send a message, or have it sent; raises KafkaFailed."""
        from aiokafka.errors import KafkaError

        if self._waiting >= self._terms.most_waiting:
            raise KafkaFailed("buffer overflow")
        try:
            producer = await self._open()
            async with asyncio.timeout(self._terms.timeout):
                sent = await producer.send(topic, data, key=key)
            if self._terms.waits:
                await sent
            else:
                self._follow(sent)
        except (KafkaError, OSError, TimeoutError) as error:
            raise KafkaFailed(str(error) or type(error).__name__) from error

    async def _open(self) -> Any:
        from aiokafka import AIOKafkaProducer

        async with self._opening:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._options())
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def _options(self) -> dict[str, Any]:
        terms = self._terms
        sasl = next((broker.sasl for broker in self._brokers if broker.sasl), None)
        options: dict[str, Any] = {
            "bootstrap_servers": [f"{broker.host}:{broker.port}" for broker in self._brokers],
            "acks": "all" if terms.acks == -1 else terms.acks,
            "request_timeout_ms": int(terms.timeout * 1000),
            "linger_ms": 0 if terms.waits else int(terms.linger * 1000),
            "max_batch_size": max(terms.batch_bytes, 1),
            "max_request_size": _LARGEST,
            "metadata_max_age_ms": int(terms.refresh * 1000),
            "partitioner": self._partition,
            "security_protocol": f"{'SASL_' if sasl else ''}{'SSL' if terms.tls else 'PLAINTEXT'}",
        }
        if terms.tls:
            options["ssl_context"] = self._tls()
        if sasl:
            options["sasl_mechanism"] = sasl.get("mechanism", "PLAIN")
            options["sasl_plain_username"] = sasl["user"]
            options["sasl_plain_password"] = sasl["password"]
        return options

    def _tls(self) -> ssl.SSLContext:
        return tls_client(self._terms.verify)

    def _partition(self, key: bytes | None, everything: list[int], available: list[int]) -> int:
        """lua-resty-kafka's choice: by the key's CRC-32, else one after another."""
        number = zlib.crc32(key) if key is not None else next(self._turn)
        return everything[number % len(everything)]

    def _follow(self, sent: Any) -> None:
        """Count what waits in the buffer, and empty it when there is enough for a batch."""
        self._waiting += 1
        self._unsent += 1
        sent.add_done_callback(self._done)
        if self._unsent >= self._terms.batch_count:
            self._unsent = 0
            task = asyncio.get_running_loop().create_task(self._producer.flush())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _done(self, sent: Any) -> None:
        self._waiting -= 1
        if not sent.cancelled() and sent.exception() is not None:
            log.error("failed to send data to Kafka: %s", sent.exception())
