"""`/v1/cs/configs`: publish, get, remove, and the long-polling listener."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from urllib.parse import quote, unquote

from harness.emulators.nacos import names
from harness.emulators.nacos.auth.gate import Resource
from harness.emulators.nacos.config.model import ConfigKey, Entry
from harness.emulators.nacos.config.store import CasFailed
from harness.emulators.nacos.errors import invalid
from harness.emulators.nacos.http import configs
from harness.emulators.nacos.http.forms import client_ip, config_key
from harness.emulators.nacos.http.message import Request, Response, text
from harness.emulators.nacos.http.routes import Call, Family, Route

config_resource = configs.resource_of(configs.V1)

FIELD, LINE = "\x02", "\x01"
MAX_LISTENED = 10_000
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CONTENT_TYPES = {"json": "application/json", "xml": "application/xml", "html": "text/html"}


def publish(call: Call) -> Response:
    """Store a configuration; a CAS that does not match answers 500 `false`."""
    try:
        configs.publish(call, configs.V1)
    except CasFailed:
        return text("false", 500)
    return text("true")


def get(call: Call) -> Response:
    """The content as it is, with what is known of it in headers."""
    request = call.request
    found = call.domain.config.get(
        config_key(request),
        ip=client_ip(request),
        tag=request.get("tag"),
        auto_tag=request.header("vipserver-tag"),
    )
    if found is None:
        return text("config data not exist\n", 404)
    return Response(
        200,
        found.entry.content.encode("utf-8", "replace"),
        f"{CONTENT_TYPES.get(found.entry.type, 'text/plain')};charset=UTF-8",
        (*_headers(found.entry), *((("isBeta", "true"),) if found.beta else ())),
    )


def _headers(entry: Entry) -> tuple[tuple[str, str], ...]:
    headers = [
        ("Content-MD5", entry.md5),
        ("Config-Type", entry.type),
        ("Last-Modified", http_date(entry.modified)),
        ("Pragma", "no-cache"),
        ("Cache-Control", "no-cache,no-store"),
    ]
    return (*headers, *([("Encrypted-Data-Key", entry.encrypted_data_key)] if entry.encrypted_data_key else []))


def http_date(millis: int) -> str:
    """A time as HTTP headers carry it."""
    when = time.gmtime(millis / 1000)
    day, month = _DAYS[when.tm_wday], _MONTHS[when.tm_mon - 1]
    return f"{day}, {when.tm_mday:02} {month} {when.tm_year} {time.strftime('%H:%M:%S', when)} GMT"


def remove(call: Call) -> Response:
    """Removing what is not there answers `true` as well."""
    configs.remove(call, configs.V1)
    return text("true")


# -- listening ---------------------------------------------------------------------------------------------------------

Listened = dict[ConfigKey, tuple[str, str]]


def listen(call: Call) -> Response | Awaitable[Response]:
    """Compare at once; with `Long-Pulling-Timeout` hold an unchanged request until a key changes."""
    request = call.request
    listened = read_listened(request.need("Listening-Configs"))
    ip, tag = client_ip(request), request.header("vipserver-tag")
    changed = [key for key, (_, md5) in listened.items() if call.domain.config.md5(key, ip=ip, tag=tag) != md5]
    timeout = request.header("long-pulling-timeout")
    if changed or not timeout or request.header("long-pulling-timeout-no-hangup") == "true":
        return _changes(listened, changed)
    return _hold(call, listened, max(10_000, names.to_int(timeout) - 500) / 1000)


async def _hold(call: Call, listened: Listened, seconds: float) -> Response:
    ip, tag = client_ip(call.request), call.request.header("vipserver-tag")
    md5s = {key: md5 for key, (_, md5) in listened.items()}
    deadline = call.domain.clock.monotonic() + seconds
    while (left := deadline - call.domain.clock.monotonic()) > 0:
        key = await call.site.polls.wait(ip, md5s, left)
        if key is not None and call.domain.config.md5(key, ip=ip, tag=tag) != listened[key][1]:
            return _changes(listened, [key])
    return _changes(listened, [])


def _changes(listened: Listened, changed: list[ConfigKey]) -> Response:
    """The changed keys, URL-encoded, with the tenant as the client spelled it (and none if it sent none)."""
    entries = []
    for key in changed:
        tenant = listened[key][0]
        fields = [key.data_id, key.group, *([tenant] if tenant.strip() else [])]
        entries.append(FIELD.join(fields) + LINE)
    return text(quote("".join(entries), safe="*-._") + "\n" if entries else "")


def read_listened(probe: str) -> Listened:
    """Key → (tenant as sent, md5) of the probe text; it may be encoded twice. Raises NacosError (400)."""
    decoded = unquote(probe, errors="replace") if "%" in probe else probe
    listened: Listened = {}
    for line in decoded.split(LINE):
        if not line:
            continue
        fields = line.split(FIELD)
        if not 3 <= len(fields) <= 4:
            raise invalid("invalid probeModify")
        tenant = fields[3] if len(fields) == 4 else ""
        listened[ConfigKey(names.tenant_of(tenant), fields[1], fields[0])] = (tenant, fields[2])
    if not listened or len(listened) > MAX_LISTENED:
        raise invalid("invalid probeModify")
    return listened


def listened_resource(request: Request) -> Resource:
    """A probe is judged by the tenant of its first key, as a batch is over gRPC."""
    listened = read_listened(request.need("Listening-Configs"))
    return Resource(next(iter(listened)).tenant, "", "config", "")


CONFIGS = "/v1/cs/configs"
ROUTES = (
    Route("GET", CONFIGS, get, Family.CONFIG, "r", config_resource),
    Route("POST", CONFIGS, publish, Family.CONFIG, "w", config_resource),
    Route("DELETE", CONFIGS, remove, Family.CONFIG, "w", config_resource),
    Route("POST", f"{CONFIGS}/listener", listen, Family.CONFIG, "r", listened_resource),
)
