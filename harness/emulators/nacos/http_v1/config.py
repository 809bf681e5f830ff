"""`/v1/cs/configs`: publish, get, remove, and the long-polling listener."""

from __future__ import annotations

from collections.abc import Awaitable
from urllib.parse import quote, unquote

from harness.emulators.nacos import names
from harness.emulators.nacos.auth.gate import Resource
from harness.emulators.nacos.config.model import ConfigKey, RefusedField, check_tag
from harness.emulators.nacos.config.store import CasFailed
from harness.emulators.nacos.errors import Filtered, NacosError, invalid
from harness.emulators.nacos.http import configs
from harness.emulators.nacos.http.forms import client_ip, config_key
from harness.emulators.nacos.http.message import CONFIG_JSON, TEXT, Request, Response, as_json
from harness.emulators.nacos.http.routes import Call, Family, Route

config_resource = configs.resource_of(configs.V1)

FIELD, LINE = "\x02", "\x01"
MAX_LISTENED = 10_000
ABSENT = Response(404, b"config data not exist\n", CONFIG_JSON)


def publish(call: Call) -> Response:
    """Store a configuration; 3.x tells what it refuses to write by `false` alone."""
    try:
        configs.publish(call, configs.V1)
    except (CasFailed, RefusedField) as error:
        if call.domain.version.is_2:
            raise
        return as_json(False, error.status)
    return as_json(True)


def get(call: Call) -> Response:
    """The content as it is, with what is known of it in headers."""
    request = call.request
    key = config_key(request)
    if request.get("tag"):
        check_tag(request.get("tag"))
    found = call.domain.config.get(
        key,
        ip=client_ip(request),
        tag=request.get("tag"),
        auto_tag=request.header("vipserver-tag"),
    )
    if found is None:
        return ABSENT
    body = found.entry.content.encode("utf-8", "replace")  # as text whatever the type is: clients read Config-Type
    return Response(200, body, TEXT, configs.headers(found))


def remove(call: Call) -> Response:
    """Removing what is not there answers `true` as well."""
    configs.remove(call, configs.V1)
    return as_json(True)


# -- listening ---------------------------------------------------------------------------------------------------------

Listened = dict[ConfigKey, tuple[str, str]]


def listen(call: Call) -> Response | Awaitable[Response]:
    """Compare at once; with `Long-Pulling-Timeout` hold an unchanged request until a key changes."""
    request = call.request
    try:
        listened = read_listened(request.get("Listening-Configs"))
    except NacosError as error:
        # what is blank the controller refuses itself; for the rest 2.x has no advice
        is_told = not call.domain.version.is_2 or not request.get("Listening-Configs")
        raise error if is_told else Filtered(500, error.detail) from None
    ip, tag = client_ip(request), request.header("vipserver-tag")
    changed = [key for key, (_, md5) in listened.items() if call.domain.config.md5(key, ip=ip, tag=tag) != md5]
    timeout = request.header("long-pulling-timeout")
    if not timeout:
        return _changes_in_headers(listened, changed)
    if changed or request.header("long-pulling-timeout-no-hangup") == "true":
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
    """The changed keys as a body of a line."""
    told = _told(listened, changed)
    return Response(200, f"{told}\n".encode() if told else b"", CONFIG_JSON, configs.FRESH)


def _changes_in_headers(listened: Listened, changed: list[ConfigKey]) -> Response:
    """Who doesn't poll for long is told in headers, as clients before 1.0 read it (`LongPollingService`)."""
    old = "".join(f"{key.data_id}:{key.group};" for key in changed)
    told = (("Probe-Modify-Response", old), ("Probe-Modify-Response-New", _told(listened, changed)))
    return Response(200, b"", CONFIG_JSON, (*told, *configs.FRESH))


def _told(listened: Listened, changed: list[ConfigKey]) -> str:
    """The changed keys, URL-encoded, with the tenant as the client spelled it (and none if it sent none)."""
    entries = []
    for key in changed:
        tenant = listened[key][0]
        fields = [key.data_id, key.group, *([tenant] if tenant.strip() else [])]
        entries.append(FIELD.join(fields) + LINE)
    return quote("".join(entries), safe="*-._")


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
    listened = read_listened(request.get("Listening-Configs"))
    return Resource(next(iter(listened)).tenant, "", "config", "")


CONFIGS = "/v1/cs/configs"
ROUTES = (
    Route("GET", CONFIGS, get, Family.CONFIG, "r", config_resource),
    Route("POST", CONFIGS, publish, Family.CONFIG, "w", config_resource),
    Route("DELETE", CONFIGS, remove, Family.CONFIG, "w", config_resource),
    Route("POST", f"{CONFIGS}/listener", listen, Family.CONFIG, "r", listened_resource),
)
