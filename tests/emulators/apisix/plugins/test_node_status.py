"""node-status: the counters of connections."""

from __future__ import annotations

import json

from harness.emulators.apisix.exchange import Request
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.metrics import GatewayFacts
from harness.emulators.apisix.plugins.node_status import NodeStatus
from harness.emulators.apisix.plugins.prometheus import metrics_of


def test_counters_as_text(scope):
    metrics_of(scope).facts = lambda: GatewayFacts(requests=7, connections={"active": 2, "waiting": 1})
    answer = NodeStatus.public_api(scope)["GET", "/apisix/status"]
    told = json.loads(answer(Request("GET", "/apisix/status", "/apisix/status", "", Headers())).body)
    assert told["status"] == {"active": "2", "waiting": "1", "total": "7"}
    assert len(told["id"]) == 36
