"""Request targets: what Tomcat takes for one, and what Spring's firewall lets through."""

from __future__ import annotations

import re
from urllib.parse import unquote

#: `HttpParser.IS_NOT_REQUEST_TARGET`: controls, anything beyond ASCII, and these.
_FORBIDDEN = re.compile(r'[^!-~]|["#<>\\^`{|}]')
#: A path may not hold half an escape, a NUL, an escaped slash or backslash.
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00|%2[fF]|%5[cC]")
#: `StrictHttpFirewall`: these in a decoded path are refused, in this order.
_MALICIOUS = (";", "//")
_NOT_NORMAL = re.compile(r"/\.{1,2}(?:/|$)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[0-9A-Za-z._~!$&'()*+,;=:\[\]-]*")


class BadTarget(Exception):
    """Tomcat answers this with its own page."""


def read(raw: str) -> tuple[str, str]:
    """(decoded path, query) of a request target; raises BadTarget."""
    if _FORBIDDEN.search(raw):
        raise BadTarget
    path, _, query = raw.partition("?")
    if path.startswith(("http://", "https://")):
        path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
    if "%" in path:
        if _BAD_ESCAPE.search(path):
            raise BadTarget
        path = unquote(path, errors="replace")
    if "/.." in path and _leaves_root(path):
        raise BadTarget
    return path, query


def _leaves_root(path: str) -> bool:
    depth = 0
    for segment in path.split("/"):
        depth += -1 if segment == ".." else segment not in ("", ".")
        if depth < 0:
            return True
    return False


def suspicion(path: str) -> str:
    """Why the firewall refuses a decoded path, blank if it lets it through."""
    refused = "The request was rejected because the URL"
    for part in _MALICIOUS:
        if part in path:
            return f'{refused} contained a potentially malicious String "{part}"'
    if "%" in path:
        return f'{refused} contained a potentially malicious String "%"'
    if "/." in path and _NOT_NORMAL.search(path):
        return f"{refused} was not normalized."
    if _UNPRINTABLE.search(path):
        return f"{refused[:-3]}requestURI must only contain printable ASCII characters."
    return ""


def is_host(value: str) -> bool:
    """Whether a Host header could be one."""
    return _HOST.fullmatch(value) is not None
