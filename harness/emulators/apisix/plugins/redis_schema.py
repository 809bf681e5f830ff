"""The members of a limit's configuration that say where its redis is (apisix/utils/redis-schema.lua)."""

from __future__ import annotations

from typing import Any

_TIMEOUT = {"type": "integer", "minimum": 1, "default": 1000}
_PASSWORD = {"type": "string", "minLength": 0}
_USERNAME = {"type": "string", "minLength": 1}
_KEEPALIVE: dict[str, Any] = {
    "redis_keepalive_timeout": {"type": "integer", "minimum": 1000, "default": 10000},
    "redis_keepalive_pool": {"type": "integer", "minimum": 1, "default": 100},
}
_OFF = {"type": "boolean", "default": False}

REDIS: dict[str, Any] = {
    "properties": {
        "redis_host": {"type": "string", "minLength": 2},
        "redis_port": {"type": "integer", "minimum": 1, "default": 6379},
        "redis_username": _USERNAME,
        "redis_password": _PASSWORD,
        "redis_database": {"type": "integer", "minimum": 0, "default": 0},
        "redis_timeout": _TIMEOUT,
        "redis_ssl": _OFF,
        "redis_ssl_verify": _OFF,
        **_KEEPALIVE,
    },
    "required": ["redis_host"],
}
REDIS_CLUSTER: dict[str, Any] = {
    "properties": {
        "redis_cluster_nodes": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "minLength": 2, "maxLength": 100},
        },
        "redis_password": _PASSWORD,
        "redis_timeout": _TIMEOUT,
        "redis_cluster_name": {"type": "string"},
        "redis_cluster_ssl": _OFF,
        "redis_cluster_ssl_verify": _OFF,
        **_KEEPALIVE,
    },
    "required": ["redis_cluster_nodes", "redis_cluster_name"],
}
REDIS_SENTINEL: dict[str, Any] = {
    "properties": {
        "redis_sentinels": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "host": {"type": "string", "minLength": 2},
                    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                },
                "required": ["host", "port"],
                "additionalProperties": False,
            },
        },
        "redis_master_name": _USERNAME,
        "redis_role": {"type": "string", "enum": ["master", "slave"], "default": "master"},
        "redis_connect_timeout": _TIMEOUT,
        "redis_read_timeout": _TIMEOUT,
        "redis_keepalive_timeout": {"type": "integer", "minimum": 1, "default": 60000},
        "redis_database": {"type": "integer", "minimum": 0, "default": 0},
        "redis_username": _USERNAME,
        "redis_password": _PASSWORD,
        "sentinel_username": _USERNAME,
        "sentinel_password": _PASSWORD,
    },
    "required": ["redis_sentinels", "redis_master_name"],
}


def with_key_ttl(schema: dict[str, Any]) -> dict[str, Any]:
    """The same with `key_ttl`, which limit-conn has besides."""
    key_ttl = {"type": "integer", "default": 3600}
    return {**schema, "properties": {**schema["properties"], "key_ttl": key_ttl}}
