"""The variables of nginx and APISIX (`$uri`, `arg_x`, `consumer_name` …): found by name once, read per request."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast
from uuid import uuid4

from harness.emulators.apisix.context import Context, Try
from harness.emulators.apisix.match import arguments, body
from harness.emulators.apisix.match.expression import Getter, latin
from harness.emulators.apisix.match.lua_values import to_text

NGINX_VERSION = "1.29.2"
#: the note in which limit-count leaves (key, limit, remaining, seconds to the end of the window)
RATE_LIMITING_INFO = "limit-count.info"

#: core.utils.resolve_var: $name, ${name}, ${name ?? default}; a backslash before the dollar leaves it alone
_TEMPLATE = re.compile(r"(?<!\\)\$(?:\{\s*([^}]+?)\s*\}|([\w.]+))", re.ASCII)
_DEFAULT = re.compile(r"\s*\?\?\s*")


def _protocol(ctx: Context) -> str:
    major, minor = ctx.version
    return f"HTTP/{major}.{minor}"


def _request_id(ctx: Context) -> str:
    """32 hexadecimal digits, the same for the whole request."""
    kept = ctx.notes.get("$request_id")
    if kept is None:
        kept = ctx.notes["$request_id"] = uuid4().hex
    return str(kept)


def _iso_time(ctx: Context) -> str:
    return _now(ctx).isoformat(timespec="seconds")


def _local_time(ctx: Context) -> str:
    return _now(ctx).strftime("%d/%b/%Y:%H:%M:%S %z")


def _now(ctx: Context) -> datetime:
    return datetime.fromtimestamp(ctx.started, UTC).astimezone()


def _tls(ctx: Context, method: str) -> Any:
    connection = ctx.client.tls
    return getattr(connection, method)() if connection is not None else None


def _cipher(ctx: Context) -> str | None:
    cipher = _tls(ctx, "cipher")
    return str(cipher[0]) if cipher else None


def _tries(read: Callable[[Try], str]) -> Getter:
    """The tries' values joined as nginx joins them; nothing when there was no try."""
    return lambda ctx: ", ".join(read(attempt) for attempt in ctx.tries) + " : " * ctx.gave_up or None


def _rate_limiting_info(ctx: Context) -> str | None:
    """What limit-count last decided (core.utils.set_var_rate_limiting_info)."""
    if RATE_LIMITING_INFO not in ctx.notes:
        return None
    key, limit, remaining, reset = ctx.notes[RATE_LIMITING_INFO]
    return (
        f'{{"rate_limiting_key":"{key}","rate_limiting_limit":{int(limit)},'
        f'"rate_limiting_remaining":{remaining},"rate_limiting_reset":{int(reset)}}}'
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _last_address(ctx: Context) -> tuple[str, str]:
    host, _, port = ctx.tries[-1].address.rpartition(":") if ctx.tries else ("", "", "")
    return host, port


def _route_value(member: str) -> Getter:
    """A member of the matched route's value as configured."""

    def get(ctx: Context) -> Any:
        value = getattr(ctx.route, "value", None) if ctx.route is not None else None
        return value.get(member) if isinstance(value, Mapping) else None

    return get


def _service_name(ctx: Context) -> Any:
    plan = ctx.route.plan if ctx.route is not None else None
    services = [entry for kind, _, entry in plan.depends if kind == "services" and entry is not None] if plan else []
    return services[0].value.get("name") if services else None


def _unresolved_host(ctx: Context) -> str:
    """The host, as configured, of the node that was tried last (balancer.lua); a blank before there is one."""
    if ctx.upstream is None or not ctx.tries:
        return ""
    address = ctx.tries[-1].address
    return next((node.name for node in ctx.upstream.nodes if node.address == address), "")


def _consumer(member: str) -> Getter:
    return lambda ctx: (getattr(ctx.consumer, member) or None) if ctx.consumer is not None else None


def _packed_address(ctx: Context) -> str:
    family = socket.AF_INET6 if ":" in ctx.remote_addr else socket.AF_INET
    return socket.inet_pton(family, ctx.remote_addr).decode("latin-1")


VARIABLES: Mapping[str, Getter] = {
    "apisix_request_id": _request_id,
    "args": lambda ctx: ctx.query,
    "balancer_ip": lambda ctx: _last_address(ctx)[0] or None,
    "balancer_port": lambda ctx: _last_address(ctx)[1] or None,
    "binary_remote_addr": _packed_address,
    "body_bytes_sent": lambda ctx: str(ctx.body_bytes_sent),
    "bytes_sent": lambda ctx: str(ctx.bytes_sent),
    "consumer_group_id": _consumer("group_id"),
    "consumer_name": _consumer("name"),
    "content_length": lambda ctx: ctx.headers.get("content-length"),
    "content_type": lambda ctx: ctx.headers.get("content-type"),
    "document_uri": lambda ctx: ctx.uri,
    "host": lambda ctx: ctx.host,
    "hostname": lambda ctx: socket.gethostname(),
    "http2": lambda ctx: ("h2" if ctx.client.scheme == "https" else "h2c") if ctx.version[0] == 2 else "",
    "https": lambda ctx: "on" if ctx.client.scheme == "https" else "",
    "is_args": lambda ctx: "?" if ctx.query else "",
    "method": lambda ctx: ctx.method,
    "msec": lambda ctx: f"{ctx.started:.3f}",
    "nginx_version": lambda ctx: NGINX_VERSION,
    "pid": lambda ctx: str(os.getpid()),
    "query_string": lambda ctx: ctx.query,
    "rate_limiting_info": _rate_limiting_info,
    "realip_remote_addr": lambda ctx: ctx.client.remote_addr,
    "realip_remote_port": lambda ctx: str(ctx.client.remote_port),
    "remote_addr": lambda ctx: ctx.remote_addr,
    "remote_port": lambda ctx: str(ctx.client.remote_port),
    "request_body": lambda ctx: ctx.body.decode("latin-1") if ctx.body else None,
    "request_id": _request_id,
    "request_length": lambda ctx: str(ctx.request_length),
    "request_line": lambda ctx: f"{ctx.method} {ctx.target} {_protocol(ctx)}",
    "request_method": lambda ctx: ctx.method,
    "request_uri": lambda ctx: ctx.target,
    "route_id": lambda ctx: getattr(ctx.route, "id", None),
    "route_name": _route_value("name"),
    "scheme": lambda ctx: ctx.client.scheme,
    "server_addr": lambda ctx: ctx.client.server_addr,
    "server_name": lambda ctx: "_",
    "server_port": lambda ctx: str(ctx.client.server_port),
    "server_protocol": _protocol,
    "service_id": _route_value("service_id"),
    "service_name": _service_name,
    "ssl_cipher": _cipher,
    "ssl_protocol": lambda ctx: _tls(ctx, "version"),
    "ssl_server_name": lambda ctx: ctx.client.sni,
    "status": lambda ctx: f"{ctx.status:03d}",
    "time_iso8601": _iso_time,
    "time_local": _local_time,
    "upstream_addr": _tries(lambda attempt: attempt.address),
    "upstream_connect_time": _tries(lambda attempt: _seconds(attempt.connect_time)),
    "upstream_header_time": _tries(lambda attempt: _seconds(attempt.header_time)),
    "upstream_host": lambda ctx: ctx.upstream_host,
    "upstream_response_time": _tries(lambda attempt: _seconds(attempt.response_time)),
    "upstream_scheme": lambda ctx: ctx.upstream_scheme,
    "upstream_status": _tries(lambda attempt: str(attempt.status or "-")),
    "upstream_unresolved_host": _unresolved_host,
    "upstream_uri": lambda ctx: ctx.upstream_uri,
    "uri": lambda ctx: ctx.uri,
}


#: variables that are the request's own members, always text → the member
TEXTS: Mapping[str, str] = {
    "host": "host",
    "remote_addr": "remote_addr",
    "request_method": "method",
    "request_uri": "target",
    "uri": "uri",
}


def _argument(name: str) -> Getter:
    return lambda ctx: arguments.first(ctx.query, name) if ctx.query else None


def _cookie(name: str) -> Getter:
    def get(ctx: Context) -> str | None:
        header = _joined(ctx.headers.get_all("cookie"), "; ")
        return arguments.cookies(header).get(name) if header else None

    return get


def _joined(values: list[str], separator: str = ", ") -> str | None:
    return separator.join(values) if values else None


def _header(name: str) -> Getter:
    """`http_x_y`: X-Y or X_Y, several fields joined."""
    wanted = name.lower().replace("-", "_")
    size = len(wanted)
    separator = "; " if wanted == "cookie" else ", "

    def get(ctx: Context) -> str | None:
        values = [v for k, _, v in ctx.headers.items if len(k) == size and k.replace("-", "_") == wanted]
        return values[0] if len(values) == 1 else _joined(values, separator)

    return get


def _sent_header(name: str) -> Getter:
    wanted = name.lower().replace("_", "-")
    return lambda ctx: _joined(ctx.response.get_all(wanted))


def _parameter(name: str) -> Getter:
    return lambda ctx: (ctx.path_params or {}).get(name)


#: prefix → getter of what follows it; the first that fits decides
PREFIXES: tuple[tuple[str, Callable[[str], Getter]], ...] = (
    ("cookie_", _cookie),
    ("arg_", _argument),
    ("post_arg_", body.post_argument),
    ("uri_param_", _parameter),
    ("http_", _header),
    ("graphql_", body.graphql),
    ("post_arg.", body.post_path),
    ("sent_http_", _sent_header),
    ("upstream_http_", _sent_header),
)


def _own(name: str) -> Getter:
    found = VARIABLES.get(name)
    if found is not None:
        return found
    for prefix, build in PREFIXES:
        if name.startswith(prefix):
            return build(name[len(prefix) :])
    return lambda ctx: None


@lru_cache(maxsize=4096)
def getter(name: str) -> Getter:
    """How to read variable `name` from a request: text, None when it isn't set, True for `arg_x` of a bare `?x`,
    and for `post_arg.*` and `graphql_root_fields` any JSON value. What a plugin set in `ctx.variables` wins.
    """
    own = _own(name)
    if name in TEXTS:
        member = TEXTS[name]

        def of_request(ctx: Context) -> Any:
            variables = ctx.variables
            return variables[name] if variables and name in variables else getattr(ctx, member)

        return of_request

    def get(ctx: Context) -> Any:
        if ctx.variables and name in ctx.variables:
            return ctx.variables[name]
        return own(ctx)

    return get


Resolver = Callable[[Context], str]


@lru_cache(maxsize=4096)
def resolve(template: str) -> Resolver:
    """The text with its variables filled in, as core.utils.resolve_var does; missing ones are empty."""
    text = cast(str, latin(template))
    if "$" not in text:
        return lambda ctx: text
    parts = _parts(text)
    return lambda ctx: "".join([part if isinstance(part, str) else part(ctx) for part in parts])


def resolve_counted(template: str) -> Callable[[Context], tuple[str, int]]:
    """As `resolve`, with the number of variables that had a value (what limit-count's rules look at)."""
    text = cast(str, latin(template))
    parts = _parts(text) if "$" in text else (text,)

    def run(ctx: Context) -> tuple[str, int]:
        found = [(True, part) if isinstance(part, str) else part.look(ctx) for part in parts]
        count = sum(1 for (known, _), part in zip(found, parts, strict=True) if known and not isinstance(part, str))
        return "".join(value for _, value in found), count

    return run


class _Place:
    """One variable in a template, with its default after `??`."""

    __slots__ = ("_default", "_get")

    def __init__(self, name: str, default: str | None) -> None:
        self._get = getter(name)
        self._default = default

    def look(self, ctx: Context) -> tuple[bool, str]:
        """(whether there was a value or a default, the text)."""
        value = self._get(ctx)
        if value is None:
            return self._default is not None, self._default or ""
        return True, to_text(value)

    def __call__(self, ctx: Context) -> str:
        return self.look(ctx)[1]


def _parts(text: str) -> tuple[str | _Place, ...]:
    parts: list[str | _Place] = []
    end = 0
    for match in _TEMPLATE.finditer(text):
        parts.append(text[end : match.start()])
        segments = _DEFAULT.split(match[1] or match[2])
        parts.append(_Place(segments[0], segments[1] if len(segments) > 1 else None))
        end = match.end()
    parts.append(text[end:])
    return tuple(part for part in parts if part != "")
