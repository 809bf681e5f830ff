"""What openid-connect asks of an identity provider: its discovery document, keys, tokens, introspection, userinfo."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins import jwt_tokens
from harness.emulators.apisix.plugins.auth import decode_base64url
from harness.emulators.apisix.plugins.base import Conf, Scope

_DISCOVERY_TTL = 24 * 60 * 60  # seconds
_TO_LATIN = "latin-1"


class ProviderError(Exception):
    """The provider can't be asked, or what it (or a client) says doesn't hold."""


class Provider:
    """One provider; documents, keys and introspections are kept by the gateway's clock, for all routes."""

    def __init__(self, conf: Conf, scope: Scope) -> None:
        self._conf = conf
        self._scope = scope
        self._kept: dict[tuple[str, str], tuple[float, Any]] = scope.keep("openid-connect", dict)
        timeout = conf["timeout"]
        # the real one multiplied the time-out before it was stored, once
        self._within = float(timeout) / 1000 if timeout >= 1000 and timeout % 1000 == 0 else float(timeout)

    async def discovery(self) -> dict[str, Any]:
        """The discovery document; raises ProviderError."""
        url = self._conf["discovery"]
        return await self._kept_json("discovery", url, _DISCOVERY_TTL)

    async def _kept_json(self, kind: str, url: str, ttl: float) -> dict[str, Any]:
        until, held = self._kept.get((kind, url), (0.0, None))
        now = self._scope.clock.time()
        if held is None or until <= now:
            held = _decoded(await self._fetch("GET", url, kind), kind)
            self._kept[kind, url] = (now + ttl, held)
        found: dict[str, Any] = held
        return found

    async def _fetch(self, method: str, url: str, what: str, **more: Any) -> Response:
        verify = self._conf["ssl_verify"]
        try:
            return await self._scope.fetch(method, url, within=self._within, ssl_verify=verify, **more)
        except (OSError, TimeoutError) as error:
            raise ProviderError(f"accessing {what} endpoint ({url}) failed: {error}") from error

    async def token(self, body: Mapping[str, str]) -> dict[str, Any]:
        """The token endpoint's answer."""
        endpoint = (await self.discovery()).get("token_endpoint")
        return await self._post(endpoint, dict(body), self._conf["token_endpoint_auth_method"], "token", [])

    async def _post(
        self, endpoint: Any, body: dict[str, str], method: str, what: str, headers: list[tuple[str, str]]
    ) -> dict[str, Any]:
        if not endpoint:
            raise ProviderError(f"no endpoint URI for {what}")
        client, secret = self._conf["client_id"], self._conf.get("client_secret") or ""
        fields = [("Content-Type", "application/x-www-form-urlencoded"), *headers]
        if method == "client_secret_post":
            body = {**body, "client_id": client, **({"client_secret": secret} if secret else {})}
        else:
            pair = f"{_escaped(client)}:{_escaped(secret)}"
            fields.append(("Authorization", f"Basic {b64encode(pair.encode()).decode()}"))
        form = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in body.items())
        return _decoded(await self._fetch("POST", endpoint, what, headers=fields, body=form.encode()), what)

    async def introspect(self, token: str, headers: list[tuple[str, str]]) -> dict[str, Any]:
        """What the provider says of an access token; raises ProviderError for one that isn't active."""
        now = self._scope.clock.time()
        until, held = self._kept.get(("introspection", token), (0.0, None))
        if held is not None and until > now:
            return dict(held)
        endpoint = self._conf.get("introspection_endpoint") or (await self.discovery()).get("introspection_endpoint")
        body = {"token": token, "client_id": self._conf["client_id"]}
        if self._conf.get("client_secret"):
            body["client_secret"] = self._conf["client_secret"]
        method = self._conf["introspection_endpoint_auth_method"]
        found = await self._post(endpoint, body, method, "introspection", headers)
        if not found.get("active"):
            raise ProviderError("invalid token")
        self._keep_introspection(token, found, now)
        return found

    def _keep_introspection(self, token: str, found: dict[str, Any], now: float) -> None:
        claim = self._conf.get("introspection_expiry_claim") or "exp"
        if not isinstance(found.get(claim), int | float):
            return
        ttl = found[claim] - int(now) if claim == "exp" else found[claim]
        most = self._conf["introspection_interval"]
        self._kept["introspection", token] = (now + (min(ttl, most) if most > 0 else ttl), dict(found))

    async def userinfo(self, access_token: str) -> dict[str, Any] | None:
        """The user as the provider knows him, when it has an endpoint for that."""
        endpoint = (await self.discovery()).get("userinfo_endpoint")
        if not endpoint:
            return None
        headers = [("Authorization", f"Bearer {access_token}")]
        return _decoded(await self._fetch("GET", endpoint, "userinfo", headers=headers), "userinfo")

    async def claims(self, text: str, secret: str = "") -> Mapping[str, Any]:
        """The payload of a token whose signature is right; only with a `secret` may it be a symmetric one."""
        token = jwt_tokens.parse(text)
        if token is None:
            raise ProviderError("invalid jwt: invalid jwt string")
        algorithm = str(token.algorithm)
        expected = self._conf.get("token_signing_alg_values_expected")
        if expected and algorithm != expected:
            raise ProviderError(f'token is signed by unexpected algorithm "{algorithm}"')
        if not jwt_tokens.verified(text, algorithm, await self._key(text, algorithm, secret)):
            raise ProviderError("jwt signature verification failed: Verification failed")
        return token.payload

    async def _key(self, text: str, algorithm: str, secret: str) -> bytes:
        if algorithm.startswith("HS"):
            if not secret:
                raise ProviderError(f"jwt signature verification failed: no secret for {algorithm}")
            return secret.encode()
        if self._conf.get("public_key"):
            return str(self._conf["public_key"]).encode()
        header = lua_json.decode(decode_base64url(text.partition(".")[0]) or b"{}")
        return await self._published_key(header.get("kid"))

    async def _published_key(self, kid: str | None) -> bytes:
        url = (await self.discovery()).get("jwks_uri")
        if not url:
            raise ProviderError("no jwks_uri in the discovery document")
        keys = (await self._kept_json("jwks", url, self._conf["jwk_expires_in"])).get("keys") or []
        usable = [key for key in keys if key.get("kty") == "RSA" and key.get("use") in (None, "sig")]
        if kid is None and len(usable) != 1:
            raise ProviderError("JWT doesn't specify kid but the keystore contains multiple RSA keys")
        chosen = next((key for key in usable if kid is None or key.get("kid") == kid), None)
        if chosen is None:
            raise ProviderError(f"RSA key with id {kid} not found")
        return _pem(chosen)


def lifetime_problem(claims: Mapping[str, Any], now: int, slack: int = 0) -> str | None:
    """Why a token isn't valid at `now` (seconds), or None."""
    expires, begins = claims.get("exp"), claims.get("nbf")
    if isinstance(expires, int | float) and expires + slack <= now:
        return f"'exp' claim expired at {formatdate(expires, usegmt=True)}"
    if isinstance(begins, int | float) and begins - slack > now:
        return f"'nbf' claim not valid until {formatdate(begins, usegmt=True)}"
    return None


def _decoded(answer: Response, what: str) -> dict[str, Any]:
    if answer.status != 200:
        text = (answer.body or b"").decode(_TO_LATIN)
        raise ProviderError(f"response indicates failure, status={answer.status}, body={text}")
    try:
        found = lua_json.decode(answer.body or b"")
    except ValueError as error:
        raise ProviderError("JSON decoding failed") from error
    if not isinstance(found, dict):
        raise ProviderError(f"the {what} endpoint's answer is no object")
    return found


def _escaped(text: str) -> str:
    return uri_args.escape(text.encode().decode(_TO_LATIN))


def _pem(key: Mapping[str, Any]) -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509 import load_der_x509_certificate

    if key.get("x5c"):
        public: Any = load_der_x509_certificate(b64decode(key["x5c"][0])).public_key()
    else:
        numbers = [int.from_bytes(decode_base64url(str(key.get(part, ""))) or b"", "big") for part in ("e", "n")]
        public = rsa.RSAPublicNumbers(*numbers).public_key()
    pem: bytes = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem
