"""The schema of an upstream's health checks."""

from __future__ import annotations

from harness.emulators.apisix.schema.common import HOST, METHOD, PORT, Schema, integer, listed, obj, requires, text

_TYPE: Schema = text(enum=["http", "https", "tcp"], default="http")
_INTERVAL: Schema = integer(minimum=1, default=1)


def _statuses(*default: int) -> Schema:
    return listed(integer(minimum=200, maximum=599), minItems=1, uniqueItems=True, default=list(default))


def _count(default: int, least: int) -> Schema:
    return integer(minimum=least, maximum=254, default=default)


ACTIVE: Schema = obj(
    {
        "type": _TYPE,
        "timeout": {"type": "number", "default": 1},
        "concurrency": integer(default=10),
        "host": HOST,
        "port": PORT,
        "http_method": text(enum=METHOD["enum"], default="GET"),
        "http_path": text(default="/"),
        "http_req_body": text(default=""),
        "https_verify_certificate": {"type": "boolean", "default": True},
        "healthy": obj({"interval": _INTERVAL, "http_statuses": _statuses(200, 302), "successes": _count(2, 1)}),
        "unhealthy": obj(
            {
                "interval": _INTERVAL,
                "http_statuses": _statuses(429, 404, 500, 501, 502, 503, 504, 505),
                "http_failures": _count(5, 1),
                "tcp_failures": _count(2, 1),
                "timeouts": _count(3, 1),
            }
        ),
        "req_headers": listed({"type": "string", "uniqueItems": True}, minItems=1),
    }
)

_FINE = (200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308)
PASSIVE: Schema = obj(
    {
        "type": _TYPE,
        "healthy": obj({"http_statuses": _statuses(*_FINE), "successes": _count(5, 0)}),
        "unhealthy": obj(
            {
                "http_statuses": _statuses(429, 500, 503),
                "tcp_failures": _count(2, 0),
                "timeouts": _count(7, 0),
                "http_failures": _count(5, 0),
            }
        ),
    }
)

CHECKER: Schema = obj({"active": ACTIVE, "passive": PASSIVE}, anyOf=[requires("active"), requires("active", "passive")])
