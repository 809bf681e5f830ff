"""The definitions that several kinds of resources share (schema_def.lua), each under the name /schema/<name> knows."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def text(**limits: Any) -> Schema:
    """A string with limits."""
    return {"type": "string", **limits}


def listed(items: Schema, **limits: Any) -> Schema:
    """An array of `items`, with limits."""
    return {"type": "array", "items": items, **limits}


def obj(properties: Schema, **more: Any) -> Schema:
    """An object with these properties."""
    return {"type": "object", "properties": properties, **more}


def requires(*names: str) -> Schema:
    """A condition: these members are there."""
    return {"required": list(names)}


def integer(**limits: Any) -> Schema:
    """A whole number with limits."""
    return {"type": "integer", **limits}


PLUGINS: Schema = {"type": "object"}

ID: Schema = {"anyOf": [text(minLength=1, maxLength=64, pattern="^[a-zA-Z0-9-_.]+$"), integer(minimum=1)]}

HOST_PATTERN = r"^\*$|^\*?[0-9a-zA-Z-._\[\]:]+$"
HOST: Schema = text(pattern=HOST_PATTERN)

_OCTET = "([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
_IPV4 = r"\.".join([_OCTET] * 4)
_IPV6 = "([a-fA-F0-9]{0,4}:){1,8}(:[a-fA-F0-9]{0,4}){0,8}([a-fA-F0-9]{0,4})?"
IP: list[Schema] = [
    {"title": "IPv4", "type": "string", "format": "ipv4"},
    {"title": "IPv4/CIDR", "type": "string", "pattern": f"^{_IPV4}/([12]?[0-9]|3[0-2])$"},
    {"title": "IPv6", "type": "string", "format": "ipv6"},
    {"title": "IPv6/CIDR", "type": "string", "pattern": f"^{_IPV6}/[0-9]{{1,3}}$"},
]
REMOTE_ADDR: Schema = {"description": "client IP", "type": "string", "anyOf": IP}

URI: Schema = text(pattern=r"^[^\/]+:\/\/([\da-zA-Z.-]+|\[[\da-fA-F:]+\])(:\d+)?")

TIMESTAMP: Schema = integer()
LABEL_VALUE: Schema = {"description": "value of label", **text(pattern=r"^\S+$", maxLength=256, minLength=1)}
LABELS: Schema = {
    "description": "key/value pairs to specify attributes",
    "type": "object",
    "patternProperties": {".*": LABEL_VALUE},
}
NAME: Schema = text(maxLength=256, minLength=1)
DESC: Schema = text(maxLength=256)

_SECONDS: Schema = {"type": "number", "exclusiveMinimum": 0}
TIMEOUT: Schema = obj({"connect": _SECONDS, "send": _SECONDS, "read": _SECONDS}, required=["connect", "send", "read"])

METHOD: Schema = {
    "description": "HTTP method",
    "type": "string",
    "enum": ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"],
}

SCRIPT: Schema = text(minLength=10, maxLength=102400)
ENABLE_WEBSOCKET: Schema = {"description": "enable websocket for request", "type": "boolean"}
CERTIFICATE: Schema = text(minLength=128, maxLength=64 * 1024)
PRIVATE_KEY: Schema = text(minLength=64, maxLength=64 * 1024)

#: id and the two times stand in every kind
IDENTITY: Schema = {"id": ID, "create_time": TIMESTAMP, "update_time": TIMESTAMP}
METADATA: Schema = {**IDENTITY, "name": NAME, "desc": DESC, "labels": LABELS}

PORT: Schema = integer(minimum=1, maximum=65535)

ANONYMOUS_CONSUMER: Schema = text(minLength=1)

#: what plugin.load puts into each plugin's schema
INJECTED_MARK = "this is a mark for our injected plugin schema"
PLUGIN_META: Schema = obj(
    {
        "disable": {"type": "boolean"},
        "error_response": {"oneOf": [{"type": "string"}, {"type": "object"}]},
        "priority": {"description": "priority of plugins by customized order", "type": "integer"},
        "filter": {
            "description": "filter determines whether the plugin needs to be executed at runtime",
            "type": "array",
        },
        "pre_function": {
            "description": "function to be executed in each phase before execution of plugins. "
            "The pre_function will have access to two arguments: `conf` and `ctx`.",
            "type": "string",
        },
    },
    additionalProperties=False,
)
PLUGIN_INJECTED: Schema = {"$comment": INJECTED_MARK, "_meta": PLUGIN_META}
