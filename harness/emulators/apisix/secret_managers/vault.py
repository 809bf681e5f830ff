"""HashiCorp Vault, its KV engine of version 1 (secret/vault.lua reads no other)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.secret_managers.manager import Fetch, SecretError, own_secret

#: seconds, unless the resource says otherwise
TIMEOUT = 5.0


async def get(conf: Mapping[str, Any], key: str, fetch: Fetch) -> Any:
    """The member behind the last slash of the secret before it. Raises SecretError."""
    main, slash, member = key.rpartition("/")
    if not slash:
        raise SecretError(f"error key format, key: {key}")
    if not main:
        raise SecretError(f"can't find main key, key: {key}")
    if not member:
        raise SecretError(f"can't find sub key, key: {key}")
    body = await _ask(conf, main, fetch)
    try:
        data = lua_json.decode(body).get("data")
    except (ValueError, AttributeError):
        data = None
    if not isinstance(data, dict):
        raise SecretError(f"failed to decode result, res: {body.decode('utf-8', 'replace')}")
    return data.get(member)


async def _ask(conf: Mapping[str, Any], main: str, fetch: Fetch) -> bytes:
    headers = [("X-Vault-Token", own_secret(conf["token"]))]
    if conf.get("namespace"):
        headers.append(("X-Vault-Namespace", str(conf["namespace"])))
    url = conf["uri"] + posixpath.normpath(f"/v1/{conf['prefix']}/{main}")
    within = float(conf.get("timeout") or TIMEOUT)
    try:
        # the real one sends an empty object along with its GET
        headers.append(("Content-Length", "2"))
        answer = await fetch("GET", url, headers=headers, body=b"{}", within=within)
    except (OSError, TimeoutError) as error:
        raise SecretError(f"failed to retrtive data from vault kv engine: {error or 'timeout'}") from error
    return answer.body or b""
