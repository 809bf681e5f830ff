"""server-info: what the Control API tells."""

from __future__ import annotations

import json

from harness.emulators.apisix.exchange import Request
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.server_info import ServerInfo


def test_the_same_gateway_each_time(scope):
    [answer] = ServerInfo.control_api(scope).values()
    request = Request("GET", "/v1/server_info", "/v1/server_info", "", Headers())
    first, second = (json.loads(answer(request).body) for _ in range(2))
    assert first == second
    assert (first["version"], first["boot_time"], len(first["id"])) == ("3.18.0", 1_700_000_000, 36)
