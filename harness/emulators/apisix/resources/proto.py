"""Protocol buffer definitions for grpc-transcode."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.resources.kind import Desk, Kind, Occasion, Refused
from harness.emulators.apisix.resources.proto_source import problem
from harness.emulators.apisix.schema.common import METADATA, obj, text
from harness.emulators.apisix.schema.wording import text as shown

PROTO = obj(
    {**METADATA, "content": text(minLength=1, maxLength=1024 * 1024)},
    required=["content"],
    additionalProperties=False,
)


class Protos(Kind):
    """Source text, or a descriptor set in base64."""

    directory = "protos"
    label = "proto"
    schema_name = "proto"
    schema = PROTO
    unsupported = ("patch",)

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        self.check_schema(conf)
        reason = problem(conf["content"])
        if reason is not None:
            raise Refused(f"invalid content: {reason}")

    async def check_delete(self, id_: str, desk: Desk) -> None:
        for directory, label in (("routes", "route"), ("services", "service")):
            for user in desk.table.get(directory).values():
                conf = (user.value.get("plugins") or {}).get("grpc-transcode")
                if conf and conf.get("proto_id") is not None and shown(conf["proto_id"]) == id_:
                    raise Refused(f"can not delete this proto, {label} [{user.id}] is still using it now")
