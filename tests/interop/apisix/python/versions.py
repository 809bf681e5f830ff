"""mcp-apisix's Admin API client, which finds out by itself whether it speaks to version 2 or 3; prints what it saw."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx2
from mcp_apisix.clients.admin import ApisixAdminClient

UPSTREAM = {"type": "roundrobin", "nodes": {"127.0.0.1:80": 1}}


async def play(client: ApisixAdminClient) -> dict[str, Any]:
    """A round of everything that the client has."""
    made = await client.create_resource("routes", {"uri": "/a", "name": "one", "upstream": UPSTREAM})
    id_ = made["id"]
    await client.update_resource("routes", id_, {"desc": "changed", "plugins": {"key-auth": {}}})
    await client.toggle_route(id_, False)
    refused: list[int] = []
    for config in ({"uri": "/a", "plugins": {"none": {}}}, {"upstream": UPSTREAM}):
        try:
            await client.create_resource("routes", config)
        except httpx2.HTTPStatusError as error:
            refused.append(error.response.status_code)
    route = await client.get_resource("routes", id_)
    listed = await client.list_resources("routes", detail=True)
    return {
        "info": await client.get_server_info(),
        "value": route.get("value", route),
        "names": [item.get("value", item).get("name") for item in listed["list"]],
        "total": listed["total"],
        "refused": refused,
        "streams": await client.list_resources("stream_routes"),
        "plugins": len(await client.list_plugins()),
        "schema": sorted((await client.get_plugin_schema("key-auth")).get("properties", {})),
        "valid": await client.validate_resource_config("routes", {"uri": "/a", "upstream": UPSTREAM}),
        "invalid": await client.validate_resource_config("routes", {"uri": 5}),
    }


async def main() -> None:
    client = ApisixAdminClient()
    try:
        print(json.dumps(await play(client)))
    finally:
        await client.aclose()


os.environ["APISIX_BASE_URL"], os.environ["APISIX_ADMIN_KEY"] = sys.argv[1:3]
asyncio.run(main())
