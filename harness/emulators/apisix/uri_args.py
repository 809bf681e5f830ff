"""Query strings as ngx.req.get_uri_args, ngx.encode_args and ngx_escape_uri read and write them, over Latin-1 text."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from harness.emulators.apisix.context import Context

#: an argument without "=" is True; one that comes several times is a list
Arg = str | bool | list[str | bool]

_KEPT_IN_ARG = "-._~"
_KEPT_IN_PATH = "!$&'()*+,-./:;=@[]_~"


def parse(query: str) -> dict[str, Arg]:
    """The arguments by name, percent signs and plus decoded; an empty name is left out as nginx leaves it."""
    args: dict[str, Arg] = {}
    for pair in query.split("&"):
        name, equals, text = pair.partition("=")
        value: str | bool = unescape(text) if equals else True
        name = unescape(name)
        if not name:
            continue
        held = args.get(name)
        if held is None:
            args[name] = value
        elif isinstance(held, list):
            held.append(value)
        else:
            args[name] = [held, value]
    return args


def encode(args: dict[str, Arg]) -> str:
    """`args` as a query; False is left out, True is a bare name."""
    pairs = []
    for name, values in args.items():
        for value in values if isinstance(values, list) else [values]:
            if value is True:
                pairs.append(escape(name))
            elif value is not False:
                pairs.append(f"{escape(name)}={escape(value)}")
    return "&".join(pairs)


def unescape(text: str) -> str:
    """ngx.unescape_uri: plus is a blank, what isn't a percent escape stays."""
    if "%" not in text and "+" not in text:
        return text
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode("latin-1")


def escape(text: str) -> str:
    """ngx.escape_uri, for one name or value."""
    return quote(text.encode("latin-1"), safe=_KEPT_IN_ARG)


def escape_path(path: str) -> str:
    """A decoded path as nginx writes it into the request to an upstream."""
    return quote(path, safe=_KEPT_IN_PATH, encoding="latin-1")


def replace_args(ctx: Context, args: dict[str, Arg]) -> None:
    """ngx.req.set_uri_args: from here on the request has these, and its path goes out escaped anew."""
    ctx.query = encode(args)
    ctx.upstream_uri = escape_path(ctx.uri) + ("?" + ctx.query if ctx.query else "")
