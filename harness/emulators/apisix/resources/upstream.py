"""Upstreams, and the check of an upstream wherever one stands."""

from __future__ import annotations

import ipaddress
from typing import Any

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.resources.certificates import pair_problem
from harness.emulators.apisix.resources.kind import Desk, Kind, Occasion, Refused, check_reference, users
from harness.emulators.apisix.schema.common import (
    CERTIFICATE,
    HOST,
    ID,
    METADATA,
    PORT,
    PRIVATE_KEY,
    TIMEOUT,
    Schema,
    integer,
    obj,
    requires,
    text,
)
from harness.emulators.apisix.schema.health import CHECKER
from harness.emulators.apisix.schema.validate import Validator
from harness.emulators.apisix.schema.wording import text as shown

_WEIGHT: Schema = {"description": "weight of node", **integer(minimum=0)}
_NODE_METADATA: Schema = {"description": "metadata of node", "type": "object"}
NODES: Schema = {
    "anyOf": [
        {"type": "object", "patternProperties": {".*": _WEIGHT}},
        {
            "type": "array",
            "items": obj(
                {
                    "host": HOST,
                    "port": {"description": "port of node", **PORT},
                    "weight": _WEIGHT,
                    "priority": {"description": "priority of node", **integer(default=0)},
                    "metadata": _NODE_METADATA,
                },
                required=["host", "weight"],
            ),
        },
    ]
}
#: what a discovery must give
DISCOVERY_NODES: Schema = {
    "type": "array",
    "items": obj(
        {
            "host": {"description": "domain or ip"},
            "port": {"description": "port of node", **PORT},
            "weight": _WEIGHT,
            "priority": {"description": "priority of node", **integer()},
            "metadata": _NODE_METADATA,
        },
        required=["host", "weight"],
    ),
}
_TLS: Schema = obj(
    {
        "client_cert_id": ID,
        "client_cert": CERTIFICATE,
        "client_key": PRIVATE_KEY,
        "verify": {
            "type": "boolean",
            "description": "Turn on server certificate verification, currently only kafka upstream is supported",
            "default": False,
        },
    },
    dependencies={
        "client_cert": requires("client_key"),
        "client_key": requires("client_cert"),
        "client_cert_id": {"not": requires("client_cert", "client_key")},
    },
)
_KEEPALIVE: Schema = obj(
    {
        "size": integer(default=320, minimum=1),
        "idle_timeout": {"type": "number", "default": 60, "minimum": 0},
        "requests": integer(default=1000, minimum=1),
    }
)
UPSTREAM: Schema = obj(
    {
        **METADATA,
        "nodes": NODES,
        "retries": integer(minimum=0),
        "retry_timeout": {"type": "number", "minimum": 0},
        "timeout": TIMEOUT,
        "tls": _TLS,
        "keepalive_pool": _KEEPALIVE,
        "type": {"description": "algorithms of load balancing", **text(default="roundrobin")},
        "checks": CHECKER,
        "hash_on": text(default="vars", enum=["vars", "header", "cookie", "consumer", "vars_combinations"]),
        "key": {"description": "the key of chash for dynamic load balancing", "type": "string"},
        "scheme": {
            "default": "http",
            "enum": ["grpc", "grpcs", "http", "https", "tcp", "tls", "udp", "kafka"],
            "description": "The scheme of the upstream. For L7 proxy, it can be one of grpc/grpcs/http/https."
            " For L4 proxy, it can be one of tcp/tls/udp. For specific protocols, it can be kafka.",
        },
        "discovery_type": {"description": "discovery type", "type": "string"},
        "discovery_args": obj(
            {
                "namespace_id": {"description": "namespace id", "type": "string"},
                "group_name": {"description": "group name", "type": "string"},
            }
        ),
        "pass_host": {
            "description": "mod of host passing",
            **text(enum=["pass", "node", "rewrite"], default="pass"),
        },
        "upstream_host": HOST,
        "service_name": text(maxLength=256, minLength=1),
    },
    oneOf=[requires("nodes"), requires("service_name", "discovery_type")],
    additionalProperties=False,
)
HASH_VARS: Schema = text(
    pattern="^((uri|server_name|server_addr|request_uri|remote_port"
    "|remote_addr|query_string|host|hostname|mqtt_client_id)|arg_[0-9a-zA-z_-]+)$"
)
HASH_HEADER: Schema = text(pattern="^[a-zA-Z0-9-_]+$")
HASH_COMBINATIONS: Schema = text()

_HASH_KEYS = {
    "vars": HASH_VARS,
    "header": HASH_HEADER,
    "cookie": HASH_HEADER,
    "vars_combinations": HASH_COMBINATIONS,
}


async def check_inner_upstream(conf: Any, desk: Desk, occasion: Occasion) -> None:
    """Raise Refused for an upstream in a route or service that APISIX would not take; the schema has passed."""
    if conf:
        _check_brackets(conf)
        await _check_rest(conf, desk, occasion)


async def _check_rest(conf: dict[str, Any], desk: Desk, occasion: Occasion) -> None:
    _check_ports(conf.get("nodes"))
    if occasion.references:
        await _check_client_certificate(conf.get("tls") or {}, desk)
    reason = upstream_problem(conf, desk)
    if reason is not None:
        raise Refused(reason)


def upstream_problem(conf: dict[str, Any], desk: Desk) -> str | None:
    """What is wrong with an upstream beyond its schema, or None; the data plane asks this too."""
    if conf.get("pass_host") == "rewrite" and not conf.get("upstream_host"):
        return "`upstream_host` can't be empty when `pass_host` is `rewrite`"
    tls = conf.get("tls") or {}
    if tls.get("client_cert"):
        reason = pair_problem(tls["client_cert"], tls.get("client_key"), desk.keyring)
        if reason is not None:
            return reason
    return _hash_problem(conf) if conf.get("type") == "chash" else None


def _hash_problem(conf: dict[str, Any]) -> str | None:
    kind, key = conf.get("hash_on"), conf.get("key")
    if kind == "consumer":
        return None
    if not key and key != "":
        return "missing key"
    reason = Validator(_HASH_KEYS[str(kind)]).check(key)
    return None if reason is None else f"invalid configuration: {reason}"


def _check_brackets(conf: Any) -> None:
    nodes = conf.get("nodes") if isinstance(conf, dict) else None
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict) and _is_ipv6(node.get("host")):
            raise Refused("invalid configuration: IPv6 address must be enclosed with '[' and ']'")


def _is_ipv6(host: Any) -> bool:
    """A bare IPv6 address, without brackets."""
    try:
        return isinstance(host, str) and ":" in host and ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _check_ports(nodes: Any) -> None:
    for address in nodes if isinstance(nodes, dict) else ():
        port = parse_address(address)[1]
        if port is not None and not 1 <= port <= 65535:
            raise Refused(f"invalid port {port}")


def parse_address(address: str) -> tuple[str, int | None]:
    """host and port of "host:port" and "[ipv6]:port"; what has no number behind the colon is all host."""
    if address.startswith("["):
        host, bracket, rest = address.partition("]")
        return (host + bracket, _port(rest[1:])) if rest.startswith(":") else (address, None)
    host, colon, port = address.rpartition(":")
    number = _port(port) if colon else None
    return (host, number) if number is not None else (address, None)


def _port(text_: str) -> int | None:
    return int(text_) if text_.isascii() and text_.isdigit() else None


async def _check_client_certificate(tls: dict[str, Any], desk: Desk) -> None:
    raw = await check_reference(tls, "client_cert_id", desk)
    if raw is not None and lua_json.decode(raw).get("type") != "client":
        raise Refused(f"failed to fetch ssl info by ssl id [{shown(tls['client_cert_id'])}], wrong ssl type")


def encrypt_upstream(conf: Any, desk: Desk) -> None:
    """Encrypt the client's key of an upstream in place."""
    tls = conf.get("tls") if isinstance(conf, dict) else None
    if isinstance(tls, dict) and tls.get("client_key"):
        tls["client_key"] = desk.keyring.encrypt_key(tls["client_key"])


class Upstreams(Kind):
    """Upstreams of their own."""

    directory = "upstreams"
    label = "upstream"
    schema_name = "upstream"
    schema = UPSTREAM

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        _check_brackets(conf)
        self.check_schema(conf)
        await _check_rest(conf, desk, occasion)

    async def check_delete(self, id_: str, desk: Desk) -> None:
        for directory, label, only_plugins in _USERS:
            for user in desk.table.get(directory).values():
                if directory == "consumers" and "/credentials/" in user.id:
                    continue
                if _splits_to(user.value.get("plugins"), id_):
                    raise Refused(f"can not delete this upstream, plugin in {label} [{user.id}] is still using it now")
            if not only_plugins and (found := users(desk, directory, "upstream_id", id_)):
                raise Refused(f"can not delete this upstream, {label} [{found[0]}] is still using it now")

    def encrypt(self, conf: dict[str, Any], desk: Desk) -> None:
        encrypt_upstream(conf, desk)


#: who may use an upstream: directory, what messages call it, whether only its traffic-split can
_USERS = (
    ("routes", "route", False),
    ("services", "service", False),
    ("plugin_configs", "plugin_config", True),
    ("consumers", "consumer", True),
    ("consumer_groups", "consumer_group", True),
    ("global_rules", "global_rules", True),
)


def _splits_to(plugins: Any, upstream_id: str) -> bool:
    """Whether traffic-split sends to the upstream."""
    conf = plugins.get("traffic-split") if isinstance(plugins, dict) else None
    rules = conf.get("rules") if isinstance(conf, dict) else None
    return any(
        shown(target["upstream_id"]) == upstream_id
        for rule in rules or ()
        for target in rule.get("weighted_upstreams") or ()
        if target.get("upstream_id") is not None
    )
