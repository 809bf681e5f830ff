"""What the three limiting plugins share: the schema's redis branches, the key of a request, the refusal."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from json import dumps
from math import floor
from typing import Any

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.match.lua_values import to_number, to_text
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.templates import counted
from harness.emulators.apisix.variables import TEXTS, getter, resolve

Key = Callable[[Context], "str | None"]
Amount = Callable[[Context], float]

REJECTED: Schema = {
    "rejected_code": {"type": "integer", "minimum": 200, "maximum": 599, "default": 503},
    "rejected_msg": {"type": "string", "minLength": 1},
}
POLICY: Schema = {"type": "string", "enum": ["redis", "redis-cluster", "local"], "default": "local"}
KEY_TYPE: Schema = {"type": "string", "enum": ["var", "var_combination"], "default": "var"}
_LARGEST = 2**53 - 1


def by_policy(redis: Schema, cluster: Schema) -> Schema:
    """The schema's conditions: what a redis policy needs besides."""
    return {
        "if": {"properties": {"policy": {"enum": ["redis"]}}},
        "then": redis,
        "else": {"if": {"properties": {"policy": {"enum": ["redis-cluster"]}}}, "then": cluster},
    }


def amount_or_text(least: Schema) -> Schema:
    """An integer with a lower bound, or text with variables."""
    return {"oneOf": [{"type": "integer", **least}, {"type": "string"}]}


def rejection(conf: Conf) -> Exit:
    """The answer of a limit that is reached."""
    message = conf.get("rejected_msg")
    return Exit(conf["rejected_code"], {"error_msg": message} if message else None)


def around(conf: Conf, scope: Scope) -> tuple[str, str]:
    """What stands before a key and after: resource and a digest of the configuration; workflow's action."""
    kind, identity, _ = scope.resource
    digest = zlib.crc32(dumps(conf, sort_keys=True, default=dict).encode())
    return f"/apisix/{kind}/{identity}:{digest}:", f":{conf['_vid']}" if "_vid" in conf else ""


def key_of(key: str, kind: str) -> Key:
    """How a request's key is found; None means that the address counts instead."""
    if kind == "constant":
        return lambda ctx: key
    return counted(key) if kind == "var_combination" else _variable(key)


def _variable(name: str) -> Key:
    get = getter(name)
    if name in TEXTS:
        return get

    def find(ctx: Context) -> str | None:
        value = get(ctx)
        return value if value is None or value.__class__ is str else to_text(value)

    return find


def amount(value: Any, least: int = 1) -> Amount:
    """The bound that holds for a request: a number, or text with variables that must come to an integer.

    The function raises ValueError when it doesn't.
    """
    if not isinstance(value, str):
        return lambda ctx: float(value) if isinstance(value, bool) else value
    template = resolve(value)

    def find(ctx: Context) -> float:
        text = template(ctx)
        number = to_number(text)
        if number is None or number < least or number != floor(number) or number > _LARGEST:
            raise ValueError(f"{value!r} came to {text!r}, which is no integer of at least {least}")
        return number

    return find
