"""Requests about the connection itself."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos.grpc.calls import Call, Handler


def health_check(call: Call) -> dict[str, Any]:
    """The client asks whether we are there."""
    return {}


HANDLERS = (Handler("HealthCheckRequest", "HealthCheckResponse", health_check),)
