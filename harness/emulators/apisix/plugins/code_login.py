"""What dingtalk-auth and feishu-auth are: a code from the provider's page is exchanged for a user, kept in a cookie."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.match import arguments
from harness.emulators.apisix.plugins.acl import EXTERNAL_USER
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.openid_session import Sessions
from harness.emulators.apisix.variables import getter

_SECRET: Schema = {"type": "string", "minLength": 8, "maxLength": 32}
#: the members that both configurations have, their descriptions apart
COMMON: Schema = {
    "set_userinfo_header": {"type": "boolean", "default": True},
    "ssl_verify": {"type": "boolean", "default": True},
    "secret": {**_SECRET, "description": "Secret used for key derivation."},
    "secret_fallbacks": {"type": "array", "items": _SECRET, "description": "older secrets, while keys are rotated"},
}
_COOKIE = "code-login.cookie"


class NoUser(Exception):
    """The provider gave no user; `verdict` is what the client is told."""

    def __init__(self, verdict: Exit) -> None:
        self.verdict = verdict
        super().__init__(str(verdict.body))


class CodeLogin(Plugin):
    """The base; a subclass says in `user_of` who a code stands for."""

    cookie: ClassVar[str] = ""

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._sessions = Sessions(
            {
                "secret": conf["secret"],
                "secret_fallbacks": conf.get("secret_fallbacks", ()),
                "cookie_name": self.cookie,
                "absolute_timeout": conf["cookie_expires_in"],
            }
        )
        self._sent = getter(f"cookie_{self.cookie}")

    async def user_of(self, code: str) -> Any:
        """The user that a code stands for; raises NoUser."""
        raise NotImplementedError

    async def rewrite(self, ctx: Context) -> Exit | None:
        """Let a known user pass, exchange a code, send everybody else to the log-in."""
        ctx.headers.remove("X-Userinfo")
        now = self.scope.clock.time()
        session = self._sessions.read(self._sent(ctx), now)
        if session is None:
            code = self._code(ctx)
            if not code:
                return Exit(302, None, (("Location", self.conf["redirect_uri"]),))
            try:
                session = {"created": now, "userinfo": await self.user_of(code)}
            except NoUser as refused:
                return refused.verdict
            ctx.notes[_COOKIE] = self._sessions.write(session, now)
        elif self._sessions.stale(session, now):
            ctx.notes[_COOKIE] = self._sessions.write(session, now)
        user = session["userinfo"]
        if self.conf["set_userinfo_header"]:
            ctx.headers.set("X-Userinfo", base64.b64encode(lua_json.encode(user)).decode())
        ctx.notes[EXTERNAL_USER] = user
        return None

    def header_filter(self, ctx: Context) -> None:
        """Keep the session in the browser."""
        cookie = ctx.notes.pop(_COOKIE, None)
        if cookie is not None:
            ctx.response.add("Set-Cookie", cookie)

    def _code(self, ctx: Context) -> str | None:
        code = ctx.headers.get(self.conf["code_header"].lower())
        if code is None and ctx.query:
            found = arguments.first(ctx.query, self.conf["code_query"])
            code = found if isinstance(found, str) else None
        return code

    async def told(
        self, method: str, url: str, headers: list[tuple[str, str]], body: Any, refusal: Exit
    ) -> dict[str, Any]:
        """A provider's JSON; raises NoUser with `refusal`."""
        try:
            answer: Response = await self.scope.fetch(
                method,
                url,
                headers=[("Content-Type", "application/json"), *headers],
                body=lua_json.encode(body) if body is not None else b"",
                within=self.conf["timeout"] / 1000,
                ssl_verify=self.conf["ssl_verify"],
            )
            if answer.status != 200:
                text = (answer.body or b"").decode("utf-8", "replace")
                raise ValueError(f"unexpected response status: {answer.status}, body: {text}")
            held = lua_json.decode(answer.body or b"")
            if not isinstance(held, dict):
                raise ValueError("failed to decode response: not an object")
        except (OSError, ValueError) as error:
            self.scope.log("error", f"{self.name} got no answer from {url.partition('?')[0]}: {error}")
            raise NoUser(refusal) from error
        return held
