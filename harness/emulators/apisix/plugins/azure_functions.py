"""azure-functions: the request goes to an Azure function."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.function_upstream import FunctionUpstream, client_query, function_schema

_KEY, _CLIENT = "x-functions-key", "x-functions-clientid"


class AzureFunctions(FunctionUpstream):
    name = "azure-functions"
    priority = -1900
    schema: ClassVar[Schema] = function_schema(
        {"type": "object", "properties": {"apikey": {"type": "string"}, "clientid": {"type": "string"}}}
    )
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "master_apikey": {"type": "string", "default": ""},
            "master_clientid": {"type": "string", "default": ""},
        },
    }
    encrypt_fields = ("authorization.apikey",)

    def authorize(self, ctx: Context, method: str, path: str, headers: dict[str, str], body: bytes) -> str:
        """The client's own keys, else the configuration's, else the metadata's."""
        if _KEY not in headers and _CLIENT not in headers:
            own, metadata = self.conf.get("authorization"), self.scope.metadata(self.name)
            if own is not None:
                given = {_KEY: own.get("apikey"), _CLIENT: own.get("clientid")}
            elif metadata is not None:
                given = {_KEY: metadata.get("master_apikey", ""), _CLIENT: metadata.get("master_clientid", "")}
            else:
                given = {}
            headers.update({name: value for name, value in given.items() if value is not None})
        return client_query(ctx)
