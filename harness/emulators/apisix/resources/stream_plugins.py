"""The plugins of the stream proxy: their names, schemas and checks, which is all that the control plane needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from harness.emulators.apisix.plugins.base import Plugin, Schema
from harness.emulators.apisix.plugins.batch_queue import batch_properties
from harness.emulators.apisix.plugins.ip_restriction import IpRestriction
from harness.emulators.apisix.plugins.traffic_split import TrafficSplit
from harness.emulators.apisix.resources.plugins import Catalogue

#: switched on by default (cli/config.lua)
BY_DEFAULT = ("ip-restriction", "limit-conn", "mqtt-proxy", "traffic-split", "syslog")


class StreamLimitConn(Plugin):
    """limit-conn without what an HTTP answer or a redis would need."""

    name = "limit-conn"
    priority = 1003
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "conn": {"type": "integer", "exclusiveMinimum": 0},
            "burst": {"type": "integer", "minimum": 0},
            "default_conn_delay": {"type": "number", "exclusiveMinimum": 0},
            "only_use_default_delay": {"type": "boolean", "default": False},
            "key": {"type": "string"},
            "key_type": {"type": "string", "enum": ["var", "var_combination"], "default": "var"},
        },
        "required": ["conn", "burst", "default_conn_delay", "key"],
    }


class MqttProxy(Plugin):
    """Finds the client's id in MQTT's first packet."""

    name = "mqtt-proxy"
    priority = 1000
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "protocol_name": {"type": "string", "default": "MQTT"},
            "protocol_level": {"type": "integer"},
        },
        "required": ["protocol_level"],
    }


class StreamPrometheus(Plugin):
    """Counts connections; switched off by default."""

    name = "prometheus"
    priority = 500
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"prefer_name": {"type": "boolean", "default": False}},
    }


class StreamSyslog(Plugin):
    """syslog without bodies."""

    name = "syslog"
    priority = 401
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "host": {"type": "string"},
            "port": {"type": "integer"},
            "flush_limit": {"type": "integer", "minimum": 1, "default": 4096},
            "drop_limit": {"type": "integer", "default": 1048576},
            "timeout": {"type": "integer", "minimum": 1, "default": 3000},
            "log_format": {"type": "object"},
            "sock_type": {"type": "string", "default": "tcp", "enum": ["tcp", "udp"]},
            "pool_size": {"type": "integer", "minimum": 5, "default": 5},
            "tls": {"type": "boolean", "default": False},
            **batch_properties("stream sys logger"),
        },
        "required": ["host", "port"],
    }


KNOWN: dict[str, type[Plugin]] = {
    plugin.name: plugin
    for plugin in (IpRestriction, StreamLimitConn, MqttProxy, TrafficSplit, StreamPrometheus, StreamSyslog)
}


class StreamCatalogue(Catalogue):
    """As the HTTP plugins' catalogue, in the words of stream_check_schema (plugin.lua)."""

    def __init__(self, enabled: Iterable[str] | None) -> None:
        super().__init__(KNOWN, BY_DEFAULT if enabled is None else enabled)

    def refusal(self, name: str, reason: str) -> str:
        """What is said of a wrong configuration."""
        return f"failed to check the configuration of stream plugin [{name}]: {reason}"

    def meta_problem(self, name: str, meta: object) -> str | None:
        """Nothing beyond the schema is looked at."""
        return None
