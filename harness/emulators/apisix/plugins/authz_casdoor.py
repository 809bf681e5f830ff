"""authz-casdoor: log-in at a Casdoor server, kept in a session cookie."""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.match import arguments
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.openid_session import Sessions

_URL: Schema = {"type": "string", "pattern": "^[^%?]+[^/]$"}
_CALLBACK = re.compile(r".+//[^/]+(/.*)")
_TIMEOUT = 60.0


class AuthzCasdoor(Plugin):
    """The session ends with the access token."""

    name = "authz-casdoor"
    priority = 2559
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "endpoint_addr": _URL,
            "client_id": {"type": "string"},
            "client_secret": {"type": "string"},
            "callback_url": _URL,
        },
        "required": ["callback_url", "endpoint_addr", "client_id", "client_secret"],
    }
    encrypt_fields = ("client_secret",)

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        match = _CALLBACK.match(conf["callback_url"])
        self._callback = match[1] if match else None
        name = f"authz_casdoor_session_{sha256(str(conf['client_id']).encode()).hexdigest()}"
        # upstream configures no secret either: it lives as long as the worker
        secret = scope.keep("authz-casdoor.secret", lambda: secrets.token_hex(32))
        self._sessions = Sessions({"secret": secret, "cookie_name": name})

    async def access(self, ctx: Context) -> Exit | None:
        """Let sessions pass, make them from codes, send everybody else to the server."""
        if self._callback is None:
            return Exit(503)
        now = self.scope.clock.time()
        cookies = arguments.cookies("; ".join(ctx.headers.get_all("cookie")))
        session = self._sessions.read(cookies.get(self._sessions.name), now)
        if ctx.uri == self._callback:
            return await self._back(ctx, session)
        if session and session.get("access_token") and session.get("expires", 0) > now:
            return None
        state = str(self.scope.random.randrange(0x7FFFFFFF))
        asked: dict[str, uri_args.Arg] = {
            "response_type": "code",
            "scope": "read",
            "state": state,
            "client_id": self.conf["client_id"],
            "redirect_uri": self.conf["callback_url"],
        }
        cookie = self._sessions.write({"state": state, "original_uri": uri_args.escape_path(ctx.uri)}, now)
        target = f"{self.conf['endpoint_addr']}/login/oauth/authorize?{uri_args.encode(asked)}"
        return Exit(302, None, (("Set-Cookie", cookie), ("Location", target)))

    async def _back(self, ctx: Context, session: dict[str, Any] | None) -> Exit:
        if not session or not session.get("state"):
            self.scope.log("error", "no session found")
            return Exit(503)
        args = uri_args.parse(ctx.query) if ctx.query else {}
        if not args.get("code") or not args.get("state"):
            return Exit(400, "failed when accessing token. Invalid code or state")
        if args["state"] != session["state"]:
            return Exit(400, "invalid state")
        try:
            made = await self._token(str(args["code"]))
        except (OSError, TimeoutError, ValueError) as error:
            self.scope.log("error", f"failed when accessing token: {error}")
            return Exit(503)
        cookie = self._sessions.write(made, self.scope.clock.time())
        return Exit(302, None, (("Set-Cookie", cookie), ("Location", session["original_uri"])))

    async def _token(self, code: str) -> dict[str, Any]:
        """The session of a code; raises ValueError for an answer that gives none."""
        form: dict[str, uri_args.Arg] = {
            "code": code,
            "grant_type": "authorization_code",
            "client_id": self.conf["client_id"],
            "client_secret": self.conf["client_secret"],
        }
        answer = await self.scope.fetch(
            "POST",
            f"{self.conf['endpoint_addr']}/api/login/oauth/access_token",
            headers=[("Content-Type", "application/x-www-form-urlencoded")],
            body=uri_args.encode(form).encode("latin-1"),
            within=_TIMEOUT,
        )
        data = lua_json.decode(answer.body or b"")
        if not isinstance(data, dict) or not data.get("access_token"):
            raise ValueError("no access_token contained")
        # Casdoor says 0 for a token that isn't valid
        lifetime = data.get("expires_in")
        if not isinstance(lifetime, int | float) or lifetime <= 0:
            raise ValueError("invalid access_token")
        return {"access_token": data["access_token"], "expires": int(self.scope.clock.time()) + lifetime}
