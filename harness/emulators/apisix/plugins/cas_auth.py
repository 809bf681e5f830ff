"""cas-auth: log-in at a CAS server; its tickets are the sessions."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from hashlib import sha256
from typing import Any, ClassVar

from harness.emulators.apisix import uri_args, variables
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.auth import decode_base64
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

_REQUEST = "CAS_REQUEST_URI"
_LIFETIME = 3600  # seconds
_TIMEOUT = 60.0
_GONE = "deleted; Max-Age=0"
_ORIGIN = re.compile(r"https?://[^/]+")
_USER = re.compile(r"<cas:user>(.*?)</cas:user>")
_TICKET = re.compile(r"<samlp:SessionIndex>(.+)</samlp:SessionIndex>", re.DOTALL)
_UNSAFE = re.compile(r"[\\\r\n]")


class CasAuth(Plugin):
    """Sessions of one CAS configuration are unknown to every other."""

    name = "cas-auth"
    priority = 2597
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_req_body_size": {"type": "integer", "minimum": 1, "default": 67108864},
            "idp_uri": {"type": "string"},
            "cas_callback_uri": {"type": "string"},
            "logout_uri": {"type": "string"},
            "cookie": {
                "type": "object",
                "properties": {
                    "secret": {"type": "string", "minLength": 32},
                    "secure": {"type": "boolean", "default": True},
                    "samesite": {"type": "string", "enum": ["Lax", "None"], "default": "Lax"},
                },
                "required": ["secret"],
            },
        },
        "required": ["idp_uri", "cas_callback_uri", "logout_uri", "cookie"],
    }
    encrypt_fields = ("cookie.secret",)

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """A cookie for all sites must be secure."""
        cookie = conf["cookie"]
        if cookie.get("samesite") == "None" and cookie.get("secure") is False:
            return 'cookie.secure must be true when cookie.samesite is "None"'
        return None

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._idp: str = conf["idp_uri"]
        callback: str = conf["cas_callback_uri"]
        origin = _ORIGIN.match(callback)
        self._absolute = callback if origin else ""
        self._path = re.split(r"[?#]", callback[origin.end() :])[0] or "/" if origin else callback
        self._fingerprint = sha256(f"{self._idp}|{callback}".encode()).hexdigest()
        self._cookie = f"CAS_SESSION_{self._fingerprint}"
        cookie = conf["cookie"]
        secure = "" if cookie.get("secure") is False else "; Secure"
        self._attributes = f"; Path=/; HttpOnly{secure}; SameSite={cookie.get('samesite', 'Lax')}"
        self._secret = str(cookie["secret"]).encode()
        self._store = scope.shared("cas_sessions")
        self._session = variables.getter(f"cookie_{self._cookie}")
        self._state = variables.getter(f"cookie_{_REQUEST}")

    async def access(self, ctx: Context) -> Exit | None:
        """Let sessions pass, make them from tickets, send everybody else to the server."""
        session = self._session(ctx)
        if ctx.method == "GET" and ctx.uri == self.conf["logout_uri"]:
            return self._logout(session)
        if ctx.method == "POST" and ctx.uri == self._path:
            return await self._logged_out_there(ctx)
        if session is not None:
            return self._known(ctx, str(session))
        args = uri_args.parse(ctx.query) if ctx.query else {}
        ticket = args.get("ticket")
        if isinstance(ticket, str) and ctx.uri == self._path:
            return await self._validate(ctx, ticket)
        return self._first(ctx)

    def _key(self, ticket: str) -> str:
        return f"{self._fingerprint}:{ticket}"

    def _set(self, name: str, value: str) -> tuple[str, str]:
        return ("Set-Cookie", f"{name}={value}{self._attributes}")

    def _service(self, ctx: Context) -> str:
        return self._absolute or f"{ctx.client.scheme}://{ctx.host}:{ctx.client.server_port}{self._path}"

    def _known(self, ctx: Context, session: str) -> Exit | None:
        entry = self._store.get(self._key(session))
        if entry is None:
            ctx.response.add(*self._set(self._cookie, _GONE))
            return self._first(ctx)
        self._store.set(self._key(session), entry, _LIFETIME)
        return None

    def _first(self, ctx: Context) -> Exit:
        asked = f"{ctx.uri}?{ctx.query}" if ctx.query else ctx.uri
        ctx.response.add(*self._set(_REQUEST, self._signed(asked)))
        login = f"{self._idp}/login?{uri_args.encode({'service': self._service(ctx)})}"
        return Exit(302, None, (("Location", login),))

    async def _validate(self, ctx: Context, ticket: str) -> Exit:
        asked = self._verified(str(self._state(ctx) or ""))
        if not asked or not asked.startswith("/") or asked.startswith("//") or _UNSAFE.search(asked):
            return Exit(401, {"message": "invalid callback state"})
        user = await self._user(ctx, ticket)
        if user is None or not self._store.add(self._key(ticket), f"{self._fingerprint}|{user}", _LIFETIME):
            return Exit(401, {"message": "invalid ticket"})
        ctx.response.add(*self._set(self._cookie, ticket))
        ctx.response.add(*self._set(_REQUEST, _GONE))
        return Exit(302, None, (("Location", asked),))

    async def _user(self, ctx: Context, ticket: str) -> str | None:
        query = uri_args.encode({"ticket": ticket, "service": self._service(ctx)})
        try:
            answer = await self.scope.fetch("GET", f"{self._idp}/serviceValidate?{query}", within=_TIMEOUT)
        except (OSError, TimeoutError) as error:
            self.scope.log("error", f"validate ticket failed: {error}")
            return None
        text = (answer.body or b"").decode("latin-1")
        found = _USER.search(text) if answer.status == 200 and "<cas:authenticationSuccess>" in text else None
        return found[1] if found else None

    async def _logged_out_there(self, ctx: Context) -> Exit:
        body = await ctx.read_body()
        found = _TICKET.search(body.decode("latin-1")) if len(body) <= self.conf["max_req_body_size"] else None
        if found is None:
            return Exit(400, {"message": "invalid logout request from IdP, no ticket"})
        self._store.delete(self._key(found[1]))
        return Exit(200)

    def _logout(self, session: Any) -> Exit:
        if session is None:
            return Exit(401)
        self._store.delete(self._key(str(session)))
        return Exit(302, None, (self._set(self._cookie, _GONE), ("Location", f"{self._idp}/logout")))

    def _signed(self, text: str) -> str:
        raw = text.encode("latin-1")
        return f"{_bare(raw)}.{_bare(hmac.digest(self._secret, raw, 'sha256'))}"

    def _verified(self, signed: str) -> str | None:
        text, dot, signature = signed.partition(".")
        raw, given = decode_base64(text), decode_base64(signature)
        if not dot or raw is None or given is None:
            return None
        right = hmac.compare_digest(given, hmac.digest(self._secret, raw, "sha256"))
        return raw.decode("latin-1") if right else None


def _bare(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")
