"""openid-connect: bearer tokens judged here or by an identity provider, and log-in with a session cookie."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins import jwt_tokens
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.openid_login import Login
from harness.emulators.apisix.plugins.openid_provider import Provider, ProviderError, lifetime_problem
from harness.emulators.apisix.plugins.openid_schema import (
    ENCRYPTED,
    SCHEMA,
    problem_after_schema,
    problem_before_schema,
)
from harness.emulators.apisix.schema.validate import Validator

#: headers that this plugin gives to the upstream, and nobody else
_OUTPUTS = ("X-Access-Token", "X-Userinfo", "X-ID-Token", "X-Refresh-Token", "X-Raw-ID-Token")
_COOKIE = "openid-connect.cookie"


class OpenidConnect(Plugin):
    """A bearer token comes first where tokens can be judged; else the session decides, and `unauth_action`."""

    name = "openid-connect"
    priority = 2599
    version = 0.2
    schema: ClassVar[Schema] = SCHEMA
    encrypt_fields = ENCRYPTED

    @classmethod
    def reword(cls, problem: str, conf: dict[str, Any]) -> str:
        """Two members are asked for before the schema is."""
        return problem_before_schema(conf) or problem

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Credentials for each mode, and what isn't emulated."""
        return problem_before_schema(conf) or problem_after_schema(conf)

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._provider = Provider(conf, scope)
        self._login = Login(conf, scope, self._provider) if conf.get("session") else None
        claims = conf.get("claim_schema")
        self._claims = Validator(claims) if isinstance(claims, Mapping) else None
        self._judges_tokens = any(
            conf.get(member) for member in ("bearer_only", "introspection_endpoint", "public_key", "use_jwks")
        )

    async def rewrite(self, ctx: Context) -> Exit | None:
        """Find out who calls."""
        client_token = ctx.headers.get("x-access-token")
        for name in _OUTPUTS:
            ctx.headers.remove(name)
        if self._judges_tokens:
            try:
                token = self._bearer(ctx, client_token)
            except ValueError as error:
                return self._failed(str(error), Exit(400))
            if token is not None:
                return await self._with_token(ctx, token)
            if self.conf["bearer_only"]:
                return Exit(401, None, (("WWW-Authenticate", f'Bearer realm="{self.conf["realm"]}"'),))
        return await self._with_session(ctx)

    def header_filter(self, ctx: Context) -> None:
        """Keep the session alive in the browser."""
        cookie = ctx.notes.get(_COOKIE)
        if cookie:
            ctx.response.add("Set-Cookie", cookie)

    # -- bearer tokens

    def _bearer(self, ctx: Context, client_token: str | None) -> str | None:
        header = ctx.headers.get("authorization")
        if header is None:
            return client_token
        scheme, blank, token = header.partition(" ")
        if not blank or not token:
            raise ValueError("Invalid Authorization header format.")
        return token if scheme.lower() == "bearer" else None

    async def _with_token(self, ctx: Context, token: str) -> Exit | None:
        try:
            claims = await self._judge(ctx, token)
        except ProviderError as error:
            return self._failed(str(error), self._invalid(str(error)))
        refusal = self._scope_refusal(claims) or self._audience_refusal(claims) or self._claim_refusal(claims)
        if refusal is None:
            self._tell(ctx, token, None, claims)
        return refusal

    async def _judge(self, ctx: Context, token: str) -> Mapping[str, Any]:
        if not (self.conf.get("public_key") or self.conf["use_jwks"]):
            names = self.conf.get("introspection_addon_headers") or ()
            headers = [(name, value) for name in names if (value := ctx.headers.get(name.lower())) is not None]
            return await self._provider.introspect(token, headers)
        issuers = ((self.conf.get("claim_validator") or {}).get("issuer") or {}).get("valid_issuers")
        if issuers is None:
            try:
                issuers = [(await self._provider.discovery()).get("issuer")]
            except ProviderError as error:
                self.scope.log("error", f"OIDC access discovery url failed : {error}")
                raise ProviderError("issuer validation unavailable") from error
        claims = await self._provider.claims(token)
        if claims.get("iss") not in issuers:
            why = f"Claim 'iss' ('{claims.get('iss')}') returned failure"
            raise ProviderError(f"jwt signature verification failed: {why}")
        problem = lifetime_problem(claims, int(self.scope.clock.time()))
        if problem:
            raise ProviderError(f"jwt signature verification failed: {problem}")
        return claims

    def _scope_refusal(self, claims: Mapping[str, Any]) -> Exit | None:
        granted = str(claims.get("scope") or "").split()
        required = self.conf.get("required_scopes") or []
        if all(scope in granted for scope in required):
            return None
        return self._forbidden(f"required scopes {', '.join(required)} not present")

    def _audience_refusal(self, claims: Mapping[str, Any]) -> Exit | None:
        wanted = (self.conf.get("claim_validator") or {}).get("audience") or {}
        audience = claims.get(wanted.get("claim") or "aud")
        if not (wanted.get("required") or wanted.get("match_with_client_id")):
            return None
        if not audience:
            return self._forbidden("required audience claim not present")
        listed = audience if isinstance(audience, list) else [audience]
        if wanted.get("match_with_client_id") and self.conf["client_id"] not in listed:
            return self._forbidden("mismatched audience")
        return None

    def _claim_refusal(self, claims: Any) -> Exit | None:
        problem = self._claims.check(json.loads(json.dumps(claims))) if self._claims else None
        return self._failed(f"OIDC claim validation failed: {problem}", self._invalid(problem)) if problem else None

    def _forbidden(self, error: str) -> Exit:
        self.scope.log("error", f"OIDC introspection failed: {error}")
        return Exit(403, lua_json.encode({"error": error}))

    def _invalid(self, reason: str) -> Exit:
        challenge = f'Bearer realm="{self.conf["realm"]}", error="invalid_token", error_description="{reason}"'
        return Exit(401, None, (("WWW-Authenticate", challenge.replace("\n", " ")),))

    def _failed(self, reason: str, verdict: Exit) -> Exit:
        self.scope.log("error", f"OIDC introspection failed: {reason}")
        return verdict

    def _tell(self, ctx: Context, token: str | None, id_token: Any, user: Any) -> None:
        conf = self.conf
        if token and conf["set_access_token_header"]:
            if conf["access_token_in_authorization_header"]:
                ctx.headers.set("Authorization", f"Bearer {token}")
            else:
                ctx.headers.set("X-Access-Token", token)
        if id_token and conf["set_id_token_header"]:
            ctx.headers.set("X-ID-Token", _packed(id_token))
        if user and conf["set_userinfo_header"]:
            ctx.headers.set("X-Userinfo", _packed(user))

    # -- sessions

    async def _with_session(self, ctx: Context) -> Exit | None:
        login = self._login
        if login is None:
            return Exit(401)
        session = login.session(ctx)
        try:
            finished = await login.finished(ctx, session)
            if finished is not None:
                return finished
            session = await login.renewed(session)
            if session is None or not session.get("authenticated") or self.conf["force_reauthorize"]:
                return await self._unauthenticated(ctx, login)
        except ProviderError as error:
            self.scope.log("error", f"OIDC authentication failed: {error}")
            return Exit(500)
        ctx.notes[_COOKIE] = login.refreshed(session)
        return self._authenticated(ctx, session)

    def _authenticated(self, ctx: Context, session: dict[str, Any]) -> Exit | None:
        response = {name: session[name] for name in ("user", "access_token", "id_token") if session.get(name)}
        refusal = self._claim_refusal(response) or self._session_scopes(response)
        if refusal:
            return refusal
        self._tell(ctx, session.get("access_token"), session.get("id_token"), session.get("user"))
        if session.get("refresh_token") and self.conf["set_refresh_token_header"]:
            ctx.headers.set("X-Refresh-Token", session["refresh_token"])
        if session.get("enc_id_token") and self.conf["set_raw_id_token_header"]:
            ctx.headers.set("X-Raw-ID-Token", session["enc_id_token"])
        return None

    def _session_scopes(self, response: Mapping[str, Any]) -> Exit | None:
        if not self.conf.get("required_scopes"):
            return None
        token = jwt_tokens.parse(str(response.get("access_token") or ""))
        scope = (token.payload.get("scope") if token else None) or (response.get("id_token") or {}).get("scope")
        if not isinstance(scope, str):
            return self._forbidden("required scopes not present")
        return self._scope_refusal({"scope": scope})

    async def _unauthenticated(self, ctx: Context, login: Login) -> Exit | None:
        action = self.conf["unauth_action"]
        if action != "auth":
            return None if action == "pass" else Exit(401)
        return await login.authorize(ctx)


def _packed(value: Any) -> str:
    return b64encode(lua_json.encode(value)).decode()
