"""ldap-auth: an LDAP directory checks user name and password; the user's name there is the consumer's key."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable
from typing import ClassVar

from harness.emulators.apisix.context import Context, Exit, Verdict
from harness.emulators.apisix.plugins.auth import Refused, attach, realm
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.basic_auth import credentials
from harness.emulators.apisix.plugins.ldap_bind import bind, escaped

_PORT = 389


class LdapAuth(Plugin):
    """Binds as `<uid>=<user>,<base_dn>`."""

    name = "ldap-auth"
    priority = 2540
    type = "auth"
    schema: ClassVar[Schema] = {
        "type": "object",
        "title": "work with route or service object",
        "properties": {
            "base_dn": {"type": "string"},
            "ldap_uri": {"type": "string"},
            "use_tls": {"type": "boolean", "default": False},
            "tls_verify": {"type": "boolean", "default": False},
            "uid": {"type": "string", "default": "cn"},
            "hide_credentials": {"type": "boolean", "default": False},
            "realm": realm("ldap"),
        },
        "required": ["base_dn", "ldap_uri"],
    }
    consumer_schema: ClassVar[Schema] = {
        "type": "object",
        "title": "work with consumer object",
        "properties": {"user_dn": {"type": "string"}},
        "required": ["user_dn"],
    }
    consumer_key = "user_dn"

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        host, colon, port = conf["ldap_uri"].rpartition(":")
        has_port = colon and port.isdecimal()
        self._host = (host if has_port else conf["ldap_uri"]).strip("[]")
        self._port = int(port) if has_port else _PORT
        self._challenge = (("WWW-Authenticate", f'Basic realm="{conf["realm"]}"'),)
        self._tls = _tls(conf) if conf["use_tls"] else None

    def rewrite(self, ctx: Context) -> Exit | Awaitable[Verdict]:
        """Ask the directory, then find the consumer."""
        header = ctx.headers.get("authorization")
        if header is None:
            return self._refuse("Missing authorization in request")
        try:
            username, password = credentials(header)
        except Refused as refused:
            self.scope.log("warn", refused.reason)
            return self._refuse(refused.message)
        return self._ask(ctx, username, password)

    async def _ask(self, ctx: Context, username: str, password: str) -> Verdict:
        name = f"{self.conf['uid']}={escaped(username)},{self.conf['base_dn']}"
        raw = password.encode("utf-8", "surrogateescape")
        try:
            code = await bind(self._host, self._port, name, raw, self._tls)
        except (OSError, TimeoutError, ValueError) as error:
            self.scope.log("warn", f"ldap-auth failed: {error}")
            return self._refuse("Invalid user authorization")
        consumers = self.scope.consumers("ldap-auth")
        consumer = consumers.find(name) if code == 0 else None
        if consumer is None:
            missing = code == 0 and not consumers
            return self._refuse("Missing related consumer" if missing else "Invalid user authorization")
        attach(ctx, consumer)
        if self.conf["hide_credentials"]:
            ctx.headers.remove("Authorization")
        return None

    def _refuse(self, message: str) -> Exit:
        return Exit(401, {"message": message}, self._challenge)


def _tls(conf: Conf) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not conf["tls_verify"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
