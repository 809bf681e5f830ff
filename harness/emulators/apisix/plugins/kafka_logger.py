"""kafka-logger: entries as messages of a Kafka topic."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.batch_queue import SendFailed, batch_properties
from harness.emulators.apisix.plugins.kafka_producer import Broker, KafkaFailed, Producer, Terms
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, BatchLogger, check_expressions

_PORT = {"type": "integer", "minimum": 1, "maximum": 65535, "description": "the port of kafka broker"}


def _least(number: int, default: int) -> Schema:
    return {"type": "integer", "minimum": number, "default": default}


class KafkaLogger(BatchLogger):
    name = "kafka-logger"
    priority = 403
    encrypt_fields = ("brokers.sasl_config.password",)
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "meta_format": {"type": "string", "default": "default", "enum": ["default", "origin"]},
            "broker_list": {"type": "object", "minProperties": 1, "patternProperties": {".*": _PORT}},
            "brokers": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "host": {"type": "string", "description": "the host of kafka broker"},
                        "port": _PORT,
                        "sasl_config": {
                            "type": "object",
                            "description": "sasl config",
                            "properties": {
                                "mechanism": {
                                    "type": "string",
                                    "default": "PLAIN",
                                    "enum": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
                                },
                                "user": {"type": "string", "description": "user"},
                                "password": {"type": "string", "description": "password"},
                            },
                            "required": ["user", "password"],
                        },
                    },
                    "required": ["host", "port"],
                },
                "uniqueItems": True,
            },
            "tls": {
                "type": "object",
                "description": "tls config for connecting to kafka brokers",
                "properties": {"verify": {"type": "boolean", "default": False}},
            },
            "kafka_topic": {"type": "string"},
            "producer_type": {"type": "string", "default": "async", "enum": ["async", "sync"]},
            "required_acks": {"type": "integer", "default": 1, "enum": [1, -1]},
            "key": {"type": "string"},
            "timeout": _least(1, 3),
            "cluster_name": _least(1, 1),
            "producer_batch_num": _least(1, 200),
            "producer_batch_size": _least(0, 1048576),
            "producer_max_buffering": _least(1, 50000),
            "producer_time_linger": _least(1, 1),
            "meta_refresh_interval": _least(1, 30),
            "api_version": {"type": "integer", "default": 1, "enum": [0, 1, 2]},
            **LOG_PROPERTIES,
            **batch_properties("kafka logger"),
        },
        "oneOf": [{"required": ["broker_list", "kafka_topic"]}, {"required": ["brokers", "kafka_topic"]}],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._producer: Producer | None = None

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The expressions for bodies."""
        return check_expressions(conf)

    def log(self, ctx: Context) -> None:
        """Make the entry, or take the request as it came, and hand it on."""
        if self.conf["meta_format"] == "origin":
            self._queue.push(self._original(ctx), self.send, ctx)
        else:
            super().log(ctx)

    def _original(self, ctx: Context) -> str:
        major, minor = ctx.version
        lines = [f"{ctx.method} {ctx.target} HTTP/{major}.{minor}"]
        lines += [f"{lower}: {value}" for lower, _, value in ctx.headers.items]
        body = (ctx.body or b"")[: self.conf["max_req_body_bytes"]] if self.conf["include_req_body"] else b""
        text = "\r\n".join(lines) + "\r\n\r\n"
        return text.encode("latin-1").decode("utf-8", "surrogateescape") + body.decode("utf-8", "surrogateescape")

    async def send(self, entries: list[Any]) -> None:
        """One message: the entry, or the batch as a list."""
        one = self.conf["batch_max_size"] == 1 and isinstance(entries[0], str)
        data = entries[0].encode("utf-8", "surrogateescape") if one else self.encoded(entries)
        key = self.conf.get("key")
        try:
            await self._known_producer().send(self.conf["kafka_topic"], key.encode() if key else None, data)
        except KafkaFailed as problem:
            told = lua_json.encode(self.conf.get("broker_list")).decode()
            raise SendFailed(f"failed to send data to Kafka topic: {problem}, brokers: {told}") from problem

    def _known_producer(self) -> Producer:
        """As in lua-resty-kafka, asynchronous senders of one cluster_name share the producer of the first of them."""
        if self._producer is None:
            conf = self.conf
            shared = conf["producer_type"] == "async"
            kept = self.scope.keep(f"kafka:{conf['cluster_name']}", self._make) if shared else None
            self._producer = kept or self._make()
        return self._producer

    def _make(self) -> Producer:
        return Producer(_brokers(self.conf), _terms(self.conf))


def _brokers(conf: Conf) -> list[Broker]:
    found = [Broker(one["host"], one["port"], one.get("sasl_config")) for one in conf.get("brokers", ())]
    return [*found, *(Broker(host, port, None) for host, port in conf.get("broker_list", {}).items())]


def _terms(conf: Conf) -> Terms:
    tls = conf.get("tls")
    return Terms(
        waits=conf["producer_type"] == "sync",
        acks=conf["required_acks"],
        timeout=conf["timeout"],
        linger=conf["producer_time_linger"],
        batch_count=conf["producer_batch_num"],
        batch_bytes=conf["producer_batch_size"],
        most_waiting=conf["producer_max_buffering"],
        refresh=conf["meta_refresh_interval"],
        tls=tls is not None,
        verify=tls is not None and tls.get("verify", False),
    )
