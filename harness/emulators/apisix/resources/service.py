"""Services."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.resources.kind import (
    Desk,
    Kind,
    Occasion,
    Refused,
    check_plugins,
    check_references,
    users,
)
from harness.emulators.apisix.resources.route import check_lua
from harness.emulators.apisix.resources.upstream import (
    UPSTREAM,
    check_inner_upstream,
    encrypt_upstream,
)
from harness.emulators.apisix.schema.common import ENABLE_WEBSOCKET, HOST, ID, METADATA, PLUGINS, SCRIPT, listed, obj

SERVICE = obj(
    {
        **METADATA,
        "plugins": PLUGINS,
        "upstream": UPSTREAM,
        "upstream_id": ID,
        "script": SCRIPT,
        "enable_websocket": ENABLE_WEBSOCKET,
        "hosts": listed(HOST, minItems=1, uniqueItems=True),
    },
    additionalProperties=False,
)


class Services(Kind):
    """What several routes have in common."""

    directory = "services"
    label = "service"
    schema_name = "service"
    schema = SERVICE

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        self.check_schema(conf)
        await check_inner_upstream(conf.get("upstream"), desk, occasion)
        if occasion.references:
            await check_references(conf, ("upstream_id",), desk)
        check_plugins(conf, desk)
        check_lua(conf, "script", "", "table", "'script' should be a Lua object")

    async def check_delete(self, id_: str, desk: Desk) -> None:
        for directory, label in (("routes", "route"), ("stream_routes", "stream_route")):
            if found := users(desk, directory, "service_id", id_):
                raise Refused(f"can not delete this service directly, {label} [{found[0]}] is still using it now")

    def encrypt(self, conf: dict[str, Any], desk: Desk) -> None:
        encrypt_upstream(conf.get("upstream"), desk)
        desk.plugins.encrypt(conf.get("plugins"), desk.keyring)
