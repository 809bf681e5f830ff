"""redirect: answer with a Location — a fixed one, one made from the path, or the same over TLS."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from harness.emulators.apisix import pcre
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.substitution import substitution
from harness.emulators.apisix.schema.validate import is_secret_reference
from harness.emulators.apisix.uri_args import escape_path
from harness.emulators.apisix.variables import resolve

#: an escaped variable, ${variable}, $variable, or other text
_SEGMENTS = r"(\\\$[0-9a-zA-Z_]+)|\$\{([0-9a-zA-Z_]+)\}|\$([0-9a-zA-Z_]+)|(\$|[^$\\]+)"
_SEGMENT = re.compile(_SEGMENTS, re.ASCII)


class Redirect(Plugin):
    """The TLS port of `http_to_https` is plugin_attr.redirect.https_port, else that of the gateway's own listener."""

    name = "redirect"
    priority = 900
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "ret_code": {"type": "integer", "minimum": 200, "default": 302},
            "uri": {"type": "string", "minLength": 2, "pattern": _SEGMENTS},
            "regex_uri": {
                "description": "params for generating new uri that substitute from client uri, "
                "first param is regular expression, the second one is uri template",
                "type": "array",
                "maxItems": 2,
                "minItems": 2,
                "items": {"description": "regex uri", "type": "string"},
            },
            "http_to_https": {"type": "boolean"},
            "encode_uri": {"type": "boolean", "default": False},
            "append_query_string": {"type": "boolean", "default": False},
        },
        "oneOf": [{"required": ["uri"]}, {"required": ["regex_uri"]}, {"required": ["http_to_https"]}],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._code: int = conf["ret_code"]
        self._to_https = bool(conf.get("http_to_https"))
        self._secure = _template(_secure_uri(scope.attr.get("https_port") or scope.https_port))
        self._uri = _template(conf["uri"]) if "uri" in conf else None
        self._regex = pcre.compile(conf["regex_uri"][0]) if "regex_uri" in conf else None
        self._replace = substitution(conf["regex_uri"][1]) if "regex_uri" in conf else None

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """A pattern that compiles; no query string for http_to_https, which keeps it anyway."""
        if conf.get("regex_uri"):
            pattern, replacement = conf["regex_uri"]
            try:
                if not is_secret_reference(pattern):
                    pcre.compile(pattern)
                    substitution("" if is_secret_reference(replacement) else replacement)
            except ValueError as error:
                return f"invalid regex_uri ({pattern}, {replacement}), err:{error}"
        if conf.get("http_to_https") and conf["append_query_string"]:
            return "only one of `http_to_https` and `append_query_string` can be configured."
        return None

    def rewrite(self, ctx: Context) -> Exit | None:
        """The redirection, or None when the request is on TLS already or the pattern doesn't match."""
        scheme = ctx.headers.get("x-forwarded-proto") or ctx.client.scheme
        if self._to_https and scheme != "https":
            code = 301 if ctx.method in ("GET", "HEAD") else 308
            return self._answer(ctx, code, self._secure(ctx))
        if self._uri is not None:
            return self._answer(ctx, self._code, self._uri(ctx))
        match = self._regex.search(ctx.uri) if self._regex else None
        if match is None or self._replace is None:
            return None
        target = ctx.uri[: match.start()] + self._replace(match) + ctx.uri[match.end() :]
        return self._answer(ctx, self._code, target)

    def _answer(self, ctx: Context, code: int, target: str) -> Exit:
        path, mark, query = target.partition("?")
        if self.conf["encode_uri"]:
            target = escape_path(path) + mark + query
        if self.conf["append_query_string"] and ctx.query:
            target += ("&" if mark else "?") + ctx.query
        return Exit(code, None, (("Location", target),))


def _secure_uri(port: int | None) -> str:
    usual = port is None or port == 443 or not 0 < port <= 65535
    return "https://$host$request_uri" if usual else f"https://$host:{port}$request_uri"


def _template(uri: str) -> Callable[[Context], str]:
    """The uri's text for a request; a backslash keeps a variable as it is spelled."""
    parts = []
    for escaped, braced, bare, other in _SEGMENT.findall(uri):
        name = braced or bare
        parts.append(resolve("${" + name + "}") if name else resolve(escaped or other))
    return lambda ctx: "".join([part(ctx) for part in parts])
