"""Secret managers: where $secret:// references lead."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.resources.kind import ANY, Desk, Kind, Occasion, Refused
from harness.emulators.apisix.schema.common import URI, obj, text
from harness.emulators.apisix.schema.validate import Validator

VAULT = obj({"uri": URI, "prefix": text(), "token": text(), "namespace": text()}, required=["uri", "prefix", "token"])
GCP = obj(
    {
        "auth_config": obj(
            {
                "client_email": text(),
                "private_key": text(),
                "project_id": text(),
                "token_uri": text(default="https://oauth2.googleapis.com/token"),
                "scope": {
                    "type": "array",
                    "items": text(),
                    "default": ["https://www.googleapis.com/auth/cloud-platform"],
                },
                "entries_uri": text(default="https://secretmanager.googleapis.com/v1"),
            },
            required=["client_email", "private_key", "project_id"],
        ),
        "ssl_verify": {"type": "boolean", "default": True},
        "auth_file": text(),
    },
    oneOf=[{"required": ["auth_config"]}, {"required": ["auth_file"]}],
)
#: aws is refused, as by a gateway whose AWS library is missing
MANAGERS = {"vault": Validator(VAULT), "gcp": Validator(GCP)}


class Secrets(Kind):
    """Kept under <manager>/<id>, each manager with a schema of its own."""

    directory = "secrets"
    label = "secret"
    schema_name = "secret"
    schema = ANY
    unsupported = ("post",)

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        if not occasion.manager:
            raise Refused("missing secret type")
        validator = MANAGERS.get(occasion.manager)
        if validator is None:
            raise Refused(f"invalid secret manager: {occasion.manager}")
        reason = validator.check(conf)
        if reason is not None:
            raise Refused(f"invalid configuration: {reason}")
