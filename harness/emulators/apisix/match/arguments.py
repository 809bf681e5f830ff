"""A request's arguments and cookies, parsed once a text and looked up by name."""

from __future__ import annotations

import re
from functools import lru_cache

from harness.emulators.apisix.uri_args import Arg, parse

#: lua-resty-cookie: a value ends at the first semicolon, blank or tab
_COOKIE = re.compile(r"([^=]*)=([^; \t]*)(?:[; \t][ \t]*|\Z)")


@lru_cache(maxsize=1024)
def _parsed(query: str) -> dict[str, Arg]:
    return parse(query)


def first(query: str, name: str) -> str | bool | None:
    """The first value of `name` in a query or form, True for a bare name."""
    value = _parsed(query).get(name)
    return value[0] if isinstance(value, list) else value


@lru_cache(maxsize=256)
def cookies(header: str) -> dict[str, str]:
    """name → value; of repeated names the last wins, names keep their case. Shared: not to be changed."""
    return dict(_COOKIE.findall(header))
