"""Google Cloud's Secret Manager: a token for a signed assertion, then a secret's latest version (secret/gcp.lua)."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.secret_managers.manager import Fetch, SecretError

#: seconds, lua-resty-http's
TIMEOUT: Final = 60.0
_TOKENS: Final = "https://oauth2.googleapis.com/token"
_ENTRIES: Final = "https://secretmanager.googleapis.com/v1"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


async def get(conf: Mapping[str, Any], key: str, fetch: Fetch) -> Any:
    """The secret before the first slash, or the member of its JSON that is named behind it. Raises SecretError."""
    main, slash, member = key.partition("/")
    if not main:
        raise SecretError(f"can't find main key, key: {key}")
    value = await _secret(conf, main, fetch)
    if not slash:
        return value
    try:
        return lua_json.decode(value).get(member)
    except (ValueError, AttributeError) as error:
        raise SecretError(f"failed to decode result, err: {error}") from error


async def _secret(conf: Mapping[str, Any], name: str, fetch: Fetch) -> str:
    account = _account(conf)
    verify = conf.get("ssl_verify", True) is not False
    token, kind = await _token(account, fetch, verify)
    entries = account.get("entries_uri") or _ENTRIES
    url = f"{entries}/projects/{account['project_id']}/secrets/{name}/versions/latest:access"
    headers = [("Content-Type", "application/json"), ("Authorization", f"{kind} {token}")]
    answer = await _ask(fetch, "GET", url, headers, b"", verify)
    if answer.status != 200:
        raise _failed((answer.body or b"").decode("utf-8", "replace"))
    payload = _decoded(answer).get("payload")
    if not isinstance(payload, dict):
        raise _failed("invalid payload")
    return b64decode(payload.get("data") or "").decode("utf-8", "surrogateescape")


def _account(conf: Mapping[str, Any]) -> Mapping[str, Any]:
    if conf.get("auth_config"):
        return dict(conf["auth_config"])
    path = str(conf.get("auth_file"))
    try:
        found = lua_json.decode(Path(path).read_bytes())
    except OSError as error:
        raise _failed(f"failed to read configuration, file: {path}, err: {error}") from error
    except ValueError as error:
        raise _failed(f"config parse failure, file: {path}, err: {error}") from error
    missing = [name for name in ("client_email", "private_key", "project_id") if not found.get(name)]
    if missing:
        raise _failed(f'config parse failure, file: {path}, err: property "{missing[0]}" is required')
    return dict(found)


async def _token(account: Mapping[str, Any], fetch: Fetch, verify: bool) -> tuple[str, str]:
    """The access token and its type."""
    url = account.get("token_uri") or _TOKENS
    form = urlencode({"grant_type": _GRANT, "assertion": _assertion(account, url)}).encode()
    answer = await _ask(fetch, "POST", url, [("Content-Type", "application/x-www-form-urlencoded")], form, verify)
    found = _decoded(answer) if answer.status == 200 else {}
    if not found.get("access_token"):
        raise _failed("failed to get google oauth token")
    return str(found["access_token"]), str(found.get("token_type") or "Bearer")


def _assertion(account: Mapping[str, Any], audience: str) -> str:
    import jwt  # only who has such a secret pays for it

    scope = account.get("scope") or _SCOPE
    now = int(time.time())
    claims = {
        "iss": account["client_email"],
        "aud": audience,
        "scope": " ".join(scope) if isinstance(scope, list) else scope,
        "iat": now,
        "exp": now + 3600,
    }
    try:
        return jwt.encode(claims, account["private_key"], algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        raise _failed(f"failed to sign the assertion: {error}") from error


async def _ask(
    fetch: Fetch, method: str, url: str, headers: list[tuple[str, str]], body: bytes, verify: bool
) -> Response:
    try:
        return await fetch(method, url, headers=headers, body=body, within=TIMEOUT, ssl_verify=verify)
    except (OSError, TimeoutError) as error:
        raise _failed(str(error) or "timeout") from error


def _decoded(answer: Response) -> dict[str, Any]:
    try:
        found = lua_json.decode(answer.body or b"")
    except ValueError as error:
        raise _failed(f"failed to parse response data, {error}") from error
    return found if isinstance(found, dict) else {}


def _failed(why: str) -> SecretError:
    return SecretError(f"failed to retrtive data from gcp secret manager: {why}")
