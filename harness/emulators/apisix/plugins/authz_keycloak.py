"""authz-keycloak: a Keycloak server decides what the bearer of a token may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.context import Context, Exit, Verdict
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

_URL: Schema = {"type": "string", "minLength": 1, "maxLength": 4096}
_SHORT: Schema = {"type": "string", "minLength": 1, "maxLength": 100}
_UMA = "urn:ietf:params:oauth:grant-type:uma-ticket"
_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_DENIED = '{"error":"access_denied","error_description":"not_authorized"}'


class _Unavailable(Exception):
    """Keycloak can't be asked; the text goes to the client with a 503."""


class AuthzKeycloak(Plugin):
    """Permissions are listed, or found by path; documents and tokens are kept by the gateway's clock."""

    name = "authz-keycloak"
    priority = 2000
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_req_body_size": {"type": "integer", "minimum": 1, "default": 67108864},
            "discovery": _URL,
            "token_endpoint": _URL,
            "resource_registration_endpoint": _URL,
            "client_id": _SHORT,
            "client_secret": _SHORT,
            "grant_type": {**_SHORT, "default": _UMA, "enum": [_UMA]},
            "policy_enforcement_mode": {
                "type": "string",
                "enum": ["ENFORCING", "PERMISSIVE"],
                "default": "ENFORCING",
            },
            "permissions": {"type": "array", "items": _SHORT, "uniqueItems": True, "default": []},
            "lazy_load_paths": {"type": "boolean", "default": False},
            "http_method_as_scope": {"type": "boolean", "default": False},
            "timeout": {"type": "integer", "minimum": 1000, "default": 3000},
            "ssl_verify": {"type": "boolean", "default": True},
            "cache_ttl_seconds": {"type": "integer", "minimum": 1, "default": 24 * 60 * 60},
            "keepalive": {"type": "boolean", "default": True},
            "keepalive_timeout": {"type": "integer", "minimum": 1000, "default": 60000},
            "keepalive_pool": {"type": "integer", "minimum": 1, "default": 5},
            "access_denied_redirect_uri": {"type": "string", "minLength": 1, "maxLength": 2048},
            "access_token_expires_in": {"type": "integer", "minimum": 1, "default": 300},
            "access_token_expires_leeway": {"type": "integer", "minimum": 0, "default": 0},
            "refresh_token_expires_in": {"type": "integer", "minimum": 1, "default": 3600},
            "refresh_token_expires_leeway": {"type": "integer", "minimum": 0, "default": 0},
            "password_grant_token_generation_incoming_uri": _URL,
        },
        "required": ["client_id"],
        "allOf": [
            {"anyOf": [{"required": ["discovery"]}, {"required": ["token_endpoint"]}]},
            {
                "anyOf": [
                    {"properties": {"lazy_load_paths": {"enum": [False]}}},
                    {
                        "properties": {"lazy_load_paths": {"enum": [True]}},
                        "anyOf": [{"required": ["discovery"]}, {"required": ["resource_registration_endpoint"]}],
                    },
                ]
            },
        ],
    }
    encrypt_fields = ("client_secret",)

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._kept: dict[tuple[str, str], tuple[float, Any]] = scope.keep("authz-keycloak", dict)

    async def access(self, ctx: Context) -> Verdict:
        """Ask Keycloak, or give a token for a password."""
        incoming = self.conf.get("password_grant_token_generation_incoming_uri")
        if incoming and self._asks_for_token(ctx, incoming):
            return await self._password_grant(ctx)
        token = ctx.headers.get("authorization")
        if token is None:
            return Exit(401, {"message": "Missing JWT token in request"})
        if not token.startswith(("Bearer ", "bearer ")):
            token = f"Bearer {token}"
        try:
            return await self._evaluate(ctx, token)
        except _Unavailable as error:
            self.scope.log("error", str(error))
            return Exit(503, str(error))

    async def _evaluate(self, ctx: Context, token: str) -> Verdict:
        permissions = await self._permissions(ctx)
        if not permissions and self.conf["policy_enforcement_mode"] == "ENFORCING":
            return self._denied(Exit(403, _DENIED))
        if self.conf["http_method_as_scope"]:
            permissions = [f"{each}{', ' if '#' in each else '#'}{ctx.method}" for each in permissions]
        form: dict[str, uri_args.Arg] = {
            "grant_type": self.conf["grant_type"],
            "audience": self.conf["client_id"],
            "response_mode": "decision",
        }
        if permissions:
            form["permission"] = list(permissions)
        endpoint = await self._endpoint("token_endpoint", "token endpoint")
        try:
            answer = await self._post(endpoint, form, [("Authorization", token)])
        except (OSError, TimeoutError) as error:
            self.scope.log("error", f"Error while sending authz request to {endpoint}: {error}")
            return Exit(503)
        if answer.status < 400:
            return None
        refused = Exit(answer.status, answer.body or b"")
        return self._denied(refused) if answer.status == 403 else refused

    def _denied(self, refusal: Exit) -> Exit:
        target = self.conf.get("access_denied_redirect_uri")
        return Exit(307, None, (("Location", target),)) if target else refusal

    async def _permissions(self, ctx: Context) -> list[str]:
        if not self.conf["lazy_load_paths"]:
            return list(self.conf["permissions"])
        token = await self._service_token()
        endpoint = await self._endpoint("resource_registration_endpoint", "registration endpoint")
        url = f"{endpoint}?{uri_args.encode({'uri': ctx.uri, 'matchingUri': 'true'})}"
        found = await self._json("GET", url, "resource registration endpoint", [("Authorization", f"Bearer {token}")])
        return [str(each) for each in found] if isinstance(found, list) else []

    async def _service_token(self) -> str:
        """The client's own access token, renewed when it ends."""
        endpoint = await self._endpoint("token_endpoint", "token endpoint")
        key = ("access-tokens", f"{endpoint}:{self.conf['client_id']}")
        now = self.scope.clock.time()
        until, session = self._kept.get(key, (0.0, None))
        if session and until > now and session["ends"] > now:
            return str(session["access_token"])
        form: dict[str, uri_args.Arg] = {"client_id": self.conf["client_id"]}
        form["client_secret"] = self.conf.get("client_secret", "")
        if session and until > now and session.get("refresh_token") and session["refresh_ends"] > now:
            form |= {"grant_type": "refresh_token", "refresh_token": session["refresh_token"]}
        else:
            form["grant_type"] = "client_credentials"
        answer = await self._json("POST", endpoint, "token endpoint", [_FORM], form)
        if not isinstance(answer, dict) or not answer.get("access_token"):
            raise _Unavailable("Response does not contain access_token field.")
        self._kept[key] = (now + self.conf["cache_ttl_seconds"], self._session(answer, now))
        return str(answer["access_token"])

    def _session(self, answer: Mapping[str, Any], now: float) -> dict[str, Any]:
        conf = self.conf
        lifetime = (answer.get("expires_in") or conf["access_token_expires_in"]) - 1
        refresh = (answer.get("refresh_expires_in") or conf["refresh_token_expires_in"]) - 1
        return {
            "access_token": answer["access_token"],
            "ends": now + lifetime - conf["access_token_expires_leeway"],
            "refresh_token": answer.get("refresh_token"),
            "refresh_ends": now + refresh - conf["refresh_token_expires_leeway"],
        }

    async def _endpoint(self, member: str, what: str) -> str:
        if self.conf.get(member):
            return str(self.conf[member])
        found = (await self._discovery()).get(member) if self.conf.get("discovery") else None
        if not found:
            raise _Unavailable(f"Unable to determine {what}.")
        return str(found)

    async def _discovery(self) -> dict[str, Any]:
        url = self.conf["discovery"]
        until, held = self._kept.get(("discovery", url), (0.0, None))
        now = self.scope.clock.time()
        if held is None or until <= now:
            held = await self._json("GET", url, "discovery", [])
            self._kept["discovery", url] = (now + self.conf["cache_ttl_seconds"], held)
        return held if isinstance(held, dict) else {}

    async def _json(
        self,
        method: str,
        url: str,
        what: str,
        headers: list[tuple[str, str]],
        form: dict[str, uri_args.Arg] | None = None,
    ) -> Any:
        body = uri_args.encode(form).encode("latin-1") if form else b""
        try:
            answer = await self._fetch(method, url, headers, body)
        except (OSError, TimeoutError) as error:
            raise _Unavailable(f"Accessing {what} URL ({url}) failed: {error}") from error
        text = (answer.body or b"").decode("latin-1")
        if answer.status != 200:
            why = f"response indicates failure, status={answer.status}, body={text}"
            raise _Unavailable(f"Could not decode JSON from {what}: {why}")
        try:
            return lua_json.decode(answer.body or b"")
        except ValueError as error:
            raise _Unavailable(f"Could not decode JSON from {what}: JSON decoding failed: {error}") from error

    async def _post(self, url: str, form: dict[str, uri_args.Arg], headers: list[tuple[str, str]]) -> Response:
        return await self._fetch("POST", url, [_FORM, *headers], uri_args.encode(form).encode("latin-1"))

    async def _fetch(self, method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> Response:
        within = self.conf["timeout"] / 1000
        verify, keep = self.conf["ssl_verify"], self.conf["keepalive"]
        return await self.scope.fetch(
            method, url, headers=headers, body=body, within=within, ssl_verify=verify, keepalive=keep
        )

    # -- tokens for passwords

    def _asks_for_token(self, ctx: Context, incoming: str) -> bool:
        asked = f"{ctx.uri}?{ctx.query}" if ctx.query else ctx.uri
        return ctx.method == "POST" and asked == incoming and ctx.headers.get("content-type") == _FORM[1]

    async def _password_grant(self, ctx: Context) -> Exit:
        body = await ctx.read_body()
        if not body or len(body) > self.conf["max_req_body_size"]:
            return Exit(503)
        args = uri_args.parse(body.decode("latin-1"))
        for name in ("username", "password"):
            if not args.get(name):
                return Exit(422, {"message": f"{name} is missing."})
        form: dict[str, uri_args.Arg] = {
            "grant_type": "password",
            "client_id": self.conf["client_id"],
            "client_secret": self.conf.get("client_secret", ""),
            "username": args["username"],
            "password": args["password"],
        }
        try:
            answer = await self._post(await self._endpoint("token_endpoint", "token endpoint"), form, [])
        except _Unavailable as error:
            return Exit(503, {"message": str(error)})
        except (OSError, TimeoutError) as error:
            self.scope.log("error", f"Accessing token endpoint URL failed: {error}")
            return Exit(401, {"message": "Accessing token endpoint URL failed."})
        if answer.status != 200:
            return Exit(401, {"message": "Could not decode JSON from response."})
        return Exit(answer.status, answer.body or b"")
