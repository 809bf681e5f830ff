"""Stream routes: kept as the real gateway keeps them where `proxy_mode` has streams; no listener serves them."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.etcd import EtcdError
from harness.emulators.apisix.plugins.ip_restriction import is_address
from harness.emulators.apisix.resources.kind import Desk, Kind, Occasion, Refused, check_references
from harness.emulators.apisix.resources.upstream import UPSTREAM, encrypt_upstream
from harness.emulators.apisix.schema.common import HOST_PATTERN, ID, IP, METADATA, PLUGINS, REMOTE_ADDR, integer, obj
from harness.emulators.apisix.schema.validate import Validator
from harness.emulators.apisix.schema.wording import text

_LOGGER = {
    "properties": {
        "name": {"type": "string"},
        "filter": {"description": "logger filter rules", "type": "array"},
        "conf": {"description": "logger plugin configuration", "type": "object"},
    },
    "dependencies": {"name": ["conf"]},
    "additionalProperties": False,
}
STREAM_ROUTE = obj(
    {
        **METADATA,
        "remote_addr": REMOTE_ADDR,
        "server_addr": {"description": "server IP", "type": "string", "anyOf": IP},
        "server_port": {"description": "server port", **integer(minimum=1, maximum=65535)},
        "sni": {"description": "server name indication", "type": "string", "pattern": HOST_PATTERN},
        "upstream": UPSTREAM,
        "upstream_id": ID,
        "service_id": ID,
        "plugins": PLUGINS,
        "protocol": obj(
            {
                "name": {"type": "string"},
                "superior_id": ID,
                "conf": {"description": "protocol-specific configuration", "type": "object"},
                "logger": {"type": "array", "items": _LOGGER},
            },
            required=["name"],
        ),
    },
    additionalProperties=False,
)


#: xrpc.protocols that come with APISIX → the schema of `protocol.conf`
_FAULT = obj(
    {
        "commands": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "key": {"type": "string", "minLength": 1},
        "delay": {"type": "number", "description": "additional delay in seconds"},
    },
    required=["commands", "delay"],
)
PROTOCOLS = {
    "redis": Validator(obj({"faults": {"type": "array", "minItems": 1, "items": _FAULT}})),
    "dubbo": Validator({"type": "object"}),
}


class StreamRoutes(Kind):
    """TCP and UDP."""

    directory = "stream_routes"
    label = "stream route"
    schema_name = "stream_route"
    schema = STREAM_ROUTE
    unsupported = ("patch",)
    filters = ("service_id", "upstream_id")

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        self.check_schema(conf)
        protocol = conf.get("protocol")
        if occasion.references:
            await check_references(conf, ("upstream_id", "service_id"), desk)
            if protocol and protocol.get("superior_id") is not None:
                await _check_superior(id_, protocol, desk)
        reason = desk.streams.check(conf.get("plugins"))
        if reason is not None:
            raise Refused(reason)
        for member in ("remote_addr", "server_addr"):
            if conf.get(member) and not is_address(conf[member]):
                raise Refused(f"invalid {member}: {conf[member]}")
        if protocol:
            _check_protocol(protocol, desk)

    async def check_delete(self, id_: str, desk: Desk) -> None:
        for route in desk.table.get("stream_routes").values():
            superior = (route.value.get("protocol") or {}).get("superior_id")
            if superior is not None and text(superior) == id_:
                user = f"stream route [{route.id}] is still using it as superior_id"
                raise Refused(f"can not delete this stream route directly, {user}")

    def encrypt(self, conf: dict[str, Any], desk: Desk) -> None:
        encrypt_upstream(conf.get("upstream"), desk)


async def _check_superior(id_: Any, protocol: dict[str, Any], desk: Desk) -> None:
    superior = text(protocol["superior_id"])
    if id_ is not None and superior == text(id_):
        raise Refused("stream route can not set itself as superior_id")
    try:
        pair = await desk.table.known(f"/stream_routes/{superior}")
    except EtcdError as error:
        raise Refused(f"failed to fetch stream routes[{superior}]: {error}") from error
    if pair is None or pair.value is None:
        raise Refused(f"failed to fetch stream routes[{superior}], response code: 404")
    theirs = (lua_json.decode(pair.value).get("protocol") or {}).get("name")
    if theirs is not None and theirs != protocol["name"]:
        subordinate = f"subordinate protocol [{protocol['name']}]"
        raise Refused(f"protocol mismatch: {subordinate} does not match superior protocol [{theirs}]")


def _check_protocol(protocol: dict[str, Any], desk: Desk) -> None:
    name = protocol["name"]
    if name not in desk.protocols or name not in PROTOCOLS:
        raise Refused(f"unknown protocol [{name}]")
    reason = PROTOCOLS[name].check(protocol["conf"]) if protocol.get("conf") is not None else None
    if reason is not None:
        raise Refused(reason)
