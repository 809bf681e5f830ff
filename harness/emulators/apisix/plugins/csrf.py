"""csrf: a signed token that must come both as cookie and as header with each unsafe request."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from hashlib import sha256
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, variables
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.auth import decode_base64
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Csrf(Plugin):
    """Each answer, a refusal too, sets a new token."""

    name = "csrf"
    priority = 2980
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "key": {"type": "string"},
            "expires": {"type": "integer", "default": 7200},
            "name": {"type": "string", "default": "apisix-csrf-token"},
        },
        "required": ["key"],
    }
    encrypt_fields = ("key",)

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._header = conf["name"].lower()
        self._cookie = variables.getter(f"cookie_{conf['name']}")

    def access(self, ctx: Context) -> Exit | None:
        """Refuse an unsafe request without the token."""
        if ctx.method in _SAFE:
            return None
        token = ctx.headers.get(self._header)
        cookie = self._cookie(ctx)
        if not token:
            return Exit(401, {"error_msg": "no csrf token in headers"})
        if cookie is None:
            return Exit(401, {"error_msg": "no csrf cookie"})
        if token != cookie:
            return Exit(401, {"error_msg": "csrf token mismatch"})
        problem = self._problem(token)
        if problem:
            self.scope.log("error", problem)
            return Exit(401, {"error_msg": "Failed to verify the csrf token signature"})
        return None

    def _problem(self, token: str) -> str:
        decoded = decode_base64(token)
        if decoded is None:
            return "csrf token base64 decode error"
        try:
            made = lua_json.decode(decoded)
        except ValueError as error:
            return f"decode token error: {error}"
        if not isinstance(made, dict) or made.get("random") is None:
            return "no random in token"
        expires = made.get("expires")
        if not isinstance(expires, int | float):
            return "no expires in token"
        if 0 < self.conf["expires"] < self._now() - expires:
            return "token has expired"
        return "" if made.get("sign") == self._sign(made["random"], expires) else "Invalid signatures"

    def header_filter(self, ctx: Context) -> None:
        """Set the cookie with a new token."""
        random, now = float(_number(self.scope.random.random())), self._now()
        text = json.dumps({"random": random, "expires": now, "sign": self._sign(random, now)}, separators=(",", ":"))
        token = b64encode(text.encode()).decode()
        expires = _cookie_time(now + self.conf["expires"])
        ctx.response.add("Set-Cookie", f"{self.conf['name']}={token};path=/;SameSite=Lax;Expires={expires}")

    def _now(self) -> int:
        return int(self.scope.clock.time())

    def _sign(self, random: Any, expires: Any) -> str:
        text = f"{{expires:{_number(expires)},random:{_number(random)},key:{self.conf['key']}}}"
        return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _number(value: Any) -> str:
    """A number as Lua writes it."""
    return format(value, ".14g") if isinstance(value, int | float) else str(value)


def _cookie_time(seconds: int) -> str:
    """ngx.cookie_time: two digits for the year, four after 2037."""
    moment = time.gmtime(seconds)
    year = str(moment.tm_year) if moment.tm_year > 2037 else f"{moment.tm_year % 100:02d}"
    date = f"{_DAYS[moment.tm_wday]}, {moment.tm_mday:02d}-{_MONTHS[moment.tm_mon - 1]}-{year}"
    return f"{date} {moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d} GMT"
