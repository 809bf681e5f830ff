"""request-id: an id for each request that came without one, towards the upstream and in the answer."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import ClassVar

from harness.clock import Clock
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

#: G where J belongs is upstream's own slip
_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIGKLMNOPQRSTUVWXYZ0123456789"
_NANOID = "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KSUID_EPOCH = 1_400_000_000


class RequestId(Plugin):
    name = "request-id"
    priority = 12015
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "header_name": {"type": "string", "default": "X-Request-Id"},
            "include_in_response": {"type": "boolean", "default": True},
            "algorithm": {
                "type": "string",
                "enum": ["uuid", "nanoid", "range_id", "ksuid", "uuidv7"],
                "default": "uuid",
            },
            "range_id": {
                "type": "object",
                "properties": {
                    "length": {"type": "integer", "minimum": 6, "default": 16},
                    "char_set": {"type": "string", "minLength": 6, "default": _CHARACTERS},
                },
                "default": {"length": 16, "char_set": _CHARACTERS},
            },
        },
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._name: str = conf["header_name"]
        self._lower = self._name.lower()
        self._answers: bool = conf["include_in_response"]
        self._make = _maker(conf, scope.random, scope.clock)
        self._note = f"request-id-{self._name}"

    def rewrite(self, ctx: Context) -> None:
        """Keep the client's id, else make one."""
        found = ctx.headers.get(self._lower)
        if not found:
            found = self._make()
            ctx.headers.set(self._name, found)
        ctx.variables["apisix_request_id"] = found
        if self._answers:
            ctx.notes[self._note] = found

    def header_filter(self, ctx: Context) -> None:
        """The id in the answer, unless the upstream gave one of that name."""
        if self._answers and not ctx.response.get(self._lower) and self._note in ctx.notes:
            ctx.response.set(self._name, ctx.notes[self._note])


def _maker(conf: Conf, random: Random, clock: Clock) -> Callable[[], str]:
    algorithm = conf["algorithm"]
    if algorithm == "nanoid":
        return lambda: "".join(random.choices(_NANOID, k=21))
    if algorithm == "range_id":
        characters, length = conf["range_id"]["char_set"], conf["range_id"]["length"]
        return lambda: "".join(random.choices(characters, k=length))
    if algorithm == "ksuid":
        return lambda: _ksuid(random, clock)
    if algorithm == "uuidv7":
        return lambda: _uuid(int(clock.time() * 1000) << 80 | random.getrandbits(80), 7)
    return lambda: _uuid(random.getrandbits(128), 4)


def _uuid(bits: int, version: int) -> str:
    bits = bits & ~(0xF << 76) & ~(0x3 << 62) | version << 76 | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _ksuid(random: Random, clock: Clock) -> str:
    """27 characters in base 62: seconds since the format's epoch, then 128 random bits."""
    number = (int(clock.time()) - _KSUID_EPOCH) << 128 | random.getrandbits(128)
    digits = ""
    for _ in range(27):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits
