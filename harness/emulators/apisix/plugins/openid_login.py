"""The log-in of openid-connect: to the identity provider, back from it, out again; all state is in the cookie."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.match import arguments
from harness.emulators.apisix.plugins.base import Conf, Scope
from harness.emulators.apisix.plugins.openid_provider import Provider, ProviderError
from harness.emulators.apisix.plugins.openid_session import Sessions

_REDIRECT = "/.apisix/redirect"
_STATE_MISMATCH = "state from argument does not match state restored from session"
_MOST_RESTARTS = 3
_DEFAULT_EXPIRES_IN = 3600


class Login:
    """What one configuration does with browsers; raises ProviderError where a request can't go on."""

    def __init__(self, conf: Conf, scope: Scope, provider: Provider) -> None:
        self.conf = conf
        self.scope = scope
        self._provider = provider
        self._sessions = Sessions(conf["session"])

    def session(self, ctx: Context) -> dict[str, Any] | None:
        """The request's session."""
        cookies = arguments.cookies("; ".join(ctx.headers.get_all("cookie")))
        return self._sessions.read(cookies.get(self._sessions.name), self.scope.clock.time())

    def refreshed(self, session: dict[str, Any]) -> str | None:
        """Set-Cookie's value when the browser's cookie has to be written anew."""
        now = self.scope.clock.time()
        if session.pop("restarts", None) or session.pop("renewed", None) or self._sessions.stale(session, now):
            return self._sessions.write(session, now)
        return None

    async def finished(self, ctx: Context, session: dict[str, Any] | None) -> Exit | None:
        """The answer to a request that belongs to the log-in itself, or None."""
        if ctx.uri == _path(self.redirect_uri(ctx)):
            return await self.callback(ctx, session)
        if ctx.uri == self.conf["logout_path"] and not ctx.query:
            return await self.logout(session)
        return None

    async def authorize(self, ctx: Context) -> Exit:
        """Send the browser to the provider."""
        endpoint = (await self._provider.discovery()).get("authorization_endpoint")
        if not endpoint:
            raise ProviderError("no authorization_endpoint in the discovery document")
        path = uri_args.escape_path(ctx.uri)
        kept: dict[str, Any] = {"original_url": f"{path}?{ctx.query}" if ctx.query else path}
        kept["state"] = secrets.token_hex(16)
        asked = {
            "client_id": self.conf["client_id"],
            "response_type": "code",
            "scope": self.conf["scope"],
            "redirect_uri": self.redirect_uri(ctx),
            "state": kept["state"],
        }
        if self.conf["use_nonce"]:
            kept["nonce"] = asked["nonce"] = secrets.token_hex(16)
        if self.conf["use_pkce"]:
            kept["code_verifier"] = verifier = secrets.token_urlsafe(32)
            digest = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
            asked |= {"code_challenge_method": "S256", "code_challenge": digest}
        asked |= {name: str(value) for name, value in (self.conf.get("authorization_params") or {}).items()}
        cookie = self._sessions.write(kept, self.scope.clock.time())
        headers = (("Cache-Control", "no-cache, no-store, max-age=0"), ("Set-Cookie", cookie))
        return Exit(302, None, (*headers, ("Location", _combined(endpoint, asked))))

    async def callback(self, ctx: Context, session: dict[str, Any] | None) -> Exit:
        """The browser is back from the provider: change its code for tokens."""
        if session is None:
            raise ProviderError("request to the redirect_uri path but there's no session state found")
        args = uri_args.parse(ctx.query) if ctx.query else {}
        code, state = args.get("code"), args.get("state")
        if not isinstance(code, str) or not isinstance(state, str):
            raise ProviderError(f"unhandled request to the redirect_uri: {ctx.target}")
        if state != session.get("state"):
            return self._restart(ctx, session)
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri(ctx),
            "state": state,
        }
        if session.get("code_verifier"):
            body["code_verifier"] = session["code_verifier"]
        answer = await self._provider.token(body)
        claims = await self._id_claims(answer.get("id_token"), session.get("nonce"))
        made = {"authenticated": True, "id_token": dict(claims), "enc_id_token": answer["id_token"]}
        made |= self._tokens(answer)
        made |= await self._user(str(answer.get("access_token")), claims)
        cookie = self._sessions.write(made, self.scope.clock.time())
        return Exit(302, None, (("Set-Cookie", cookie), ("Location", session["original_url"])))

    async def _user(self, access_token: str, claims: Mapping[str, Any]) -> dict[str, Any]:
        try:
            user = await self._provider.userinfo(access_token)
        except ProviderError as error:
            self.scope.log("error", f"error calling userinfo endpoint: {error}")
            return {}
        return {"user": user} if user and user.get("sub") == claims.get("sub") else {}

    def _restart(self, ctx: Context, session: dict[str, Any]) -> Exit:
        restarts = session.get("restarts", 0)
        if ctx.method != "GET" or restarts >= _MOST_RESTARTS or not session.get("original_url"):
            raise ProviderError(_STATE_MISMATCH)
        cookie = self._sessions.write({**session, "restarts": restarts + 1}, self.scope.clock.time())
        return Exit(302, None, (("Set-Cookie", cookie), ("Location", session["original_url"])))

    async def _id_claims(self, id_token: Any, nonce: str | None) -> Mapping[str, Any]:
        if not isinstance(id_token, str):
            raise ProviderError("no id_token in the token endpoint's answer")
        claims = await self._provider.claims(id_token, self.conf.get("client_secret") or "")
        issuer = (await self._provider.discovery()).get("issuer")
        slack, now = self.conf["iat_slack"], self._now()
        audience = claims.get("aud")
        listed = audience if isinstance(audience, list) else [audience]
        holds = (
            claims.get("iss") == issuer
            and claims.get("sub")
            and (nonce is None or claims.get("nonce") == nonce)
            and isinstance(claims.get("iat"), int | float)
            and claims["iat"] <= now + slack
            and isinstance(claims.get("exp"), int | float)
            and claims["exp"] + slack >= now
            and self.conf["client_id"] in listed
        )
        if not holds:
            raise ProviderError("id_token validation failed")
        return claims

    def _tokens(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        lifetime = answer.get("expires_in") or self.conf.get("access_token_expires_in") or _DEFAULT_EXPIRES_IN
        leeway = self.conf["access_token_expires_leeway"]
        found: dict[str, Any] = {
            "access_token": answer.get("access_token"),
            "expires": self._now() + float(lifetime) - leeway,
        }
        if answer.get("refresh_token"):
            found["refresh_token"] = answer["refresh_token"]
        return found

    async def renewed(self, session: dict[str, Any] | None) -> dict[str, Any] | None:
        """The session with an access token that lives; None when that can't be had."""
        if not session or session.get("expires", 0) > self._now() or not self.conf["renew_access_token_on_expiry"]:
            return session
        if not session.get("refresh_token"):
            return None
        body = {
            "grant_type": "refresh_token",
            "refresh_token": session["refresh_token"],
            "scope": self.conf["scope"],
        }
        try:
            return {**session, **self._tokens(await self._provider.token(body)), "renewed": True}
        except ProviderError as error:
            self.scope.log("error", f"lost access token: {error}")
            return None

    async def logout(self, session: dict[str, Any] | None) -> Exit:
        """End the session here, and at the provider."""
        try:
            discovery = await self._provider.discovery()
        except ProviderError as error:
            self.scope.log("error", f"OIDC access discovery url failed : {error}")
            return Exit(503)
        cookies = (("Set-Cookie", self._sessions.end()),) if session else ()
        after = self.conf.get("post_logout_redirect_uri")
        end = discovery.get("end_session_endpoint")
        params = {"post_logout_redirect_uri": after} if after else {}
        if end and session and session.get("enc_id_token"):
            params["id_token_hint"] = session["enc_id_token"]
        target = end or after
        if target:
            return Exit(302, None, (*cookies, ("Location", _combined(target, params))))
        return Exit(200, "<html><body>Logged Out</body></html>\n", (*cookies, ("Content-Type", "text/html")))

    def redirect_uri(self, ctx: Context) -> str:
        """Where the provider sends the browser."""
        chosen = self.conf.get("redirect_uri")
        if not chosen:
            chosen = ctx.uri if ctx.uri.endswith(_REDIRECT) else ctx.uri.removesuffix("/") + _REDIRECT
        if not chosen.startswith("/"):
            return str(chosen)
        return f"{ctx.client.scheme}://{ctx.headers.get('host') or ctx.host}{chosen}"

    def _now(self) -> int:
        return int(self.scope.clock.time())


def _path(uri: str) -> str:
    rest = uri.partition("?")[0].partition("//")[2]
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else uri


def _combined(uri: str, params: Mapping[str, str]) -> str:
    if not params:
        return uri
    query = uri_args.encode({name: value.encode().decode("latin-1") for name, value in params.items()})
    return f"{uri}{'&' if '?' in uri else '?'}{query}"
