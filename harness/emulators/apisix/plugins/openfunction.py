"""openfunction: the request goes to a function of OpenFunction."""

from __future__ import annotations

import base64
from typing import ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.function_upstream import FunctionUpstream, client_query, function_schema


class Openfunction(FunctionUpstream):
    name = "openfunction"
    priority = -1902
    #: upstream leaves the type of `authorization` open
    schema: ClassVar[Schema] = function_schema({})
    encrypt_fields = ("authorization.service_token",)

    def authorize(self, ctx: Context, method: str, path: str, headers: dict[str, str], body: bytes) -> str:
        """The token as basic authentication."""
        given = self.conf.get("authorization")
        token = given.get("service_token") if isinstance(given, dict) else None
        if token:
            headers["authorization"] = f"Basic {base64.b64encode(token.encode()).decode()}"
        return client_query(ctx)
